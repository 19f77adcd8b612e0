// Leaves alone what answers its checks and fails requests. Pure: closed → open → half-open → closed, or open again for
// twice as long. Holds: while it is not closed there is at most one trial; the memory of failures is bounded by
// `failures`; a rest is never longer than `openMax`.

import Shared

struct Breaker: Sendable {
    enum State: Equatable, Sendable {
        case closed
        case open(until: MonotonicInstant)
        case halfOpen
    }

    private(set) var state = State.closed
    /// The request that is out and whose end decides.
    private(set) var trial: UInt64?
    private var trials: UInt64 = 0
    /// Those since the last success that count, as the journal tells them.
    private(set) var failures = 0
    /// The rest in force, or the last one.
    private(set) var rest = Duration.zero
    private var recent: [MonotonicInstant] = []

    var isClosed: Bool { state == .closed }
    var isTrying: Bool { trial != nil }

    /// Nothing is remembered that still matters.
    func isIdle(_ settings: Configuration.Breaker, at now: MonotonicInstant) -> Bool {
        guard isClosed, !isTrying else { return false }
        return recent.last.map { now.since($0) > settings.window } ?? true
    }

    /// A failure of a request that was no trial. True when it is to be opened now.
    mutating func fails(_ settings: Configuration.Breaker, at now: MonotonicInstant) -> Bool {
        // What was under way when it opened says nothing new.
        guard isClosed else { return false }
        recent.removeAll { now.since($0) > settings.window }
        if recent.count >= settings.failures { recent.removeFirst() }
        recent.append(now)
        failures = recent.count
        return recent.count >= settings.failures
    }

    /// - Parameter failures: to be told with it, where others than its own have opened it.
    mutating func open(
        _ settings: Configuration.Breaker, at now: MonotonicInstant, failures count: Int? = nil
    ) {
        if let count { failures = count }
        recent = []
        rest = min(settings.open, settings.openMax)
        state = .open(until: now + rest)
    }

    /// The trial has failed: it rests again, for longer.
    mutating func trialFails(_ settings: Configuration.Breaker, at now: MonotonicInstant) {
        trial = nil
        guard !isClosed else { return }
        failures = failures &+ 1
        // Compared before it is doubled, so that nothing overflows.
        rest = rest > settings.openMax / 2 ? settings.openMax : max(rest * 2, settings.open)
        rest = min(rest, settings.openMax)
        state = .open(until: now + rest)
    }

    /// The rest is over. True when it is half-open from now on.
    mutating func advance(at now: MonotonicInstant) -> Bool {
        guard case .open(let until) = state, now >= until else { return false }
        state = .halfOpen
        return true
    }

    /// The trial's number.
    mutating func begin() -> UInt64 {
        trials &+= 1
        trial = trials
        return trials
    }

    /// The trial has ended and says nothing.
    mutating func trialEnds() { trial = nil }

    /// True when it was not closed.
    mutating func succeeds() -> Bool {
        trial = nil
        guard !isClosed else { return false }
        close()
        return true
    }

    mutating func close() {
        state = .closed
        failures = 0
        rest = .zero
        recent = []
    }
}

/// A backend's model, for as long as something is to be remembered against it.
struct ModelRecord: Sendable {
    let model: ModelDigest
    var breaker = Breaker()
    /// The backend has said that it has no such model.
    var missingUntil: MonotonicInstant?
    /// It is being loaded; asking at once again would only ask in a circle.
    var restsUntil: MonotonicInstant?
    var loadings = 0
    var isToldOpen = true

    init(_ model: ModelDigest) { self.model = model }

    func isIdle(_ settings: Configuration.Breaker, at now: MonotonicInstant) -> Bool {
        missingUntil == nil && restsUntil == nil && isToldOpen && breaker.isIdle(settings, at: now)
    }
}
