// What each client API says of a request of its own.

import JSON

/// A request read as far as routing, accounting and backends of the same API need it.
protocol ParsedRequest: Sendable {
    var api: ClientAPI { get }
    /// As requested.
    var model: String { get }
    var stream: Bool { get }
    /// The JSON as received.
    var root: JSONNode { get }
    /// What a user says first: system prompts come before it, and it tells one conversation from another.
    var firstOfUser: JSONNode? { get }
    /// Rather too many than too few, whoever gets the request.
    var estimatedInputTokens: Int { get }
    /// nil = a backend has to answer.
    var localAnswer: LocalAnswer? { get }
    /// Documents that some backends do not take as they are.
    var pdfs: [PDFSource] { get }
    mutating func read(_ pdf: PDFSource, as reading: PDFReading)

    /// The id of the conversation, in the client's words; nil = it says none.
    var session: String? { get }
    /// What for a request it is.
    var traits: RequestTraits { get }
    /// The beginnings of its prompt.
    var chain: PromptChain { get }
    /// It has tools or pictures, which not every model takes.
    var isDemanding: Bool { get }
    /// Whether this backend's model can be asked it at all, as far as that is known.
    func fits(_ target: UpstreamTarget) -> Bool

    /// How many tokens the prompt probably has for this backend and model.
    func estimate(for target: UpstreamTarget) -> PromptEstimate

    /// The bytes as they came, for a backend of this API.
    /// - Throws: 400 when the prompt is surely too long.
    func passthroughCall(for target: UpstreamTarget) throws(Failure) -> UpstreamCall
    /// What it says, for a backend of any other dialect.
    /// - Throws: 400 for what no other API has words for.
    func prepared(for target: UpstreamTarget) throws(Failure) -> PreparedRequest

    /// The reply to it, in the words of this API.
    /// - Parameter created: when the reply was begun, in seconds since 1970.
    func reply(_ start: ReplyStart, _ plan: ReplyPlan, created: Int) -> ReplyMachine
}

extension ParsedRequest {
    var firstOfUser: JSONNode? {
        root["messages"]?.elements.first { $0["role"]?.stringEquals("user") == true }
    }
    var localAnswer: LocalAnswer? { nil }
    var session: String? { nil }
    var traits: RequestTraits { RequestTraits() }
    var pdfs: [PDFSource] { [] }
    mutating func read(_ pdf: PDFSource, as reading: PDFReading) {}

    /// The prompt is not surely too long, and nothing that the answer will depend on has to be left out.
    func fits(_ target: UpstreamTarget, tools: Bool, images: Bool) -> Bool {
        if tools, !target.profile.tools || target.lacking.contains(.tools) { return false }
        if images, !target.profile.vision || target.lacking.contains(.images) { return false }
        guard let window = target.contextWindow else { return true }
        return estimate(for: target).fewest < window
    }

    /// The request for one backend. Pure: the same request and target give the same bytes.
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    func call(for target: UpstreamTarget) throws(Failure) -> UpstreamCall {
        guard target.profile.dialect != api.passthrough else { return try passthroughCall(for: target) }
        return try prepared(for: target).converted(for: target)
    }
}
