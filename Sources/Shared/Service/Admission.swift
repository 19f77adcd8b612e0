// What a worker asks the service of one request before it is converted, and what it is answered. Values only;
// when each is said stands in ControlMessage. Holds: numbers, digests and names, never a prompt and never a key;
// every text and list is bounded.

/// A backend, by the number that the supervisor has given its name. The same name has the same number for as long
/// as the supervisor lives, in all generations; so that 64 candidates are small.
public struct BackendNumber: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: UInt16

    public init(_ value: UInt16) { self.value = value }

    public static func < (left: BackendNumber, right: BackendNumber) -> Bool { left.value < right.value }

    public var description: String { "backend \(value)" }
}

/// A model's name as its backend knows it, short enough for a message: FNV-1a of its bytes, 64 bits.
public struct ModelDigest: Hashable, Sendable {
    public let value: UInt64

    public init(value: UInt64) { self.value = value }

    public init(of name: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        value = hash
    }
}

/// Who goes first among the requests of one client.
public enum Lane: UInt8, CaseIterable, Comparable, Sendable {
    case main = 0
    case compaction = 1
    case subagent = 2
    case auxiliary = 3

    public static func < (left: Lane, right: Lane) -> Bool { left.rawValue < right.rawValue }
}

/// The prompt up to the end of one message: its digest, which covers all before it, and its size.
public struct PrefixMark: Hashable, Sendable {
    public let digest: UInt64
    /// Estimated tokens from the beginning of the prompt.
    public let tokens: UInt32

    public init(digest: UInt64, tokens: UInt32) {
        self.digest = digest
        self.tokens = tokens
    }
}

/// One backend's model that could answer.
public struct BackendCandidate: Hashable, Sendable {
    public let backend: BackendNumber
    public let model: ModelDigest
    /// Whether it is in memory there; nil = not known.
    public let isLoaded: Bool?

    public init(_ backend: BackendNumber, _ model: ModelDigest, isLoaded: Bool? = nil) {
        self.backend = backend
        self.model = model
        self.isLoaded = isLoaded
    }
}

/// One request as the service has to know it.
public struct AdmissionQuestion: Sendable, Equatable {
    public static let longestClient = 64
    public static let maximumMarks = 32
    public static let maximumCandidates = 64

    /// Who is served fairly: the key's name, else the address; at most `longestClient` bytes.
    public var client: String
    public var lane = Lane.main
    /// Digest of the conversation's id; 0 = it has none.
    public var session: UInt64 = 0
    /// Digest of the agent's id within the session; 0 = the conversation itself.
    public var agent: UInt64 = 0
    /// Estimated tokens of the prompt.
    public var promptTokens: UInt32 = 0
    /// The beginning (system prompt and tools), then ends of messages in ascending order, the whole prompt last;
    /// at most `maximumMarks`. Empty where it decides nothing.
    public var prefix: [PrefixMark] = []
    /// Digest of the request's bytes; 0 = a re-sent request is not looked for.
    public var fingerprint: UInt64 = 0
    /// The client says that it sends this once more.
    public var isRetry = false
    /// How often this request was given to a backend before, and failed there.
    public var failures: UInt8 = 0
    /// In the order of the routes; each backend once, at most `maximumCandidates`.
    public var candidates: [BackendCandidate]

    public init(client: String, candidates: [BackendCandidate]) {
        self.client = client
        self.candidates = candidates
    }
}

/// Why this backend.
public enum PlacementReason: UInt8, CaseIterable, Sendable {
    /// There was no other.
    case name = 0
    /// It has answered this conversation, or this agent of it, before.
    case session = 1
    /// It has seen the beginning of this prompt.
    case prefix = 2
    /// The first answer is to be expected there, or the least is in flight.
    case load = 3
    /// The order of the file, or the turn.
    case order = 4
    /// Another one has failed this request.
    case failover = 5

    /// As `x-dragoman-route` says it.
    public var word: String {
        switch self {
        case .name: "name"
        case .session: "session"
        case .prefix: "prefix"
        case .load: "load"
        case .order: "order"
        case .failover: "failover"
        }
    }
}

/// The answer: go there.
public struct Grant: Sendable, Equatable {
    /// Costs of candidates that are told, the least first.
    public static let maximumCosts = 8

    public struct Cost: Sendable, Equatable {
        public let backend: BackendNumber
        /// Until the first token, as expected.
        public let milliseconds: UInt32

        public init(_ backend: BackendNumber, milliseconds: UInt32) {
            self.backend = backend
            self.milliseconds = milliseconds
        }
    }

    public var backend: BackendNumber
    public var reason: PlacementReason
    /// The backend is being tried after failures: `WorkerMessage.answered` is waited for.
    public var isTrial = false
    /// The backend's slot whose cache is this conversation's; nil = the backend chooses.
    public var slot: UInt16?
    /// Requests that were granted while this one waited.
    public var ahead: UInt32 = 0
    /// Whose the last of them was.
    public var aheadClient = ""
    public var costs: [Cost] = []

    public init(_ backend: BackendNumber, _ reason: PlacementReason) {
        self.backend = backend
        self.reason = reason
    }
}

/// The answer: nowhere.
public enum AdmissionRefusal: Sendable, Equatable {
    /// `queue.length` requests wait already.
    case queueFull(waiting: UInt32)
    /// It has waited for `queue.wait`.
    case waitedTooLong
    /// All candidates have asked for peace, for at least so many seconds more.
    case resting(seconds: UInt32)
    /// None of the candidates is configured any more.
    case noBackend
}
