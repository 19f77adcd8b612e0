// How an exchange ended, and what it used.

/// The one terminal outcome of an exchange.
public enum Outcome: Sendable, Equatable {
    case completed
    /// The upstream ended without saying that it was done.
    case truncated
    case upstreamFailed(ClientError)
    case cancelled
    case timedOut(ClientError)

    /// The same with the error as it was told.
    func with(_ error: ClientError) -> Outcome {
        switch self {
        case .upstreamFailed: .upstreamFailed(error)
        case .timedOut: .timedOut(error)
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

    public init() {}
}
