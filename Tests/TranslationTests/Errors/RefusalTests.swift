// How much a model gives in one answer, in the words of real backends, and refusals about one history.

import Testing

@testable import Translation

@Suite("limits of answers")
struct OutputLimitTests {
    @Test(
        "what backends say",
        arguments: [
            // OpenAI
            (
                "max_tokens is too large: 32000. This model supports at most 16384 completion tokens, whereas you provided 32000.",
                16_384
            ),
            (
                "Invalid 'max_completion_tokens': integer above maximum value. Expected a value <= 4096, but got 32000 instead.",
                4096
            ),
            ("32000 is greater than the maximum of 16384 - 'max_tokens'", 16_384),
            // DeepSeek, DashScope, MiniMax, Zhipu
            ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192),
            ("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 16384]", 16_384),
            ("invalid params, max_tokens must be in range (0, 196608]", 0),
            ("max_tokens参数非法：限制数值范围[1,4095]", 4095),
            // Groq
            (
                "`max_completion_tokens` must be less than or equal to `8192`, the maximum value for `max_completion_tokens` is less than the `context_window` for this model",
                8192
            ),
            ("'max_tokens' must be less than or equal to 8192", 8192),
            // Anthropic, Bedrock
            (
                "max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-haiku-20241022",
                8192
            ),
            (
                "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that is lower than 4096.",
                4096
            ),
            // Mistral, NIM and all that check with pydantic
            ("body.max_tokens: Input should be less than or equal to 16384", 16_384),
            (
                "[{'type': 'less_than_equal', 'loc': ('body', 'max_tokens'), 'msg': 'Input should be less than or equal to 4096', 'input': 32000}]",
                4096
            ),
            // Gemini, Vertex
            (
                "Unable to submit request because it has a maxOutputTokens value of 32000 but the supported range is from 1 (inclusive) to 8193 (exclusive). Update the value and try again.",
                8192
            ),
            ("max_output_tokens must be between 1 and 8,192", 8192),
            // OpenRouter hands on the provider's words
            (
                "Provider returned error: {\"error\":{\"message\":\"max_tokens is too large: 32000. This model supports at most 16384 completion tokens\"}}",
                16_384
            ),
            // Doubao
            (
                "The parameter `max_completion_tokens` specified in the request are not valid: integer above maximum value, expected a value <= 12288, but got 32000 instead. Request id: 0217752964393142",
                12_288
            ),
            // Cohere, others
            (
                "too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model - received 32000.",
                4096
            ),
            ("Invalid max_tokens: must be <= 8192", 8192), ("max_tokens must be less than 8193", 8192),
            ("Requested max_tokens 32000 exceeds the maximum of 8192", 8192),
            ("max_tokens (32000) cannot exceed 8192", 8192),
            ("The maximum value of max_tokens is 8192", 0), ("The max_tokens limit is 8192.", 8192),
        ] as [(String, Int)])
    func named(_ text: String, _ limit: Int) {
        #expect(OutputLimit.tokens(text, status: 400, asked: 32_000) == (limit == 0 ? nil : limit))
        #expect(OutputLimit.tokens(text, status: 429, asked: 32_000) == nil)
        // What is not more than the limit was not refused for it.
        #expect(limit == 0 || OutputLimit.tokens(text, status: 400, asked: limit) == nil)
    }

    @Test(
        "numbers that are no such limit",
        arguments: [
            "", "max_tokens must be at least 1, got 0", "max_tokens: Field required",
            "max_tokens: Input should be greater than or equal to 1",
            "`max_tokens` must be greater than `thinking.budget_tokens`",
            "Requests with max_tokens > 4096 must have stream=true",
            "This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 1200.",
            "Rate limit reached: limit of 6000 output tokens per minute",
            "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 tokens and your request has 5000 input tokens (32000 > 32768 - 5000).",
            "This model's maximum context length is 8192 tokens. However, you requested 33000 tokens (1000 in the messages, 32000 in the completion).",
            "temperature must be less than or equal to 100",
            "max_tokens must be less than or equal to 99999999999999999999",
            "max_tokens is not a number", "output tokens > ", "max_tokens [1, ", "max_tokens from 1 to ",
        ])
    func other(_ text: String) { #expect(OutputLimit.tokens(text, status: 400, asked: 32_000) == nil) }

    @Test("long words are read in no time, and only so far")
    func long() {
        let text = "max_tokens " + String(repeating: "[1, ", count: 100_000) + "8192]"
        let clock = ContinuousClock()
        let time = clock.measure { _ = OutputLimit.tokens(text, status: 400, asked: 32_000) }
        #expect(time < .seconds(1))
    }
}

@Suite("what a refusal says of asking again")
struct RefusalTests {
    private static func refusal(
        _ text: String, _ features: Set<Feature> = Set(Feature.allCases), asked: Int = 32_000,
        remedies: [ReasoningRemedy] = [.filled, .thinkingOff]
    ) -> Refusal? {
        Refusal(
            text, status: 400,
            of: RefusablePlan(features: features, maxTokens: asked, reasoningRemedies: remedies))
    }

    @Test(
        "reasoning that is missed is about this history",
        arguments: [
            "The `reasoning_content` in the thinking mode must be passed back to the API.",
            "The `content[].thinking` in the thinking mode must be passed back to the API.",
            "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block",
        ])
    func reasoning(_ text: String) {
        #expect(Self.refusal(text) == .reasoningMissing(.filled))
        #expect(Self.refusal(text, remedies: [.thinkingOff]) == .reasoningMissing(.thinkingOff))
        #expect(Self.refusal(text, remedies: []) == nil)
    }

    @Test("where the prompt fits, the answer gets what is left")
    func room() {
        let words =
            "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 tokens and your request has 5000 input tokens (32000 > 32768 - 5000)."
        #expect(Self.refusal(words) == .outputRoom(27_768))
        #expect(Self.refusal(words, asked: 27_768) == nil)
        let total =
            "Requested token count exceeds the model's maximum context length of 32768 tokens. You requested a total of 62000 tokens: 30000 tokens from the input messages and 32000 tokens for the completion."
        #expect(Self.refusal(total) == nil, "too little is left for an answer")
        #expect(Self.refusal("prompt is too long: 40000 tokens > 32768 maximum") == nil)
    }

    @Test("a limit comes before a feature, and neither is made up")
    func order() {
        #expect(
            Self.refusal(
                "max_tokens is too large: 32000. This model supports at most 16384 completion tokens")
                == .outputLimit(16_384))
        #expect(Self.refusal("\"m\" does not support tools") == .feature(.tools, isPlain: true))
        #expect(Self.refusal("\"m\" does not support tools", []) == nil)
        #expect(Self.refusal("no") == nil)
        #expect(
            Self.refusal("Unsupported parameter: 'reasoning_effort'", [.thinking])
                == .feature(.thinking, isPlain: true))
    }
}
