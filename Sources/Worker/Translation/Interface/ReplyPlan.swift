// What the reply's translation must know of the request. Made by the converter, read by TranslatedReply.

public import BackendSettings

/// What the answer to one request may contain and how it has to be shown.
public struct ReplyPlan: Sendable {
    /// What the backend's answer is written in.
    public var dialect = Dialect.openAI
    /// Client and backend speak the same API: the answer's bytes pass.
    public var isPassthrough = false
    /// Names of the tools that the client declared, in its order and its spelling.
    public var toolNames: [String] = []
    /// Upstream name to the client's name, for names that the backend does not take as they are.
    public var renamedTools: [String: String] = [:]
    /// By the client's name: the tool's input schema, JSON text as received.
    public var toolSchemas: [String: [UInt8]] = [:]
    /// Stop sequences as the client asked for them, also those that the backend was not sent.
    public var stopSequences: [String] = []
    /// Ids of the tool calls in the conversation so far, as the client knows them.
    public var knownCallIDs: Set<String> = []
    /// False when the client switched thinking off: reasoning that comes nevertheless is kept back; only when
    /// nothing else comes, it is the answer. A client that did not speak of thinking sees what the model
    /// thinks: most models of our backends think unasked, and a silence of minutes would tell nothing.
    public var showsThinking = true
    /// `thinking.display` is `omitted`: blocks appear, their text does not.
    public var thinkingDisplayOmitted = false
    /// As configured.
    public var settings = ConversionSettings()
    /// Calls that stand in the text become calls.
    public var recoversTextCalls = true
    /// So do those in a text of which the backend says that it could not read the calls in it.
    public var recoversRefusedCalls = true
    /// Only the first tool call of the answer may be passed on.
    public var disableParallelToolUse = false
    /// The backend is asked for a stream.
    public var streamRequested = false
    /// How reasoning has to come back to this backend on later turns; decides whether the signature
    /// has to carry it when its text is not shown.
    public var reasoningEcho: ReasoningEcho = .none
    /// The text that the client put into the model's mouth (a trailing assistant message); an answer
    /// that repeats it is relieved of it.
    public var prefill: String?
    public var prefillEcho = PrefillEcho.Habit.possible
    /// Tokens asked for, after clamping.
    public var maxTokens = 0
    /// The backend's context window, when known.
    public var contextWindow: Int?
    /// The window that the model is loaded with, where that is told apart.
    public var loadedWindow: Int?
    /// Tokens of the prompt by our estimate; 0 = not estimated.
    public var promptEstimate = 0
    /// What the call asks of the backend that a model may not take; a refusal is about one of these.
    public var features: Set<Feature> = []
    /// The name that the length has in the call, one of two. Apart from `features`, for every call has it.
    public var lengthName: Feature?
    /// What is left to try when it misses the reasoning of earlier turns, the best first.
    public var reasoningRemedies: [ReasoningRemedy] = []
    /// For errors.
    public var backend = BackendIdentity()

    public init() {}
}

extension ReplyPlan {
    /// - Parameter forbidsCalls: the client wants none.
    mutating func recoverCalls(for target: UpstreamTarget, forbidsCalls: Bool) {
        let profile = target.profile
        let isLeft =
            switch target.settings.textCalls {
            case .auto: profile.textCalls && !profile.dialect.backend.keepsConversation
            case .on: true
            case .off: false
            }
        recoversTextCalls = isLeft && !forbidsCalls
        recoversRefusedCalls = target.settings.textCalls != .off && !forbidsCalls
    }
}

/// Which property of an assistant message carries earlier reasoning back to the backend.
public enum ReasoningEcho: Sendable, Equatable {
    case none
    /// `reasoning_content`
    case reasoningContent
    /// `reasoning`
    case reasoning
    /// `<think>…</think>` before the text
    case thinkTags
    /// `thinking`
    case thinking
}
