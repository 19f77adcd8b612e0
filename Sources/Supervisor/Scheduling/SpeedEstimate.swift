// How fast a backend is, learnt from the reports of its exchanges alone. Pure. The picture: it reads one prompt after
// the other, in the order in which they came, at `secondsPerToken`; each exchange keeps the next from being begun for
// `keeps` seconds more (nearly nothing where answers are written side by side, the whole answer where it does one
// thing at a time). Seconds are Double here: they are estimates, and no arithmetic on them traps. Holds: every figure
// stays finite and within its bounds, whatever is reported.

import Shared

struct SpeedEstimate: Sendable {
    /// Before anything was measured: 2,000 tokens of a prompt a second.
    static let priorSecondsPerToken = 0.0005
    private static let secondsPerTokenRange = 0.000_002...0.2
    /// Until a model is in memory, before that was measured.
    static let priorLoad = 10.0
    static let priorHold = 8.0
    private static let longestHold = 3600.0
    private static let longestKeep = 60.0
    /// Smaller samples say more of the network than of the backend.
    private static let smallestSample = 256.0
    private static let maximumAnchors = 16

    /// What was expected of an exchange when it was sent.
    struct Expectation: Sendable {
        var sent = 0.0
        /// When its prompt will have been read.
        var read = 0.0
        /// Tokens sent to be read there so far, its own among them.
        var tokens = 0.0
        /// Nothing else was to be read.
        var isAlone = false
        /// The sum of all corrections until then.
        fileprivate var corrected = 0.0
    }

    /// An exchange that has ended: so many tokens had been read then.
    private struct Anchor {
        var tokens: Double
        var at: Double
    }

    /// Of the prompt, not from the cache.
    private(set) var secondsPerToken = priorSecondsPerToken
    private(set) var isMeasured = false
    private(set) var keeps = 0.0
    /// Until a model is in memory.
    private(set) var load = priorLoad
    /// How long an exchange holds its place, and how long of it the answer takes.
    private(set) var hold = priorHold
    private(set) var answer = priorHold / 2
    /// When the prompts that are there already will have been read, as expected.
    private(set) var readUntil = 0.0
    private var corrected = 0.0
    private var tokens = 0.0
    private var anchors: [Anchor] = []

    mutating func began(tokens fresh: Double, loading: Double, at now: Double) -> Expectation {
        let start = max(readUntil, now)
        let read = min(start + fresh * secondsPerToken + loading, now + Self.longestHold)
        tokens += fresh
        defer { readUntil = read + keeps }
        return Expectation(
            sent: now, read: read, tokens: tokens, isAlone: readUntil <= now, corrected: corrected)
    }

    /// It is idle: whatever was expected is over.
    mutating func idle() { readUntil = 0 }

    /// One exchange that went well.
    /// - Parameters:
    ///   - seconds: from sending to the first byte.
    ///   - fresh: tokens of its prompt that came from no cache.
    mutating func firstByte(after seconds: Double, fresh: Double, _ expected: Expectation) {
        let at = expected.sent + min(seconds, Self.longestHold)
        learnRate(at: at, fresh: fresh, expected)
        // What went wrong since it was sent was put right already.
        let error = at - expected.read - (corrected - expected.corrected)
        let step = (error * 0.5).clamped(to: -Self.longestHold...Self.longestHold)
        corrected += step
        readUntil = max(0, readUntil + step)
        if !expected.isAlone { keeps = (keeps + error * 0.02).clamped(to: 0...Self.longestKeep) }
        if anchors.count >= Self.maximumAnchors { anchors.removeFirst() }
        anchors.append(Anchor(tokens: expected.tokens, at: at))
    }

    private mutating func learnRate(at: Double, fresh: Double, _ expected: Expectation) {
        var sample: (seconds: Double, tokens: Double)?
        if expected.isAlone {
            sample = (at - expected.sent, fresh)
        } else {
            // Sent before that one was read: without a pause between them.
            let anchor = anchors.filter {
                $0.tokens < expected.tokens && $0.at >= expected.sent && $0.at < at
            }
            .max { $0.tokens < $1.tokens }
            if let anchor { sample = (at - anchor.at, expected.tokens - anchor.tokens) }
        }
        guard let sample, sample.tokens >= Self.smallestSample, sample.seconds > 0 else { return }
        let measured = sample.seconds / sample.tokens
        if isMeasured {
            let ratio = (measured / secondsPerToken).clamped(to: 0.25...4)
            // Whatever else happens there only makes it look slower.
            let weight = (expected.isAlone ? 0.3 : 0.1) * (ratio > 1 && !expected.isAlone ? 0.5 : 1)
            secondsPerToken *= 1 + (ratio - 1) * weight * min(sample.tokens / 2048, 1)
        } else {
            secondsPerToken = measured
            isMeasured = true
        }
        secondsPerToken = secondsPerToken.clamped(to: Self.secondsPerTokenRange)
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
