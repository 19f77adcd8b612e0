// When each control message is permitted: one table, read by both ends. Whoever receives a message looks here
// first; one that is not permitted ends the worker. What a message means stands in ControlMessage.

/// Where a worker's life stands, as far as the two ends have to agree on it.
public enum WorkerPhase: UInt8, CaseIterable, Sendable {
    /// Started; it has not been welcomed.
    case greeting
    /// Welcomed, and not ready yet.
    case welcomed
    case serving
    /// Told to finish, or to cut off what is left.
    case draining
    /// It has said that nothing is left; only its exit is to come.
    case drained
    /// It is being killed, or its channel has ended. What it still says counts for its connections, so that
    /// none of them is served twice; the rest is dropped.
    case ending
}

/// Some of the phases.
struct WorkerPhases: OptionSet {
    let rawValue: UInt8

    init(rawValue: UInt8) { self.rawValue = rawValue }
    init(_ phase: WorkerPhase) { rawValue = 1 << phase.rawValue }

    static let greeting = WorkerPhases(.greeting)
    static let welcomed = WorkerPhases(.welcomed)
    static let serving = WorkerPhases(.serving)
    static let draining = WorkerPhases(.draining)
    static let drained = WorkerPhases(.drained)
    static let ending = WorkerPhases(.ending)
}

extension WorkerMessage {
    /// Whether the supervisor accepts it from a worker in this phase.
    public func isPermitted(in phase: WorkerPhase) -> Bool { kind.phases.contains(WorkerPhases(phase)) }
}

extension WorkerMessage.Kind {
    var phases: WorkerPhases {
        switch self {
        case .hello: .greeting
        case .ready: .welcomed
        // Connections: also while the worker is being killed.
        case .accepted, .released, .peeked: [.serving, .draining, .ending]
        // Requests that are being answered.
        case .admit, .askStatus: [.serving, .draining]
        // The last exchange may end with the last of what was left.
        case .notices: [.serving, .draining, .drained]
        // News, also while it starts and when nothing is left.
        case .observation, .capabilitiesInvalidated, .pong, .checked, .listing, .discovered, .searched:
            [.welcomed, .serving, .draining, .drained]
        case .drained: .draining
        }
    }
}

extension SupervisorMessage {
    /// Whether a worker in this phase accepts it.
    public func isPermitted(in phase: WorkerPhase) -> Bool { kind.phases.contains(WorkerPhases(phase)) }
}

extension SupervisorMessage.Kind {
    var phases: WorkerPhases {
        switch self {
        case .welcome: .greeting
        // The supervisor sends none after `drain`, and the channel keeps the order.
        case .connection, .peek, .drain: .serving
        // The supervisor sends these until it has read `drained`.
        case .unpeek, .closeIdle, .cut, .granted, .refused, .superseded, .status:
            [.serving, .draining, .drained]
        case .observation, .capabilitiesInvalidated, .backend, .listing, .condition,
            .modelCondition, .probe, .look, .searched:
            [.welcomed, .serving, .draining, .drained]
        case .ping: [.greeting, .welcomed, .serving, .draining, .drained]
        }
    }
}
