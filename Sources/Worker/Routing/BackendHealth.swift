// Whether a backend should be asked now: what exchanges met (passive) and what probes found. Pure; the
// time is given. Being avoided is bounded: after a while the backend is asked again, and one success
// forgets all failures.

public import Shared

public struct BackendHealth: Sendable, Equatable {
    public enum Probe: Sendable, Equatable {
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

    public private(set) var probe = Probe.never
    private(set) var failures = 0
    private var avoidedUntil = MonotonicInstant(nanoseconds: 0)

    public init() {}

    /// No connection could be had, or it broke before any byte of an answer.
    public mutating func failed(at now: MonotonicInstant) {
        // Beyond the longest avoidance doubling has no effect; so the shift stays small.
        let wait = Self.firstAvoidance * (1 << min(failures, 10))
        failures = min(failures + 1, 1 << 20)
        avoidedUntil = now + min(wait, Self.longestAvoidance)
    }

    /// An answer came.
    public mutating func succeeded() {
        failures = 0
        avoidedUntil = MonotonicInstant(nanoseconds: 0)
        if case .down = probe { probe = .up }
    }

    public mutating func probed(_ result: Probe) {
        probe = result
        if result == .up { succeeded() }
    }

    /// Healthy ones are asked first; the others only when no healthy one is left.
    public func isHealthy(at now: MonotonicInstant) -> Bool {
        if case .down = probe { return false }
        return avoidedUntil <= now
    }

    /// Failing for so long that clients should not wait for it.
    public var isPersistent: Bool { failures >= Self.persistentFailures }
}
