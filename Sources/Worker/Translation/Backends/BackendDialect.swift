// What differs between the dialects that backends speak, beside the properties of their types: one conformer
// per dialect, in its folder. The one place that chooses between them.

protocol BackendDialect {
    /// The canonical request in the words of this dialect.
    associatedtype Request: DialectRequest
    /// Answers in it to deltas.
    associatedtype Reader: UpstreamReader

    /// The properties of every backend that is spoken to in this dialect; nil = those of its type.
    static var profile: Profile? { get }
    /// The conversation goes there as the client tells it: nothing in the history is put right, the prompt's
    /// length is estimated from the client's words, and no call of the model's is looked for in a text.
    static var keepsConversation: Bool { get }

    /// Whether a backend with these properties counts the tokens of a prompt.
    static func counts(_ profile: Profile) -> Bool
    /// How it is asked for them.
    /// - Returns: nil when it does not count.
    /// - Throws: 400 when it cannot be asked this at all.
    static func countQuestion(
        _ request: MessagesRequest, _ target: UpstreamTarget
    ) throws(Failure) -> CountQuestion?

    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    static func convert(
        _ prepared: PreparedRequest, for target: UpstreamTarget
    ) throws(Failure) -> UpstreamCall
}

extension BackendDialect {
    static var profile: Profile? { nil }
    static var keepsConversation: Bool { false }

    static func counts(_ profile: Profile) -> Bool { false }
    static func countQuestion(
        _ request: MessagesRequest, _ target: UpstreamTarget
    ) throws(Failure) -> CountQuestion? { nil }

    static func convert(
        _ prepared: PreparedRequest, for target: UpstreamTarget
    ) throws(Failure) -> UpstreamCall {
        var request = try Request(prepared, target)
        return try request.convert()
    }

    fileprivate static func reply(
        _ start: ReplyStart, _ plan: ReplyPlan, in writer: some ReplyWriter
    ) -> ReplyMachine {
        ReplyMachine(TranslatedReply<Reader, _>(start, plan: plan, writer: writer))
    }
}

/// The canonical request in the words of one dialect.
protocol DialectRequest {
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    init(_ prepared: PreparedRequest, _ target: UpstreamTarget) throws(Failure)

    mutating func convert() throws(Failure) -> UpstreamCall
}

extension Dialect {
    var backend: any BackendDialect.Type {
        switch self {
        case .openAI: OpenAIDialect.self
        case .ollama: OllamaDialect.self
        case .anthropic: AnthropicDialect.self
        }
    }

    /// A reply of such a backend in a client's words. Each type is named here, not found through `backend`:
    /// so the pair of reader and writer is known to the compiler.
    func reply(_ start: ReplyStart, _ plan: ReplyPlan, in writer: some ReplyWriter) -> ReplyMachine {
        switch self {
        case .openAI: OpenAIDialect.reply(start, plan, in: writer)
        case .ollama: OllamaDialect.reply(start, plan, in: writer)
        case .anthropic: AnthropicDialect.reply(start, plan, in: writer)
        }
    }

    /// The properties of every backend that is spoken to in this dialect; nil = those of its type.
    public var profile: Profile? { backend.profile }
}
