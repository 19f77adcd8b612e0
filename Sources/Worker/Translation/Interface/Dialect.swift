// What varies between the two sides of an exchange: the API a client speaks, the dialect a backend
// speaks, and the features that a backend's model was found not to take.

/// The API that the client speaks; its answer and its errors have that API's shape.
public enum ClientAPI: Sendable, Equatable, CaseIterable {
    /// Anthropic's Messages API.
    case messages
    /// OpenAI's chat completions.
    case chat
}

/// The API that the backend speaks.
public enum Dialect: String, Sendable, Equatable, CaseIterable {
    /// OpenAI chat completions, server-sent events.
    case openAI = "openai"
    /// Ollama's `/api/chat`, lines of JSON.
    case ollama
    /// Anthropic's Messages API.
    case anthropic
}

/// Something that a request may ask for and that not every model of every backend takes. A backend that
/// refuses one is asked once more without it, and not asked for it again.
public enum Feature: String, Sendable, CaseIterable {
    case thinking
    /// A level of effort beside it.
    case effort
    case tools
    case toolChoice = "tool_choice"
    case parallelToolCalls = "parallel_tool_calls"
    case streamOptions = "stream_options"
    /// `response_format`, `format`, `output_config.format`.
    case structuredOutput = "structured_output"
    case images
    /// What of JSON Schema a grammar cannot express; without it schemas are simplified.
    case schemaKeywords = "schema_keywords"
    case prefill
    /// `temperature`, `top_p`, `top_k` and stop sequences.
    case sampling
    /// The length of the answer under this name, which newer models of OpenAI's no longer take…
    case maxTokens = "max_tokens"
    /// … and under the newer name, which older servers do not know.
    case maxCompletionTokens = "max_completion_tokens"
}
