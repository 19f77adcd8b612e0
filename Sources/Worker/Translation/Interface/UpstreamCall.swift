// A request for a backend: wire bytes, what they leave out, and the plan for the reply.

/// A request in the backend's words.
public struct UpstreamCall: Sendable {
    /// Below the backend's URL, such as `/v1/chat/completions`.
    public var path: String
    public var body: [UInt8]
    public var omissions: [Omission]
    /// What was put right in the history, by name and number.
    public var repairs: [String] = []
    /// What the reply's translation must know of the request.
    public var plan: ReplyPlan
    /// How many tokens the prompt probably has.
    public var estimate = PromptEstimate()
    /// Beside the credentials and `content-type`.
    public var headers: [Header] = []

    public struct Header: Sendable, Equatable {
        public var name: String
        public var value: String
    }

    public init(path: String, body: [UInt8], omissions: [Omission], plan: ReplyPlan) {
        self.path = path
        self.body = body
        self.omissions = omissions
        self.plan = plan
    }
}
