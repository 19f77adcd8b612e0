// The marks by which models announce a tool call in their text, family by family, and what stands behind
// each. Data only: how bodies are read stands in TextCallReader, when marks count in TextCallRecovery.

struct TextCallMarker: Sendable {
    /// What stands behind the opener.
    enum Body: Sendable {
        /// A JSON object, `<function=…>`, or a name with `<arg_key>` (Hermes, Qwen3-Coder, GLM).
        case tagged
        /// `NAME>` and parameters in tags, or a JSON object (Qwen3-Coder, Llama).
        case function
        /// `<invoke name="…">` with parameters in tags, each tag's name behind these bytes.
        case invokes(prefix: String)
        /// The rest of one such tag.
        case invoke(prefix: String)
        /// An array of calls, or names with `[ARGS]` (Mistral).
        case mistral
        /// JSON, or calls in Python's words (Llama, Gemma, LFM2, Granite).
        case json
        /// Calls between their own marks; the rest of one such call.
        case kimi, kimiCall
        case deepSeek, deepSeekCall
        /// `call:NAME{key:value}`; texts stand between these marks (FunctionGemma, Gemma 4).
        case gemma(quote: String)
        /// The whole answer is JSON that describes calls, or a list of calls in Python's words.
        case bare
        /// The same in a fence.
        case fenced
        /// A header that says what follows.
        case harmony
        /// Means nothing by itself; dropped behind a call.
        case crumb
    }

    /// Where it counts; elsewhere it is spoken of.
    enum Place: UInt8, Sendable {
        /// On a line of its own.
        case lineStart
        /// The same, or directly behind a sentence.
        case tag
        /// Families that set no line end before it: also directly behind a word, or behind a sentence and a
        /// blank.
        case token
        /// Nothing but space before it.
        case answerStart
        /// Behind calls, or behind messages in Harmony's format.
        case behind
    }

    let opener: [UInt8]
    /// What ends the call; nil: the end of the answer.
    let closer: [UInt8]?
    let body: Body
    let place: Place
    /// For the journal.
    let repair: String
    /// Values stand in tags, so that only what stands behind a closer tells it from text that looks like one.
    let hasTags: Bool

    init(_ opener: String, _ closer: String?, _ body: Body, _ family: String, _ place: Place = .tag) {
        self.opener = Array(opener.utf8)
        self.closer = closer.map { Array($0.utf8) }
        self.body = body
        self.place = place
        repair = "text-call-" + family
        hasTags =
            switch body {
            case .function, .invoke, .invokes: true
            default: false
            }
    }

    static let calls =
        [
            TextCallMarker("<tool_call>", "</tool_call>", .tagged, "tagged"),
            TextCallMarker("<tool_calls>", "</tool_calls>", .tagged, "tagged"),
            TextCallMarker("<seed:tool_call>", "</seed:tool_call>", .tagged, "tagged"),
            TextCallMarker("<longcat_tool_call>", "</longcat_tool_call>", .tagged, "tagged"),
            TextCallMarker("<TOOLCALL>", "</TOOLCALL>", .tagged, "tagged"),
            TextCallMarker("<function=", "</function>", .function, "function"),
            TextCallMarker("<minimax:tool_call>", "</minimax:tool_call>", .invokes(prefix: ""), "invoke"),
            TextCallMarker("<function_calls>", "</function_calls>", .invokes(prefix: ""), "invoke"),
            TextCallMarker("<invoke name=\"", "</invoke>", .invoke(prefix: ""), "invoke"),
            TextCallMarker(
                "<｜DSML｜function_calls>", "</｜DSML｜function_calls>", .invokes(prefix: "｜DSML｜"), "deepseek",
                .token),
            TextCallMarker(
                "<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>", .invokes(prefix: "｜DSML｜"), "deepseek", .token),
            TextCallMarker(
                "<｜DSML｜invoke name=\"", "</｜DSML｜invoke>", .invoke(prefix: "｜DSML｜"), "deepseek", .token),
            TextCallMarker("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", .deepSeek, "deepseek", .token),
            TextCallMarker("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", .deepSeekCall, "deepseek", .token),
            TextCallMarker(
                "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", .kimi, "kimi", .token),
            TextCallMarker("<|tool_call_section_begin|>", "<|tool_call_section_end|>", .kimi, "kimi", .token),
            TextCallMarker("<|tool_call_begin|>", "<|tool_call_end|>", .kimiCall, "kimi", .token),
            TextCallMarker("<|tool_call_start|>", "<|tool_call_end|>", .json, "python", .token),
            TextCallMarker("<|python_start|>", "<|python_end|>", .json, "python", .token),
            TextCallMarker("<|python_tag|>", nil, .json, "python-tag", .token),
            TextCallMarker("<|tool_call|>", nil, .json, "tagged", .token),
            TextCallMarker("<|tool_call>", "<tool_call|>", .gemma(quote: "<|\"|>"), "gemma", .token),
            TextCallMarker(
                "<start_function_call>", "<end_function_call>", .gemma(quote: "<escape>"), "gemma", .token),
            TextCallMarker("[TOOL_CALLS]", nil, .mistral, "mistral", .token),
        ] + fences("```") + fences("~~~") + [
            TextCallMarker("{", nil, .bare, "bare", .answerStart),
            TextCallMarker("[", nil, .bare, "bare", .answerStart),
        ]

    /// Fences say by their language that calls are in them, or are the whole answer.
    private static func fences(_ fence: String) -> [TextCallMarker] {
        ["tool_code", "tool_calls", "tool_call", "function_call"].map {
            TextCallMarker("\(fence)\($0)\n", "\n\(fence)", .json, "tool-code", .lineStart)
        } + [
            TextCallMarker("\(fence)json\n", nil, .fenced, "fenced", .answerStart),
            TextCallMarker("\(fence)\n", nil, .fenced, "fenced", .answerStart),
        ]
    }

    static let channel = Array("<|channel|>".utf8)
    /// The role, which leaks before the channel.
    static let assistant = Array("assistant".utf8)
    /// Headers of the Harmony format.
    static let harmony = [
        TextCallMarker("<|start|>assistant", "<|call|>", .harmony, "harmony", .token),
        TextCallMarker("<|channel|>", "<|call|>", .harmony, "harmony", .token),
        TextCallMarker("assistant<|channel|>", "<|call|>", .harmony, "harmony", .answerStart),
    ]

    /// What ends Harmony's messages.
    static let harmonyCrumbs = ["<|call|>", "<|return|>", "<|end|>"].map(crumb)

    /// What is left behind calls.
    static let crumbs =
        harmonyCrumbs
        + [
            "</tool_call>", "</seed:tool_call>", "</longcat_tool_call>", "</TOOLCALL>", "</function>",
            "</function_calls>", "</minimax:tool_call>", "</tool_calls>",
            "<|tool_calls_section_end|>", "<|tool_call_section_end|>", "<｜tool▁calls▁end｜>",
            "</｜DSML｜function_calls>", "</｜DSML｜tool_calls>", "<｜end▁of▁sentence｜>", "<|eot_id|>",
            "<|eom_id|>", "<|eot|>", "<|eom|>", "<|python_end|>", "<|/tool_call|>", "<|im_end|>", "</s>",
            "<start_function_response>", "<|tool_response>", "<end_of_turn>", "<turn|>",
        ].map(crumb)

    private static func crumb(_ text: String) -> TextCallMarker {
        TextCallMarker(text, nil, .crumb, "crumb", .behind)
    }
}
