// The table of backend types: what differs from the plain OpenAI chat dialect, and nothing else. A new
// type is a new entry here and a word in the configuration.

extension Profile {
    /// The profile of a backend type as it is written in the configuration; nil for unknown words.
    public static func named(_ name: String) -> Profile? { all[name] }

    /// The profile for the same backend when it is spoken to in this dialect.
    public func speaking(_ dialect: Dialect) -> Profile {
        if let profile = dialect.profile { return profile }
        var profile = self
        profile.dialect = dialect
        return profile
    }

    /// By the configuration's word.
    public static let all: [String: Profile] = Dictionary(
        uniqueKeysWithValues: [
            vllm, sglang, llamacpp, lmstudio, ollama, ollamaNative, openai, openrouter, deepseek, groq,
            together,
            fireworks, mistral, gemini, anthropic, openaiCompatible,
        ].map { ($0.name, $0) })

    public static let vllm = Profile("vllm") {
        $0.modelDetails = .allLoaded
        $0.counting = .conversation
        $0.topK = true
        $0.parallelToolCalls = true
        $0.prefill = .continueFinalMessage
        $0.reasoningEcho = .reasoning
        $0.thinkingSwitch = .templateArgument
        $0.thinkingOffByDefault = true
        $0.effort = EffortSupport()
        // Its grammars do not know the older drafts' word: the request would be answered with 500.
        $0.schema.prefixItems = true
    }

    public static let sglang = Profile("sglang") {
        $0.modelDetails = .allLoaded
        $0.counting = .conversation
        $0.topK = true
        $0.parallelToolCalls = true
        $0.prefill = .continueFinalMessage
        $0.reasoningEcho = .reasoningContent
        $0.thinkingSwitch = .templateArgument
        $0.thinkingOffByDefault = true
        $0.effort = EffortSupport()
        $0.schema.prefixItems = true
    }

    public static let llamacpp = Profile("llamacpp") {
        $0.modelDetails = .props
        $0.counting = .template
        // While it streams to anybody, a whole answer goes on after its client has left, and keeps the slot.
        $0.alwaysStreams = true
        $0.slots = true
        $0.topK = true
        $0.prefill = .passedWithoutThinking
        $0.contentOfCalls = .emptyString
        $0.reasoningEcho = .reasoningContent
        $0.thinkingSwitch = .templateArgument
        $0.thinkingOffByDefault = true
        $0.thinkingBudget = .budgetTokens
        $0.effort = EffortSupport()
        $0.effort?.inTemplate = true
        $0.emulatesTools = true
        $0.imageURLs = false
        // An object is read as "auto", without a word.
        $0.toolChoice = .words(any: "required")
        // Schemas become a GBNF grammar.
        $0.schema.dropped = ["$schema", "$id", "$comment", "examples", "deprecated", "readOnly"]
        $0.schema.formats = ["date", "time", "date-time"]
        $0.schema.simplePatterns = true
        $0.schema.inlineReferences = true
        $0.schema.recursiveReferences = true
        $0.schema.noBooleanSchemas = true
        $0.schema.mergedParts = true
        $0.schema.maxCount = 1000
    }

    public static let lmstudio = Profile("lmstudio") {
        $0.modelDetails = .studio
        $0.topK = true
        $0.contentOfCalls = .emptyString
        $0.reasoningEcho = .reasoningContent
        $0.effort = EffortSupport()
        $0.effort?.models = gptOSS
        $0.emulatesTools = true
        $0.imageURLs = false
        $0.toolChoice = .words(any: "required")
        $0.schema = llamacpp.schema
    }

    /// Ollama through `/api/chat`, which takes what its `/v1` cannot: the context window, `top_k`, levels of
    /// thinking.
    public static let ollamaNative = Profile("ollama-native") {
        $0.dialect = .ollama
        $0.chatPath = "/api/chat"
        $0.asksWindow = true
        $0.topK = true
        $0.imageURLs = false
        $0.imagesInResults = true
        $0.contentOfCalls = .emptyString
        $0.toolChoice = .ignored
        $0.toolNames.maxLength = 128
        $0.reasoningEcho = .thinking
        $0.thinkingSwitch = .think
        $0.thinkingOffByDefault = true
        $0.effort = EffortSupport()
        $0.effort?.max = "max"
        $0.alwaysThinking = gptOSS
        // What its parser of schemas does not know, it drops.
        $0.schema.inlineReferences = true
        $0.schema.plainUnions = true
        $0.schema.mergedParts = true
        $0.schema.plainTop = true
        $0.schema.noEmptySchemas = true
    }

    /// Ollama through its `/v1`.
    public static let ollama = Profile("ollama") {
        $0.ownDialect = .ollama
        $0.modelList = .ollama
        $0.modelDetails = .ollama
        $0.cutsPrompts = true
        $0.imageURLs = false
        $0.contentOfCalls = .emptyString
        $0.toolChoice = .ignored
        $0.reasoningEcho = .reasoning
        $0.effort = EffortSupport()
        $0.effort?.models = gptOSS
        $0.thinkingSwitch = .effortNone(.every)
        $0.thinkingOffByDefault = true
        $0.schema.inlineReferences = true
    }

