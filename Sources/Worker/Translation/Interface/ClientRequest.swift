// A request as its client API's reader left it: what routing and accounting ask of it, whatever API it came
// by.

import JSON

/// A parsed request of a client. Handed on for one retain: what the API's reader made of it is in a box.
public struct ClientRequest: Sendable {
    private var parsed: any ParsedRequest

    /// - Parameter head: what of the request's head belongs to the Messages API.
    /// - Throws: 400 in the words of the client's API, with the place of what is wrong.
    public init(parsing body: [UInt8], at api: ClientAPI, head: MessagesHead) throws(Failure) {
        try self.init(reading: RequestBody(body), at: api, head: head)
    }

    /// As `parsing`, of what is JSON already.
    public init(reading body: RequestBody, at api: ClientAPI, head: MessagesHead) throws(Failure) {
        parsed = try api.dialect.parse(body, head: head)
    }

    init(_ parsed: any ParsedRequest) { self.parsed = parsed }

    /// As requested.
    public var model: String { parsed.model }
    public var stream: Bool { parsed.stream }
    public var api: ClientAPI { parsed.api }

    /// Where the API is the Messages API.
    public var messages: MessagesRequest? { parsed as? MessagesRequest }

    /// Tells conversations apart: two turns of one have the same, as have all that begin with the same words.
    public var conversation: Int {
        var hasher = Hasher()
        parsed.firstOfUser?.raw.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// Rather too many than too few.
    public var estimatedInputTokens: Int { parsed.estimatedInputTokens }

    /// How many tokens the prompt probably has for this backend and model.
    public func estimate(for target: UpstreamTarget) -> PromptEstimate { parsed.estimate(for: target) }

    /// The id of the conversation, in the client's words; nil = it says none.
    public var session: String? { parsed.session }

    /// What for a request it is.
    public var traits: RequestTraits { parsed.traits }

    /// The beginnings of its prompt: system prompt and tools, then ends of messages in their order, the whole
    /// prompt last. Linear in its bytes.
    public var promptMarks: [PromptMark] { parsed.chain.marks }

    /// Whether every model with this window can be asked it: it is short, and asks for nothing but words.
    public func surelyFits(_ window: Int?) -> Bool {
        !parsed.isDemanding && window.map { estimatedInputTokens < $0 } ?? true
    }

    /// Whether this backend's model can be asked it at all, as far as that is known.
    public func fits(_ target: UpstreamTarget) -> Bool { parsed.fits(target) }

    /// What no backend has to see.
    public var localAnswer: LocalAnswer? { parsed.localAnswer }

    /// Documents that some backends do not take as they are.
    public var pdfs: [PDFSource] { parsed.pdfs }

    public mutating func read(_ pdf: PDFSource, as reading: PDFReading) { parsed.read(pdf, as: reading) }

    /// The request for one backend. Pure: the same request and target give the same bytes.
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    public func converted(for target: UpstreamTarget) throws(Failure) -> UpstreamCall {
        var call = try parsed.call(for: target)
        call.plan.backend = target.backend
        return call
    }

    /// The reply to it.
    /// - Parameter created: when the reply was begun, in seconds since 1970.
    func reply(_ start: ReplyStart, _ plan: ReplyPlan, created: Int) -> ReplyMachine {
        parsed.reply(start, plan, created: created)
    }
}
