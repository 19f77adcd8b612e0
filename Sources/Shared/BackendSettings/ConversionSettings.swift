// What the configuration says of a backend and the translation obeys. Values only, in a target of their own:
// Shared reads them from the file, Translation sees them and nothing else of Shared.

/// The keys of a backend that are about converting requests and replies.
public struct ConversionSettings: Sendable, Equatable {
    public var thinkTags = ThinkTags.auto
    public var textCalls = TextCalls.auto
    public var history = History.keep
    public var toolCalls = ToolCalls.parallel
    /// How long Ollama keeps a model in memory after an answer; nil = as it is set there.
    public var keepAlive: KeepAlive?

    public init() {}

    /// Reasoning in `<think>` tags of the text.
    public enum ThinkTags: String, Sendable, CaseIterable {
        /// A tag at the very start of the answer opens reasoning.
        case auto
        /// Answers begin inside the reasoning; everything up to the closing tag is reasoning.
        case implicit
        case off
    }

    /// Whether tool calls that come as text are recovered.
    public enum TextCalls: String, Sendable, CaseIterable {
        /// By type: not where servers read calls themselves.
        case auto
        case on, off
    }

    public enum History: String, Sendable, CaseIterable {
        /// The conversation as the client sends it.
        case keep
        /// Without rounds that failed for malformed inputs, and with mended inputs.
        case heal
    }

    public enum ToolCalls: String, Sendable, CaseIterable {
        case parallel
        /// Several calls of one answer are told one after the other.
        case sequential
    }

    /// `keep_alive`, as Ollama's API takes it.
    public enum KeepAlive: Sendable, Equatable {
        /// Whole seconds; -1 = for ever.
        case seconds(Int)
        /// In the notation of Go, such as `10m`.
        case time(String)
    }
}
