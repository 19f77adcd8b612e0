// When something must happen in an exchange although nobody spoke: the status line after hold_status,
// a ping after silence. Pure; the clock is passed in.

internal import EventLoop

struct ExchangeTiming {
    enum Due: Equatable {
        case nothing
        /// The backend has not decided in time: 200 and the first events go out.
        case commit
        case ping
    }

    enum Stage: Equatable {
        /// No byte has gone to the client. `mayCommit` = it asked for a stream.
        case undecided(mayCommit: Bool)
        /// The head is out.
        case streaming
        case over
    }

    private let holdUntil: Instant
    private let pingInterval: Duration
    private var lastSent: Instant

    /// - Parameter lastSent: when the client was last sent something; nil = never.
    init(
        begun: Instant, holdStatus: Duration, lastSent: Instant? = nil,
        pingInterval: Duration = ServingLimits.pingInterval
    ) {
        holdUntil = begun.advanced(by: holdStatus)
        self.pingInterval = pingInterval
        self.lastSent = lastSent ?? begun
    }

    mutating func noteSent(at now: Instant) { lastSent = now }

    /// When to look again, if nothing else happens.
    func deadline(_ stage: Stage) -> Instant {
        switch stage {
        case .undecided(mayCommit: true): holdUntil
        case .undecided(mayCommit: false), .over: .distantFuture
        case .streaming: lastSent.advanced(by: pingInterval)
        }
    }

    func due(_ stage: Stage, at now: Instant) -> Due {
        guard now >= deadline(stage) else { return .nothing }
        return stage == .streaming ? .ping : .commit
    }
}
