// A request of the Messages API as it came: its JSON, what of its head belongs to the API, and what it says.

import JSON

/// A parsed `POST /v1/messages`, or the body of `count_tokens`.
public struct MessagesRequest: ParsedRequest {
    /// What the client gets when it does not say; the API itself wants it said.
    static let defaultMaxTokens = 4096

    /// The body as received, for backends of this API.
    let root: JSONNode
    /// What of the request's head concerns a backend of this API.
    public var head = MessagesHead()
    var content: CanonicalRequest
    private(set) var tally: PromptTally

    var api: ClientAPI { .messages }
    /// As requested.
    public var model: String { content.model }
    public var stream: Bool { content.stream }
    /// Size of the body.
    var receivedBytes: Int { root.bytes.count }

    /// - Throws: 400 `invalid_request_error` in Anthropic's words, with the path of what is wrong.
    public init(parsing body: [UInt8]) throws(Failure) { try self.init(reading: RequestBody(body)) }

    public init(reading body: RequestBody, head: MessagesHead = MessagesHead()) throws(Failure) {
        try self.init(body, isCount: false)
        self.head = head
    }

    /// A `count_tokens` body: as a request, without what only generating needs.
    public init(parsingCount body: [UInt8]) throws(Failure) {
        try self.init(readingCount: RequestBody(body))
    }

    public init(readingCount body: RequestBody) throws(Failure) { try self.init(body, isCount: true) }

    private init(_ body: RequestBody, isCount: Bool) throws(Failure) {
        do { root = try body.document.get().root } catch { throw Failure(error) }
        guard root.isObject else { throw .invalid("Invalid JSON: the request must be an object") }
        var reader = try MessagesReader(root)
        let content = CanonicalRequest(try reader.read(isCount: isCount))
        tally = PromptTally(content)
        self.content = content
    }

    /// What counting by hand gives, whoever gets the request; rather too many than too few.
    public var estimatedInputTokens: Int { tally.inputTokens }

    /// How many tokens the prompt probably has for this backend and model.
    public func estimate(for target: UpstreamTarget) -> PromptEstimate {
        tally.estimate(for: target, isEdited: !content.contextEdits.isEmpty)
    }

    /// Whether this prompt may or may not fit: worth asking a backend that counts.
    public func isDoubtful(for target: UpstreamTarget) -> Bool {
        estimate(for: target).isDoubtful(for: target)
    }

    var session: String? { content.userID.flatMap(RequestTraits.session) }
    var traits: RequestTraits { RequestTraits(content) }
    var chain: PromptChain { PromptChain(content) }

    var isDemanding: Bool { tally.tools > 0 || tally.images > 0 }

    func fits(_ target: UpstreamTarget) -> Bool {
        fits(target, tools: tally.tools > 0, images: tally.images > 0)
    }

    /// nil = a backend has to answer.
    public var localAnswer: LocalAnswer? { content.localAnswer }

    /// In their order.
    public var pdfs: [PDFSource] { content.pdfSources }

    /// Gives a PDF its words, for backends that do not take it as it is.
    public mutating func read(_ pdf: PDFSource, as reading: PDFReading) {
        let isFirst = content.read(pdf, as: reading)
        if isFirst, case .text(let text, _) = reading { tally.replace(pdf.data, by: text) }
    }

    /// The request for one backend. Pure: the same request and target give the same bytes.
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    public func converted(for target: UpstreamTarget) throws(Failure) -> UpstreamCall {
        try call(for: target)
    }

    func prepared(for target: UpstreamTarget) -> PreparedRequest {
        PreparedRequest(
            content, estimate(for: target), inputTokens: tally.inputTokens, receivedBytes: receivedBytes,
            for: target)
    }

    func reply(_ start: ReplyStart, _ plan: ReplyPlan, created: Int) -> ReplyMachine {
        MessagesDialect.reply(start, plan)
    }
}
