// A request as its front door read it: what routing and accounting ask of it, whatever API it came by.

import JSON

/// A parsed request of a client. Indirect: it is handed on often, and is large.
public indirect enum ClientRequest: Sendable {
    case messages(MessagesRequest)
    case chat(ChatRequest)

    /// - Parameter head: what of the request's head belongs to the Messages API.
    /// - Throws: 400 in the words of the door's API, with the place of what is wrong.
    public init(parsing body: [UInt8], at door: ClientAPI, head: MessagesHead) throws(ClientError) {
        try self.init(reading: RequestBody(body), at: door, head: head)
    }

    /// As `parsing`, of what is JSON already.
    public init(reading body: RequestBody, at door: ClientAPI, head: MessagesHead) throws(ClientError) {
        switch door {
        case .messages:
            var request = try MessagesRequest(reading: body)
            request.head = head
            self = .messages(request)
        case .chat: self = .chat(try ChatRequest(reading: body))
        }
    }

    /// As requested.
    public var model: String {
        switch self {
        case .messages(let request): request.model
        case .chat(let request): request.model
        }
    }

    public var stream: Bool {
        switch self {
        case .messages(let request): request.stream
        case .chat(let request): request.stream
        }
    }

    /// Tells conversations apart: two turns of one have the same, as have all that begin with the same words.
    public var conversation: Int {
        let root: JSONNode? =
            switch self {
            case .messages(let request): request.root
            case .chat(let request): request.root
            }
        var hasher = Hasher()
        // System prompts come before it; what a user says first is what tells one conversation from another.
        let said = root?["messages"]?.elements.first { $0["role"]?.stringEquals("user") == true }
        said?.raw.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// Rather too many than too few.
    public var estimatedInputTokens: Int {
        switch self {
        case .messages(let request): request.estimatedInputTokens
        case .chat(let request): request.estimatedInputTokens
        }
    }

    public var door: ClientAPI {
        switch self {
        case .messages: .messages
        case .chat: .chat
        }
    }

    /// What no backend has to see.
    public var localAnswer: LocalAnswer? {
        switch self {
        case .messages(let request): request.localAnswer
        case .chat: nil
        }
    }

    /// Documents that some backends do not take as they are.
    public var pdfs: [PDFSource] {
        switch self {
        case .messages(let request): request.pdfs
        case .chat: []
        }
    }

    public mutating func read(_ pdf: PDFSource, as reading: PDFReading) {
        switch self {
        case .messages(var request):
            request.read(pdf, as: reading)
            self = .messages(request)
        case .chat: return
        }
    }

    /// The request for one backend. Pure: the same request and target give the same bytes.
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    public func converted(for target: UpstreamTarget) throws(ClientError) -> UpstreamCall {
        var call =
            switch self {
            case .messages(let request): try request.converted(for: target)
            case .chat(let request): try request.converted(for: target)
            }
        call.plan.backend = target.backend
        return call
    }

    /// How many tokens the prompt probably has for this backend and model.
    public func estimate(for target: UpstreamTarget) -> PromptEstimate {
        switch self {
        case .messages(let request): request.estimate(for: target)
        case .chat(let request): request.estimate(for: target)
        }
    }
}
