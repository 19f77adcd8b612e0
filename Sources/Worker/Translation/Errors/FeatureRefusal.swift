// Tells from a backend's refusal which feature of the call its model does not take. Pure; a table of
// wordings. Holds: nothing is guessed. The wording must name the feature and the call must have contained it;
// what is about the prompt's length or about credentials is never taken for it.

enum FeatureRefusal {
    /// Bytes of a refusal that are read: validators repeat the request behind what they say of it, and a
    /// prompt may contain any wording.
    private static let lengthLimit = 4 << 10

    /// Statuses under which backends refuse what their model does not take. 404 is OpenRouter's.
    static let statuses: Set<Int> = [400, 404, 405, 415, 422, 500, 501]

    /// - Parameters:
    ///   - text: the backend's words.
    ///   - contained: what the call asked for.
    /// - Returns: nil when it refuses something else; `isPlain` = never taken, by its words.
    static func feature(_ text: String, status: Int, in contained: Set<Feature>) -> (
        feature: Feature, isPlain: Bool
    )? {
        guard !contained.isEmpty, statuses.contains(status), ContextOverflow(text: text) == nil else {
            return nil
        }
        let sentences = sentences(text)
        // The first wording that fits is the plainest reading; if the call had nothing of the kind, the
        // refusal is about something else.
        for wording in wordings {
            let fitting = sentences.filter(wording.fits)
            guard !fitting.isEmpty else { continue }
            let meant = contained.contains(wording.feature) ? wording.feature : otherwise[wording.feature]
            guard let meant, contained.contains(meant) else { return nil }
            return (meant, fitting.contains(where: wording.isPlain))
        }
        return nil
    }

    /// What else may be meant where the call did not contain the one.
    private static let otherwise: [Feature: Feature] = [
        .effort: .thinking, .maxTokens: .maxCompletionTokens, .maxCompletionTokens: .maxTokens,
    ]

    /// Whether it misses the reasoning of earlier turns. DeepSeek: "The `reasoning_content` in the thinking
    /// mode must be passed back to the API."; Kimi: "thinking is enabled but reasoning_content is missing in
    /// assistant tool call message at index 2"; Anthropic: "a final `assistant` message must start with a
    /// thinking block".
    static func missesReasoning(_ text: String, status: Int) -> Bool {
        guard statuses.contains(status) else { return false }
        return sentences(text).contains { sentence in
            [
                "reasoning_content", "reasoning content", "thinking block", "].thinking",
                "expected 'thinking'",
                "'reasoning'",
            ].contains { sentence.contains($0) }
                && [
                    "passed back", "pass back", "is missing", "missing in", "must start with a thinking",
                    "expected 'thinking'", "must be included", "must be provided", "must be sent back",
                    "is required in", "必须返回", "必须回传",
                ].contains { sentence.contains($0) }
        }
    }

    /// In lower case, with one kind of quotes. What is said of one thing stands together.
    static func sentences(_ text: String) -> [String] {
        let plain = text.utf8.prefix(lengthLimit).map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
            case UInt8(ascii: "`"), UInt8(ascii: "\""): UInt8(ascii: "'")
            case UInt8(ascii: "\r"), UInt8(ascii: "\t"): UInt8(ascii: " ")
            default: byte
            }
        }
        var sentences: [String] = []
        var start = plain.startIndex
        for at in plain.indices {
            let ends =
                plain[at] == UInt8(ascii: "\n") || plain[at] == UInt8(ascii: ";")
                || plain[at] == UInt8(ascii: ".") && at + 1 < plain.count && plain[at + 1] == 0x20
            guard ends else { continue }
            sentences.append(String(decoding: plain[start..<at], as: UTF8.self))
            start = at + 1
        }
        sentences.append(String(decoding: plain[start...], as: UTF8.self))
        return sentences
    }

    /// One way to refuse a feature: one of `subjects` and one of `verdicts` in one sentence.
    struct Wording: Sendable {
        let feature: Feature
        let subjects: [String]
        /// Empty: the subject says it all.
        let verdicts: [String]
        /// With one of these the sentence is about this one value, not about the feature.
        let exceptions: [String]

        init(
            _ feature: Feature, _ subjects: [String], _ verdicts: [String] = [],
            unless exceptions: [String] = []
        ) {
            self.feature = feature
            self.subjects = subjects
            self.verdicts = verdicts
            self.exceptions = exceptions
        }

        func fits(_ sentence: String) -> Bool {
            subjects.contains { sentence.contains($0) }
                && (verdicts.isEmpty || verdicts.contains { sentence.contains($0) })
                && !exceptions.contains { sentence.contains($0) }
        }

        /// Whether a sentence that fits says that it is never taken, rather than that this request was wrong.
        func isPlain(_ sentence: String) -> Bool {
            // A schema that a grammar does not take is one request's; the next may bring another.
            guard feature != .schemaKeywords else { return false }
            guard !FeatureRefusal.ofRequest.contains(where: { sentence.contains($0) }) else {
                return sentence.contains("unknown variant")
            }
            // Words looked for in one wording only say there what they say.
            let doubtful = FeatureRefusal.doubtful
            guard doubtful.allSatisfy(verdicts.contains) else { return true }
            return verdicts.contains { !doubtful.contains($0) && sentence.contains($0) }
        }
    }
}

