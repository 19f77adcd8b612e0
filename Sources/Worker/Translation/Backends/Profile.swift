// What a backend type accepts and how it behaves: data, one value per type. The values stand in
// Profiles.swift; converters read fields and never ask for a name.

public struct Profile: Sendable {
    public var name: String

    public init(name: String) { self.name = name }

    // Envelope

    public var dialect = Dialect.openAI
    /// What it is spoken to in unless it is told otherwise; nil = `dialect`.
    public var ownDialect: Dialect?
    /// Below the backend's URL.
    public var chatPath: StaticString = "/v1/chat/completions"
    public var maxTokens: MaxTokensField = .maxTokens
    /// Takes `stream_options.include_usage`.
    public var streamOptions = true
    /// Asked for a stream also where the client wants the answer whole.
    public var alwaysStreams = false
    /// Takes `id_slot`: which of its caches a request shall use.
    public var slots = false
    public var topK = false
    /// Stop sequences at most; nil = no limit known.
    public var maxStops: Int?
    public var userIdentity: UserIdentity = .dropped
    public var structuredOutput: StructuredOutput = .schema
    /// Models that take no sampling parameters and no stop sequences.
    public var fixedSampling: ModelPattern = .none

    /// Counts the tokens of a conversation with its own template and tokenizer.
    public var counting = TokenCounting.unsupported
    /// Reads no more of a prompt than the window the model is loaded with, and says nothing of it.
    public var cutsPrompts = false
    /// Has to be told with each request how large a window it needs.
    public var asksWindow = false

    // What is asked of it beside requests

    /// The field that its key comes in.
    public var keyField = KeyField.bearer
    public var modelList = ModelListShape.openAI
    public var modelDetails = ModelDetailsSource.none

    // Messages

    public var vision = true
    /// Fetches `http(s)` image URLs itself; others take `data:` only.
    public var imageURLs = true
    /// Takes PDF as a `file` content part.
    public var pdfFiles = false
    /// Images in what a tool gave back stay with it; elsewhere they become a message of the user.
    public var imagesInResults = false
    /// Two messages of one role in a row are refused.
    public var strictAlternation = false
    /// A user message right after tool results is refused.
    public var userAfterTool = true
    /// What stands in `content` of an assistant message that only calls tools.
    public var contentOfCalls: ContentOfCalls = .null
    public var prefill: Prefill = .passed
    public var reasoningEcho: ReasoningEcho = .none
    /// What stands for the reasoning of a turn that has none, while the model thinks; nil = nothing has to.
    public var reasoningFiller: StaticString?

    // Tools

    /// Takes function definitions, calls and their results at all.
    public var tools = true
    /// Takes them for every model, also for those whose template knows none.
    public var emulatesTools = false
    public var toolChoice: ToolChoiceSupport = .full(any: "required")
    public var parallelToolCalls = false
    public var toolNames = ToolNameRule()
    public var toolIDs: ToolIDRule = .any
    public var maxTools: Int?
    /// Calls of models whose format it does not know stay in the text; where the server reads calls itself, a
    /// text that looks like one is text.
    public var textCalls = true
    /// Takes `function.strict` and keeps it, for schemas of the subset that it can hold a model to.
    public var strictTools = false
    public var schema = SchemaRules()

    // Thinking

    public var effort: EffortSupport?
    public var thinkingSwitch: ThinkingSwitch = .none
    /// Models that think whether they are told to or not; off is their lowest level.
    public var alwaysThinking: ModelPattern = .none
    /// Without `thinking` in the request reasoning is switched off rather than left to the backend.
    public var thinkingOffByDefault = false
    public var thinkingBudget: BudgetSupport = .effort
}

/// How a backend wants its key.
public enum KeyField: Sendable, Equatable {
    /// `authorization: Bearer …`
    case bearer
    /// Alone in a field of this name.
    case named(String)
}

/// How a backend lists its models.
public enum ModelListShape: Sendable {
    /// `models` beside the path that chats go to.
    case openAI
    /// The same path in pages, with Anthropic's version.
    case anthropic
    /// `/api/tags`; beside it OpenAI's list.
    case ollama
}

/// What a backend says of its models beside the list.
public enum ModelDetailsSource: Sendable {
    case none
    /// Nothing; but it lists only models that it has loaded.
    case allLoaded
    /// llama.cpp: `/props`
    case props
    /// LM Studio: `/api/v0/models`
    case studio
    /// `/api/ps` and `/api/show`
    case ollama
}

public enum MaxTokensField: Sendable {
    case maxTokens
    case maxCompletionTokens
}

/// Models by parts of their names, in lower case.
public struct ModelPattern: Sendable {
    /// Beginnings of what follows the last slash.
    private let prefixes: [[UInt8]]
    private let parts: [[UInt8]]
    private let takesAll: Bool

    public static let none = ModelPattern()
    public static let every = ModelPattern(parts: [""])

    public init(prefixes: [String] = [], parts: [String] = []) {
        self.prefixes = prefixes.map { Array($0.utf8) }
        self.parts = parts.map { Array($0.utf8) }
        takesAll = parts.contains("")
    }

