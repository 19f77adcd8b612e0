// How an exchange ended, and what it used.

/// The one terminal outcome of an exchange.
public enum Outcome: Sendable, Equatable {
    case completed
    /// The upstream ended without saying that it was done.
    case truncated
    case upstreamFailed(Failure)
    case cancelled
    case timedOut(Failure)

    /// Without a comparison of all that it may hold.
    public var isCompleted: Bool { if case .completed = self { true } else { false } }

    /// The same with what is known of the failure by now.
    public func with(_ failure: Failure) -> Outcome {
        switch self {
        case .upstreamFailed: .upstreamFailed(failure)
        case .timedOut: .timedOut(failure)
        case .completed, .truncated, .cancelled: self
        }
    }
}

/// Token counts, Anthropic's meaning: `input` excludes what came from the cache.
public struct Usage: Sendable, Equatable {
    public var input = 0
    public var output = 0
    public var cacheRead = 0
    public var cacheCreation = 0
    public var thinking: Int?
    /// Somebody has said how much came from the cache, if only that nothing did.
    public var tellsCache = false

    public init() {}
}
