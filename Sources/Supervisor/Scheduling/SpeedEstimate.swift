// How fast a backend is, learnt from the reports of its exchanges alone. Pure. Seconds are Double here: they are
// estimates, and no arithmetic on them traps. Holds: every figure stays finite and within its bounds, whatever is
// reported.

import Shared

struct SpeedEstimate: Sendable {
    /// Before anything was measured: 2,000 tokens of a prompt a second.
    static let priorSecondsPerToken = 0.0005
    private static let secondsPerTokenRange = 0.000_002...0.2
    /// Until a model is in memory, before that was measured.
    static let priorLoad = 10.0
    static let priorHold = 8.0
    private static let longestHold = 3600.0
    private static let mostCrowding = 30.0
    /// Smaller samples say more of the network than of the backend.
    private static let smallestSample = 256.0

    /// Of the prompt, not from the cache.
    private(set) var secondsPerToken = priorSecondsPerToken
    private(set) var isMeasured = false
    /// What each request in flight adds, beyond the prompts that are being read.
    private(set) var crowding = 0.0
    /// Until a model is in memory.
    private(set) var load = priorLoad
    /// How long an exchange holds its place, and how long of it the answer takes.
    private(set) var hold = priorHold
    private(set) var answer = priorHold / 2
    /// When the prompts that are there already will have been read, as expected.
    private var readUntil = 0.0

    /// Prompts that are there and have not been read yet, in seconds.
    func backlog(at now: Double) -> Double { max(0, readUntil - now) }

    mutating func began(reading seconds: Double, at now: Double) {
        readUntil = min(max(readUntil, now) + seconds, now + Self.longestHold)
    }

    /// It is idle: whatever was expected is over.
    mutating func idle() { readUntil = 0 }

    /// One exchange that went well.
    /// - Parameters:
    ///   - fresh: tokens of its prompt that came from no cache.
    ///   - ahead: the backlog when it was sent, in tokens.
    ///   - others: requests in flight when it was sent.
    mutating func firstByte(after seconds: Double, fresh: Double, ahead: Double, others: Double) {
        guard fresh >= Self.smallestSample, seconds > 0 else { return }
        let reading = (fresh + ahead) * Self.priorSecondsPerToken
        let crowd = others * 0.25
        let rate = secondsPerToken / Self.priorSecondsPerToken
        let perCrowd = crowding / 0.25
        let error = min(seconds, Self.longestHold) - (rate * reading + perCrowd * crowd)
        // Normalised least mean squares over both causes; what was alone there is believed more.
        let step = (isMeasured ? 0.15 : 0.8) * (others == 0 ? 2 : 1) * fresh / (fresh + ahead)
        let share = min(step, 1) * error / (reading * reading + crowd * crowd)
        let newRate = (rate + share * reading) * Self.priorSecondsPerToken
        let newCrowding = (perCrowd + share * crowd) * 0.25
        secondsPerToken = newRate.clamped(to: Self.secondsPerTokenRange)
        crowding = newCrowding.clamped(to: 0...Self.mostCrowding)
        isMeasured = true
    }

    mutating func loaded(after seconds: Double) {
        load = mean(load, seconds.clamped(to: 0...600), 0.3)
    }

    mutating func ended(held: Double, answer: Double) {
        hold = mean(hold, held.clamped(to: 0.01...Self.longestHold), 0.1)
        self.answer = mean(self.answer, answer.clamped(to: 0...Self.longestHold), 0.1)
    }

    private func mean(_ old: Double, _ sample: Double, _ weight: Double) -> Double {
        old + (sample - old) * weight
    }
}

extension Double {
    /// NaN becomes the lower bound.
    func clamped(to range: ClosedRange<Double>) -> Double {
        self >= range.lowerBound ? min(self, range.upperBound) : range.lowerBound
    }
}

extension MonotonicInstant {
    var seconds: Double { Double(nanoseconds) / 1e9 }
}

extension Duration {
    var inSeconds: Double { Double(inNanoseconds) / 1e9 }
}
