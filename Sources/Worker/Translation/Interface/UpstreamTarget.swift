// Where a request goes: a value put together once for each attempt, so that converters look nothing up.

public import BackendSettings

/// Where a request goes: what the converter must know of the backend and the model.
public struct UpstreamTarget: Sendable {
    /// The model's name as the backend knows it.
    public var model: String
    @Boxed public var profile: Profile
    /// The backend's context window for this model in tokens, when known.
    public var contextWindow: Int?
    /// As configured.
    public var settings: ConversionSettings
    /// What this model of this backend was found not to take.
    public var lacking: Set<Feature> = []
    /// Tokens that it gives in one answer at most, when known.
    public var outputLimit: Int?
    /// What is done about earlier turns without their reasoning, where this request was refused for them.
    public var reasoningRemedy: ReasoningRemedy?
    /// How this model's counts of tokens compare with our estimates.
    public var tokenRatio = TokenRatio.unknown
    /// The window that Ollama has the model loaded with now, when known; it need not be what is asked for.
    public var loadedWindow: Int?
    /// A prompt that this model of this backend was sent and did not read whole.
    public var promptTruncation: PromptTruncation?
    /// For errors.
    public var backend = BackendIdentity()
    /// Tokens of this prompt as the backend itself has counted them; nil = not asked.
    public var countedPrompt: Int?
    /// No stream is asked for, whatever the client reads: the backend had nothing to say in one.
    public var asksWhole = false
    /// The server's slot whose cache has most of this conversation; nil = the server chooses.
    public var slot: Int?

    public init(
        model: String, profile: Profile, contextWindow: Int? = nil,
        settings: ConversionSettings = ConversionSettings()
    ) {
        self.init(
            model: model, profile: Boxed(wrappedValue: profile), contextWindow: contextWindow,
            settings: settings)
    }

    public init(
        model: String, profile: Boxed<Profile>, contextWindow: Int?, settings: ConversionSettings
    ) {
        self.model = model
        _profile = profile
        self.contextWindow = contextWindow
        self.settings = settings
    }
}

/// A way to ask once more, when a backend wants the reasoning of all earlier turns back and some have none:
/// they were another model's, or were asked for without thinking.
public enum ReasoningRemedy: Sendable, Hashable {
    /// All turns carry the property, those without reasoning nothing in it.
    case filled
    /// This one request is asked for without thinking.
    case thinkingOff
}

extension UpstreamTarget {
    /// Whether the backend is asked for a stream.
    /// - Parameter wanted: the client reads one.
    func streams(_ wanted: Bool) -> Bool { !asksWhole && (wanted || profile.alwaysStreams) }

    /// The slot to ask for, where the server knows what that is.
    var takenSlot: Int? { profile.slots && profile.dialect == .openAI ? slot : nil }
}
