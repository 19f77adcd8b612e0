// What is known of backends, on its way between the prober, the supervisor and all workers.

/// A backend that there is: configured, or found on a usual port.
public struct BackendAnnouncement: Sendable, Equatable {
    public let number: BackendNumber
    public let name: String
    /// Without trailing slash and `/v1`.
    public let url: String
    public let priority: UInt32
    public let isDiscovered: Bool

    public static let longestURL = 2048

    public init(_ number: BackendNumber, name: String, url: String, priority: UInt32, isDiscovered: Bool) {
        self.number = number
        self.name = name
        self.url = url
        self.priority = priority
        self.isDiscovered = isDiscovered
    }
}

/// One round of questions to a backend.
public enum CheckResult: Sendable, Equatable {
    case good
    /// In words for the operator, at most `longestReason` bytes.
    case bad(reason: String)

    public static let longestReason = 300
}

/// What a backend is and has, in parts: a list may be longer than a message. Whole with its last part.
public struct ListingPart: Sendable, Equatable {
    /// Names in bytes; `ModelFacts` with a longer one are in no message.
    public static let longestName = 256
    /// Models in one part at most.
    public static let models = 100
    /// Models of one backend at most.
    public static let maximumModels = 4096

    public let backend: BackendNumber
    /// What it turned out to be, and to speak, in the configuration's words; "" = as configured.
    public let type: String
    public let dialect: String
    public let isFirst: Bool
    public let isLast: Bool
    public let models: [ModelFacts]

    public init(
        _ backend: BackendNumber, type: String, dialect: String, isFirst: Bool, isLast: Bool,
        models: [ModelFacts]
    ) {
        self.backend = backend
        self.type = type
        self.dialect = dialect
        self.isFirst = isFirst
        self.isLast = isLast
        self.models = models
    }
}

/// How a backend fares, as all workers have to know it.
public struct BackendCondition: Sendable, Equatable {
    public let backend: BackendNumber
    public let state: BackendState
    /// A request that has no other candidate may go there untold: nothing is wrong with the backend, nothing is
    /// counted there.
    public let isOpen: Bool
    /// It has been away for so long that it is not just starting.
    public let isLost: Bool
    /// The last check's; "" = it was good.
    public let reason: String

    public init(
        _ backend: BackendNumber, _ state: BackendState, isOpen: Bool, isLost: Bool = false,
        reason: String = ""
    ) {
        self.backend = backend
        self.state = state
        self.isOpen = isOpen
        self.isLost = isLost
        self.reason = reason
    }
}