    /// By bytes: it is asked several times for each request, and searching in characters costs more than
    /// all of a small request's translation.
    public func matches(_ model: String) -> Bool {
        if takesAll { return true }
        if prefixes.isEmpty, parts.isEmpty { return false }
        let model = model.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
        let name = model[(model.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...]
        return prefixes.contains { name.starts(with: $0) } || parts.contains { Self.occurs($0, in: model) }
    }

    private static func occurs(_ part: [UInt8], in model: [UInt8]) -> Bool {
        guard let first = part.first, part.count <= model.count else { return part.isEmpty }
        return (0...(model.count - part.count)).contains {
            model[$0] == first && model[$0...].starts(with: part)
        }
    }
}

public enum UserIdentity: Sendable {
    case dropped
    /// SHA-256 of `metadata.user_id` under this name.
    case hashed(StaticString)
}

public enum StructuredOutput: Sendable {
    case schema
    /// Only `json_object`: the schema is put into the system prompt.
    case objectOnly
    case unsupported
}

public enum ContentOfCalls: Sendable { case null, emptyString }

/// How a trailing assistant message is continued.
public enum Prefill: Sendable {
    case unsupported
    /// The backend continues by itself, or it cannot be known.
    case passed
    /// As `passed`, but not together with thinking.
    case passedWithoutThinking
    /// `continue_final_message` and no generation prompt.
    case continueFinalMessage
    /// `prefix: true` on the message.
    case prefixFlag
}

public enum ToolChoiceSupport: Sendable {
    /// All forms; `any` is this backend's word for "must call one".
    case full(any: StaticString)
    /// A word only; to name a tool, all others are left out of the list.
    case words(any: StaticString)
    /// Only `auto` and `none` while the model thinks.
    case autoWhenThinking
    /// The field has no effect.
    case ignored
}

public struct ToolNameRule: Sendable {
    public var maxLength = 64
    public var letterFirst = false

    public init(maxLength: Int = 64, letterFirst: Bool = false) {
        self.maxLength = maxLength
        self.letterFirst = letterFirst
    }
}

public enum ToolIDRule: Sendable {
    case any
    /// Exactly nine letters or digits.
    case nineAlphanumeric
}

/// The backend's words for Anthropic's levels of effort.
public struct EffortSupport: Sendable {
    public var low: StaticString = "low"
    public var medium: StaticString = "medium"
    public var high: StaticString = "high"
    public var xhigh: StaticString = "high"
    public var max: StaticString = "high"
    /// Models that take a level; the others get none.
    public var models: ModelPattern = .every
    /// Also as argument of the chat template.
    public var inTemplate = false

    public init() {}
}

/// How thinking is switched on and off.
public enum ThinkingSwitch: Sendable {
    case none
    /// `chat_template_kwargs.enable_thinking`
    case templateArgument
    /// `thinking: {type: enabled|disabled}`
    case thinkingType
    /// `reasoning: {enabled, effort, max_tokens}`
    case reasoningObject
    /// `reasoning_effort: "none"` switches off, for these models; on is the backend's default.
    case effortNone(ModelPattern)
    /// `think: true|false`, or a level for the models that take one.
    case think
}

/// What becomes of `thinking.budget_tokens`.
public enum BudgetSupport: Sendable {
    /// A level of effort: up to 1024 low, up to 8192 medium, above high.
    case effort
    /// `thinking_budget_tokens`
    case budgetTokens
    /// `reasoning.max_tokens`
    case reasoningObject
    /// `extra_body.google.thinking_config.thinking_budget`
    case googleConfig
}

/// What JSON Schema features the backend's tool parser or grammar cannot take. Everything off = the
/// schema passes byte for byte.
public struct SchemaRules: Sendable, Equatable {
    /// Keywords that are left out wherever they occur.
    public var dropped: Set<String> = []
    /// Formats that may stay; nil = all.
    public var formats: Set<String>?
    /// `pattern` only when it is anchored and free of classes and look-around.
    public var simplePatterns = false
    public var inlineReferences = false
    /// Schemas that refer to themselves keep their references, and their definitions.
    public var recursiveReferences = false
    /// No `true` and `false` in place of a schema.
    public var noBooleanSchemas = false
    /// A list of schemas as `items` is called `prefixItems`, and `additionalItems` `items`.
    public var prefixItems = false
    /// `["string","null"]` becomes `string` and `nullable`.
    public var nullableTypes = false
    /// `const` becomes `enum`, `oneOf` becomes `anyOf`.
    public var plainUnions = false
    /// `allOf` becomes one schema that says what all of its parts say.
    public var mergedParts = false
    /// `exclusiveMinimum` and `exclusiveMaximum` of integers become inclusive.
    public var inclusiveBounds = false
    /// Larger `maxLength`, `minLength`, `maxItems`, `minItems` are left out.
    public var maxCount: Int?
    /// No `anyOf`, `oneOf`, `allOf`, `not`, `enum` at the top: alternatives become one object.
    public var plainTop = false
    /// `true` and `{}` as a property's schema become a string's.
    public var noEmptySchemas = false

    public init() {}

    var isIdentity: Bool { self == SchemaRules() }
}
