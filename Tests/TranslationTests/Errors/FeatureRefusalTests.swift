// Which feature a refusal is about: the wordings of real backends, and texts that sound alike and are not.

import JSON
import Testing

@testable import Translation

@Suite("feature refusals")
struct FeatureRefusalTests {
    private static let every = Set(Feature.allCases)

    @Test(
        "what backends say",
        arguments: [
            // Ollama
            (400, "\"qwen2.5:7b\" does not support thinking", Feature.thinking),
            (400, "registry.ollama.ai/library/gemma3:4b does not support tools", .tools),
            (500, "failed to parse grammar", .schemaKeywords),
            (
                400,
                "json: cannot unmarshal array into Go struct field ChatRequest.tools.function.parameters.properties.type of type string",
                .schemaKeywords
            ),
            (
                400,
                "think value \"low\" is not supported for this model: reasoning_effort must be one of none",
                .effort
            ),
            // llama.cpp
            (500, "tools param requires --jinja flag", .tools),
            (500, "tool_choice param requires --jinja flag", .tools),
            (501, "This server does not support tools. Start it with `--jinja`", .tools),
            (400, "Failed to initialize samplers: failed to parse grammar", .schemaKeywords),
            (400, "JSON schema conversion failed:\nUnrecognized schema: {\"not\":{}}", .schemaKeywords),
            (400, "Cannot use custom grammar constraints with tools.", .structuredOutput),
            (400, "Assistant response prefill is incompatible with enable_thinking.", .prefill),
            (
                500,
                "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
                .images
            ),
            (500, "this model is missing data required for image input", .images),
            (500, "failed to load model vocabulary required for format", .structuredOutput),
            (400, "think value \"low\" is not supported for this model", .effort),
            (
                400, "invalid think value: \"max\" (must be \"high\", \"medium\", \"low\", true, or false)",
                .effort
            ),
            (
                400,
                "This model does not support multimodal requests: unsupported content[].type 'image_url'",
                .images
            ),
            // vLLM, SGLang
            (
                400,
                "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
                .tools
            ),
            (400, "At most 0 image(s) may be provided in one prompt.", .images),
            (400, "google/gemma is not a multimodal model", .images),
            (400, "The provided JSON schema contains features not supported by xgrammar.", .schemaKeywords),
            (
                400,
                "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs are not permitted', 'input': {}}]",
                .streamOptions
            ),
            (422, "body.chat_template_kwargs: Extra inputs are not permitted", .thinking),
            (422, "body.continue_final_message: Extra inputs are not permitted", .prefill),
            (422, "body.reasoning_effort: Input should be 'low', 'medium' or 'high'", .effort),
            // LM Studio
            (400, "'response_format.type' must be 'json_schema' or 'text'", .structuredOutput),
            (
                400,
                "Error in iterating prediction stream: ValueError: Model does not support images. Please use a vision model",
                .images
            ),
            // OpenAI, Azure
            (400, "Unsupported parameter: 'reasoning_effort' is not supported with this model.", .effort),
            (400, "Unrecognized request argument supplied: stream_options", .streamOptions),
            (
                400, "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
                .parallelToolCalls
            ),
            (
                400,
                "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
                .structuredOutput
            ),
            (
                400,
                "Invalid schema for function 'Task': schema must have type 'object' and not have 'oneOf' at the top level.",
                .schemaKeywords
            ),
            (
                400, "Invalid schema for response_format 'output': In context=(), 'anyOf' is not permitted.",
                .schemaKeywords
            ),
            (400, "Invalid content type. image_url is only supported by certain models.", .images),
            (
                404,
                "tools is not supported in this model. For a list of supported models, refer to the documentation.",
                .tools
            ),
            // OpenRouter
            (
                404,
                "No endpoints found that support tool use. To learn more about provider routing, visit: https://openrouter.ai/docs",
                .tools
            ),
            (404, "No endpoints found that support image input", .images),
            (404, "No endpoints found that support the provided 'tool_choice' value.", .toolChoice),
            (400, "Reasoning is mandatory for this endpoint and cannot be disabled.", .thinking),
            // DeepSeek
            (400, "Thinking mode does not support this tool_choice", .toolChoice),
            (400, "deepseek-reasoner does not support this tool_choice", .toolChoice),
            (400, "This response_format type is unavailable now", .structuredOutput),
            (
                400,
                "Failed to deserialize the JSON body into the target type: messages[1]: unknown variant `image_url`, expected `text` at line 1 column 214",
                .images
            ),
            // Groq
            (
                400,
                "'messages.2' : for 'role:assistant' the following must be satisfied[('messages.2' : property 'reasoning_content' is unsupported)]",
                .thinking
            ),
            (
                400,
                "'messages.1' : for 'role:user' the following must be satisfied[('messages.1.content' : value must be a string)]",
                .images
            ),
            (400, "`tool calling` is not supported with this model", .tools),
            (400, "json mode cannot be combined with tool/function calling", .structuredOutput),
            (
                400, "This model does not support response format `json_schema`. See supported models",
                .structuredOutput
            ),
            (
                400, "invalid JSON schema for tool Read, tools[0].function.parameters: `/$schema`: unknown",
                .schemaKeywords
            ),
            // Mistral
            (
                400,
                "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
                .prefill
            ),
            (400, "Function calling is not enabled for this model", .tools),
            (422, "body.stream_options: Extra inputs are not permitted", .streamOptions),
            (422, "body.parallel_tool_calls: Extra inputs are not permitted", .parallelToolCalls),
            // Gemini
            (
                400,
                "Invalid JSON payload received. Unknown name \"$schema\" at 'tools[0].function_declarations[0].parameters': Cannot find field.",
                .schemaKeywords
            ),
            (
                400,
                "* GenerateContentRequest.tools[0].function_declarations[3].parameters.properties[x].properties: should be non-empty for OBJECT type",
                .schemaKeywords
            ),
            (
                400, "Invalid JSON payload received. Unknown name \"stream_options\": Cannot find field.",
                .streamOptions
            ),
            (
                400, "Function calling with a response mime type: 'application/json' is unsupported",
                .structuredOutput
            ),
            (400, "Function calling is not enabled for models/gemma-3-27b-it", .tools),
            // others
            (400, "adaptive thinking is not supported on this model", .thinking),
            (
                400,
                "This model does not support assistant message prefill. The conversation must end with a user message.",
                .prefill
            ),
            (400, "json: unknown field \"parallel_tool_calls\"", .parallelToolCalls),
            (400, "property 'tools' is unsupported", .tools),
            (400, "temperature is not supported with this model", .sampling),
            (400, "Unsupported value: 'top_p'", .sampling),
            (
                400,
                "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.",
                .sampling
            ),
            (400, "Unsupported parameter: 'stop' is not supported with this model.", .sampling),
            (
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                .maxTokens
            ),
            (400, "Unrecognized request argument supplied: max_completion_tokens", .maxCompletionTokens),
            (422, "body.max_completion_tokens: Extra inputs are not permitted", .maxCompletionTokens),
            (400, "This model does not support the effort parameter.", .effort),
        ] as [(Int, String, Feature)])
    func named(_ status: Int, _ text: String, _ feature: Feature) {
        #expect(FeatureRefusal.feature(text, status: status, in: Self.every)?.feature == feature)
        // What the call did not contain it was not refused for.
        #expect(
            FeatureRefusal.feature(
                text, status: status,
                in: Self.every.subtracting([feature, .thinking, .maxTokens, .maxCompletionTokens]))?.feature
                == nil)
        #expect(FeatureRefusal.feature(text, status: 401, in: Self.every)?.feature == nil)
        #expect(FeatureRefusal.feature(text, status: 503, in: Self.every)?.feature == nil)
    }

    @Test(
        "what sounds alike and is about something else",
        arguments: [
            "bad thing", "", "Invalid request", "Extra inputs are not permitted",
            "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.",
            "Invalid 'tools': array too long. Expected an array with maximum length 128, but got 140 instead.",
            "Invalid 'messages[0].content[1].image_url.url'. Expected a base64-encoded data URL with an image MIME type, unsupported format",
            "You uploaded an unsupported image. Please make sure your image is valid.",
            "`max_tokens` must be greater than `thinking.budget_tokens`",
            "image_url not supported: unsupported image type: image/webp",
            "unsupported image: image/svg+xml is not supported",
            "max_tokens is too large: 32000. This model supports at most 16384 completion tokens",
            "Invalid 'max_tokens': integer above maximum value. Expected a value <= 4096, but got 8000 instead.",
            "Unexpected role 'user' after role 'tool'", "Conversation roles must alternate user/assistant",
            "System message must be at the beginning.", "this model only supports single tool-calls at once!",
            "model 'x' not found", "No endpoints found matching your data policy",
            "the request exceeds the available context size: tools are not supported",
        ])
    func other(_ text: String) {
        #expect(FeatureRefusal.feature(text, status: 400, in: Self.every)?.feature == nil)
    }

    @Test(
        "words that leave no doubt, and words that may be about this request alone",
        arguments: [
            ("\"m\" does not support tools", true), ("property 'tools' is unsupported", true),
            ("'response_format.type' must be 'json_schema' or 'text'", false),
            ("Thinking mode does not support this tool_choice", false),
            ("invalid think value: \"max\" (must be \"high\", \"medium\" or \"low\")", false),
            ("think value \"low\" is not supported for this model", true),
            ("Failed to initialize samplers: failed to parse grammar", false),
            ("Invalid schema for function 'Task': not like this", false),
            ("messages[1]: unknown variant `image_url`, expected `text`", true),
            ("'messages.2' : property 'reasoning_content' is unsupported", false),
            ("Invalid content type. image_url is only supported by certain models.", true),
            ("tools param requires --jinja flag", true),
            ("google/gemma is not a multimodal model", true),
            ("Assistant response prefill is incompatible with enable_thinking.", false),
        ])
    func plain(_ text: String, _ isPlain: Bool) {
        #expect(FeatureRefusal.feature(text, status: 400, in: Self.every)?.isPlain == isPlain)
    }

    @Test("a prompt that a validator repeats is not read for long")
    func echo() {
        let text = "Field required: " + String(repeating: "x", count: 5000) + " does not support tools"
        #expect(FeatureRefusal.feature(text, status: 400, in: Self.every)?.feature == nil)
    }

    @Test("a model without tools is not refused for sending what it was not sent")
    func nothing() {
        #expect(FeatureRefusal.feature("m does not support tools", status: 400, in: [])?.feature == nil)
    }
}
