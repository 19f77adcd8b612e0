// What the reply's translation must know of the request.

public struct ReplyPlan: Sendable {
    public init() {}
}