// MARK: The table

extension FeatureRefusal {
    /// How a model or server says that it does not have something at all.
    private static let absent = [
        "not support", "n't support", "unsupported", "not available", "unavailable", "not enabled",
        "n't enabled", "not implemented", "no endpoints found",
    ]
    /// How validators say that they do not know a field.
    private static let foreign =
        absent + [
            "unknown", "unrecognized", "unexpected", "not permitted", "not allowed", "cannot find field",
            "extra_forbidden", "extra fields", "no such field",
        ]
    /// What is said of a number is no word about the field.
    private static let ofAmounts = [
        "maximum", "at most", "less than", "range", "too large", "exceed", "greater", "stream", "<=",
    ]
    /// How they say that they know it, but not like this: another value might do.
    private static let doubtful = [
        "invalid", "must be", "should be", "cannot", "can't", "only", "requires", "incompatible",
        "not compatible", "mandatory", "not valid",
    ]
    private static let refused = foreign + doubtful
    /// What points at a place or a value of this request.
    private static let ofRequest = [
        "messages[", "messages.", "tools[", "tools.0", "this tool_choice", "this response_format",
        "thinking mode",
    ]

    /// Looked through in this order: what is said in particular before what could be meant in general.
    static let wordings: [Wording] = [
        // OpenAI: "Unsupported parameter: 'max_tokens' is not supported with this model. Use
        // 'max_completion_tokens' instead."; older servers the other way round.
        Wording(
            .maxCompletionTokens,
            [
                "parameter: 'max_completion_tokens'", "supplied: max_completion_tokens",
                "body.max_completion_tokens",
                "name 'max_completion_tokens'", "field 'max_completion_tokens'",
                "property 'max_completion_tokens'", "'max_completion_tokens' is not",
            ], foreign, unless: ofAmounts),
        Wording(
            .maxTokens,
            [
                "parameter: 'max_tokens'", "supplied: max_tokens", "body.max_tokens", "name 'max_tokens'",
                "field 'max_tokens'", "property 'max_tokens'", "'max_tokens' is not",
            ], foreign, unless: ofAmounts),
        // OpenAI: "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default
        // (1) value is supported."
        Wording(
            .sampling,
            [
                "temperature", "top_p", "top_k", "'stop'", "supplied: stop", "stop_sequences",
                "sampling parameter",
            ],
            foreign + ["only the default", "deprecated", "cannot both be", "cannot be both"],
            unless: ["out of range", "between", "maximum", "at most", "tool"]),
        // llama.cpp: "Assistant response prefill is incompatible with enable_thinking."; vLLM's own fields.
        Wording(.prefill, ["prefill", "continue_final_message", "add_generation_prompt"], refused),
        // Mistral: "Expected last role User or Tool (or Assistant with prefix True) for serving".
        Wording(
            .prefill,
            [
                "must end with a user message", "last message must be from", "last message must have role",
                "expected last role", "last message cannot be", "last message should be a user",
                "final assistant message",
            ]),
        // vLLM: "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set";
        // llama.cpp: "tools param requires --jinja flag", "tool_choice param requires --jinja flag".
        Wording(
            .tools,
            [
                "--enable-auto-tool-choice", "--tool-call-parser", "requires --jinja",
                "support tool use", "support tool calling",
            ],
            ["requires", "no endpoints found", "not support", "n't support", "not been set", "to be set"]),
        // DeepSeek: "Thinking mode does not support this tool_choice"; OpenRouter: "No endpoints found that
        // support the provided 'tool_choice' value".
        Wording(.toolChoice, ["tool_choice", "tool choice", "toolchoice", "tool_config"], refused),
        Wording(
            .parallelToolCalls,
            [
                "parallel_tool_calls", "parallel tool calls", "parallel tool calling",
                "parallel function calling",
            ],
            refused),
        Wording(.streamOptions, ["stream_options", "include_usage"], refused),
        // llama.cpp: "Failed to initialize samplers: failed to parse grammar", "JSON schema conversion
        // failed"; vLLM: "The provided JSON schema contains features not supported by xgrammar."
        Wording(
            .schemaKeywords,
            [
                "parse grammar", "parsing grammar", "initialize samplers", "schema conversion failed",
                "compile grammar", "compiling grammar", "invalid grammar", "grammar error",
                "supported by xgrammar", "supported by outlines", "supported by guidance",
                "convert json schema", "json_schema into a regex", "json schema into a regex",
                "unrecognized schema", "json schema not supported", "unsupported json schema",
                "invalid json schema", "unresolvable reference", "pattern must start with",
            ]),
        // OpenAI: "Invalid schema for function 'f': …", "Invalid schema for response_format 'output': …".
        Wording(
            .schemaKeywords,
            [
                "schema for function", "schema for response_format", "schema for tool", "schema in tool",
                "invalid_function_parameters", "schema contains", "json schema is invalid",
                "schema is invalid",
            ]),
        // Gemini: "Unknown name \"$schema\" at 'tools[0].function_declarations[0].parameters'"; "parameters
        // .properties: should be non-empty for OBJECT type"; Go: "cannot unmarshal array into Go struct field
        // …".
        Wording(
            .schemaKeywords,
            [
                "function_declarations[", "function.parameters", "parameters.properties", "response_schema",
                "tools.function.parameters", "toolfunctionparameters",
            ],
            [
                "unknown name", "cannot unmarshal", "should be non-empty", "only allowed for",
                "missing field",
                "cannot find field", "invalid", "not support", "unsupported",
            ]),
        // LM Studio: "'response_format.type' must be 'json_schema' or 'text'"; Groq: "json mode cannot be
        // combined with tool/function calling"; llama.cpp: "Cannot use custom grammar constraints with
        // tools."
        Wording(
            .structuredOutput,
            [
                "response_format", "response format", "json_schema", "structured output", "json mode",
                "json_object", "response mime type", "response_mime_type", "output_config.format",
                "grammar constraints with tools", "guided_json", "vocabulary required for format",
            ],
            refused + ["failed to load"]),
        // llama.cpp: "image input is not supported - hint: if this is unexpected, you may need to provide the
        // mmproj"; vLLM: "At most 0 image(s) may be provided in one prompt."; serde: "unknown variant
        // `image_url`, expected `text`".
        Wording(
            .images,
            [
                "at most 0 image", "mmproj", "not a multimodal model", "not multimodal",
                "no vision capabilit", "not a vision model", "non-multimodal",
                // Ollama's runner, with 500.
                "missing data required for image input",
            ]),
        Wording(
            .images,
            [
                "image_url", "image input", "image content", "support image", "support vision",
                "images are", "images is", "image is", "vision is", "multimodal", "multi-modal",
                "modality 'image'", "'image'", "input_image",
            ],
            foreign + [
                "only supported", "not a valid", "expected 'text'", "must be 'text'", "cannot process",
                "can't process",
            ],
            unless: [
                "format", "mime", "media type", "media_type", "image type", "image/", "webp", "svg",
                "download",
                "fetch", "base64", "decod", "too large", "too big", "dimension", "resolution", "corrupt",
            ]),
        // Content is a list of parts only where there is an image. Groq: "('messages.1.content' : value must
        // be a string)".
        Wording(
            .images,
            ["content' : value must be a string", "content must be a string", "content should be a string"]),
        // Ollama: "… does not support tools"; Gemini: "Function calling is not enabled for models/…".
        Wording(
            .tools,
            [
                "support tools", "support tool", "support function call", "support functions",
                "support for tool", "support for function call", "tools are not", "tools is not",
                "tools not supported", "tool use is not", "tool use not supported", "tool calling is not",
                "tool calling not", "tool calling isn't", "tool calls are not", "tool calls not supported",
                "tool calls is not", "'tool calling' is not", "function calling is not",
                "function calling not",
                "function calling isn't", "tool/function calling",
            ],
            absent),
        Wording(
            .tools,
            [
                "'tools' is", "'tools')", "parameter: 'tools'", "property 'tools'", "field 'tools'",
                "supplied: tools", "body.tools: ", "parameter: tools", "name 'tools'",
            ],
            foreign),
        // Ollama, of a level: "think value \"low\" is not supported for this model", where gpt-oss has
        // another template; "invalid think value: \"max\" (must be …)", where it knows fewer levels.
        Wording(.effort, ["think value"], refused),
        // Anthropic's API: "This model does not support the effort parameter."
        Wording(
            .effort,
            [
                "reasoning_effort", "reasoning effort", "reasoning.effort", "effort parameter",
                "output_config.effort", "'effort'",
            ],
            refused),
        // Ollama: "\"m\" does not support thinking"; Anthropic's API: "adaptive thinking is not supported";
        // Groq: "property 'reasoning_content' is unsupported".
        Wording(
            .thinking,
            [
                "enable_thinking", "chat_template_kwargs",
                "thinking_budget", "thinking_config", "thinking budget", "reasoning_content",
                "reasoning.max_tokens", "thinking.type", "'thinking'", "'reasoning'",
                "body.thinking", "body.reasoning", "supplied: thinking", "supplied: reasoning",
            ],
            refused),
        Wording(
            .thinking,
            [
                "support thinking", "support reasoning", "support extended thinking", "thinking is not",
                "thinking mode is not", "thinking not supported", "reasoning is not",
                "reasoning is mandatory",
                "reasoning not supported", "support adaptive thinking",
            ],
            absent + ["mandatory"]),
    ]
}