    public static let openai = Profile("openai") {
        $0.textCalls = false
        $0.maxTokens = .maxCompletionTokens
        $0.fixedSampling = openAIReasoning
        $0.maxStops = 4
        $0.maxTools = 128
        $0.strictTools = true
        $0.pdfFiles = true
        $0.parallelToolCalls = true
        $0.prefill = .unsupported
        $0.userIdentity = .hashed("safety_identifier")
        $0.schema.plainTop = true
        $0.effort = EffortSupport()
        $0.effort?.models = openAIReasoning
    }

    public static let openrouter = Profile("openrouter") {
        $0.topK = true
        $0.pdfFiles = true
        $0.parallelToolCalls = true
        $0.reasoningEcho = .reasoning
        $0.thinkingSwitch = .reasoningObject
        $0.thinkingBudget = .reasoningObject
    }

    public static let deepseek = Profile("deepseek") {
        $0.textCalls = false
        $0.vision = false
        $0.contentOfCalls = .emptyString
        $0.prefill = .unsupported
        $0.structuredOutput = .objectOnly
        $0.toolChoice = .autoWhenThinking
        $0.reasoningEcho = .reasoningContent
        $0.reasoningFiller = ""
        $0.thinkingSwitch = .thinkingType
        $0.thinkingOffByDefault = true
        $0.effort = EffortSupport()
        $0.effort?.medium = "high"
        $0.effort?.max = "max"
        $0.effort?.xhigh = "max"
    }

    public static let groq = Profile("groq") {
        $0.textCalls = false
        $0.maxTokens = .maxCompletionTokens
        $0.maxStops = 4
        $0.parallelToolCalls = true
        $0.prefill = .unsupported
        $0.effort = EffortSupport()
        $0.effort?.models = gptOSS
        $0.thinkingSwitch = .effortNone(ModelPattern(parts: ["qwen3"]))
        $0.schema.dropped = ["$schema", "$id", "$comment"]
    }

    public static let together = Profile("together") {
        $0.topK = true
        $0.contentOfCalls = .emptyString
        $0.effort = EffortSupport()
        $0.effort?.models = gptOSS
    }

    public static let fireworks = Profile("fireworks") {
        $0.topK = true
        $0.contentOfCalls = .emptyString
        $0.parallelToolCalls = true
        $0.reasoningEcho = .reasoningContent
        $0.effort = EffortSupport()
        $0.effort?.models = gptOSS
        $0.schema.inlineReferences = true
    }

    public static let mistral = Profile("mistral") {
        $0.textCalls = false
        $0.streamOptions = false
        $0.contentOfCalls = .emptyString
        $0.strictAlternation = true
        $0.userAfterTool = false
        $0.parallelToolCalls = true
        $0.prefill = .prefixFlag
        $0.toolChoice = .full(any: "any")
        $0.toolIDs = .nineAlphanumeric
    }

    public static let gemini = Profile("gemini") {
        $0.textCalls = false
        $0.chatPath = "/v1beta/openai/chat/completions"
        $0.prefill = .unsupported
        $0.imageURLs = false
        $0.contentOfCalls = .emptyString
        $0.toolNames.letterFirst = true
        $0.effort = EffortSupport()
        $0.thinkingSwitch = .effortNone(ModelPattern(parts: ["flash"]))
        $0.thinkingBudget = .googleConfig
        $0.schema.dropped = [
            "$schema", "$id", "$comment", "examples", "default", "deprecated", "readOnly",
            "additionalProperties",
            "propertyNames", "patternProperties", "title",
        ]
        $0.schema.formats = ["enum", "date-time"]
        $0.schema.simplePatterns = true
        $0.schema.inlineReferences = true
        $0.schema.nullableTypes = true
        $0.schema.plainUnions = true
        $0.schema.mergedParts = true
        $0.schema.inclusiveBounds = true
        $0.schema.noEmptySchemas = true
        $0.schema.plainTop = true
    }

    /// Anthropic's own dialect is passed through, not converted; here for completeness of the table.
    public static let anthropic = Profile("anthropic") {
        $0.keyField = .named("x-api-key")
        $0.modelList = .anthropic
        $0.textCalls = false
        $0.dialect = .anthropic
        $0.pdfFiles = true
    }

    /// A server of which only the dialect is known: nothing outside of it is sent.
    public static let openaiCompatible = Profile("openai-compatible") {
        $0.contentOfCalls = .emptyString
        $0.effort = EffortSupport()
        $0.effort?.models = gptOSS
    }

    private static let gptOSS = ModelPattern(parts: ["gpt-oss"])
    private static let openAIReasoning = ModelPattern(prefixes: ["o1", "o3", "o4", "gpt-5", "codex"])

    private init(_ name: String, _ adjust: (inout Profile) -> Void) {
        self.init(name: name)
        adjust(&self)
    }
}
