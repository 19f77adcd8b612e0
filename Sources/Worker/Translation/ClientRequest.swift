// A request as its front door read it: what routing and accounting ask of it, whatever API it came by.

/// A parsed request of a client.
public enum ClientRequest: Sendable {
    case messages(MessagesRequest)

    /// As requested.
    public var model: String {
        switch self {
        case .messages(let request): request.model
        }
    }

    public var stream: Bool {
        switch self {
        case .messages(let request): request.stream
        }
    }

    /// Rather too many than too few.
    public var estimatedInputTokens: Int {
        switch self {
        case .messages(let request): request.estimatedInputTokens
        }
    }

    public var door: FrontDoor {
        switch self {
        case .messages: .messages
        }
    }

    /// What no backend has to see.
    public var localAnswer: LocalAnswer? {
        switch self {
        case .messages(let request): request.localAnswer
        }
    }

    /// The request for one backend. Pure: the same request and target give the same bytes.
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    public func converted(for target: UpstreamTarget) throws(ClientError) -> UpstreamCall {
        var call =
            switch self {
            case .messages(let request): try request.converted(for: target)
            }
        call.estimate = estimate(for: target)
        return call
    }

    /// How many tokens the prompt probably has for this backend and model.
    public func estimate(for target: UpstreamTarget) -> PromptEstimate {
        switch self {
        case .messages(let request): request.estimate(for: target)
        }
    }
}
