// Whether a backend should be asked now: what exchanges met (passive) and what probes found. Pure; the
// time is given. Being avoided is bounded: after a while the backend is asked again, and one success
// forgets all failures.

internal import EventLoop

struct BackendHealth: Sendable, Equatable {
    enum Probe: Sendable, Equatable {
        case never
        case up
        /// `error` in words for the operator.
        case down(error: String)
    }

    /// After the first failure; doubles with each further one.
    static let firstAvoidance = Duration.seconds(1)
    static let longestAvoidance = Duration.seconds(30)
    /// From here on a backend is not "just starting" any more.
    static let persistentFailures = 5

    private(set) var probe = Probe.never
    private(set) var failures = 0
    private var avoidedUntil = Instant(nanoseconds: 0)

    /// No connection could be had, or it broke before any byte of an answer.
    mutating func failed(at now: Instant) {
        // Beyond the longest avoidance doubling has no effect; so the shift stays small.
        let wait = Self.firstAvoidance * (1 << min(failures, 10))
        failures = min(failures + 1, 1 << 20)
        avoidedUntil = now.advanced(by: min(wait, Self.longestAvoidance))
    }

    /// An answer came.
    mutating func succeeded() {
        failures = 0
        avoidedUntil = Instant(nanoseconds: 0)
        if case .down = probe { probe = .up }
    }

    mutating func probed(_ result: Probe) {
        probe = result
        if result == .up { succeeded() }
    }

    /// Healthy ones are asked first; the others only when no healthy one is left.
    func isHealthy(at now: Instant) -> Bool {
        if case .down = probe { return false }
        return avoidedUntil <= now
    }

    /// Failing for so long that clients should not wait for it.
    var isPersistent: Bool { failures >= Self.persistentFailures }
}
