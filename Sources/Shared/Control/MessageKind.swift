// The kinds of control messages and their numbers in a datagram. A number, once given, is never used for
// another message.

extension SupervisorMessage {
    public enum Kind: UInt8, CaseIterable, Sendable {
        case welcome = 1
        case connection = 2
        case peek = 3
        case unpeek = 4
        case closeIdle = 5
        case ping = 8
        case drain = 9
        case observation = 10
        case capabilitiesInvalidated = 11
        case cut = 12
        case backend = 13
        case listing = 14
        case condition = 15
        case modelCondition = 16
        case granted = 17
        case refused = 18
        case superseded = 19
        case probe = 20
        case status = 21
        case look = 22
        case searched = 23
    }

    public var kind: Kind {
        switch self {
        case .welcome: .welcome
        case .connection: .connection
        case .peek: .peek
        case .unpeek: .unpeek
        case .closeIdle: .closeIdle
        case .ping: .ping
        case .drain: .drain
        case .observation: .observation
        case .capabilitiesInvalidated: .capabilitiesInvalidated
        case .cut: .cut
        case .backend: .backend
        case .listing: .listing
        case .condition: .condition
        case .modelCondition: .modelCondition
        case .granted: .granted
        case .refused: .refused
        case .superseded: .superseded
        case .probe: .probe
        case .status: .status
        case .look: .look
        case .searched: .searched
        }
    }
}

extension WorkerMessage {
    public enum Kind: UInt8, CaseIterable, Sendable {
        case hello = 1
        case ready = 2
        case accepted = 3
        case released = 4
        case peeked = 5
        case pong = 9
        case drained = 11
        case observation = 12
        case capabilitiesInvalidated = 13
        case admit = 14
        case notices = 15
        case checked = 16
        case listing = 17
        case discovered = 18
        case askStatus = 19
        case searched = 20
    }

    public var kind: Kind {
        switch self {
        case .hello: .hello
        case .ready: .ready
        case .accepted: .accepted
        case .released: .released
        case .peeked: .peeked
        case .pong: .pong
        case .drained: .drained
        case .observation: .observation
        case .capabilitiesInvalidated: .capabilitiesInvalidated
        case .admit: .admit
        case .notices: .notices
        case .checked: .checked
        case .listing: .listing
        case .discovered: .discovered
        case .askStatus: .askStatus
        case .searched: .searched
        }
    }
}
