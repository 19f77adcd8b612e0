// What OpenAI's chat completions API calls the parts of a request.

struct ChatVocabulary: RequestVocabulary {
    /// The client asked for a length.
    var asksLength = false

    func path(of part: RequestPart) -> String? {
        switch part {
        case .maxTokens: asksLength ? "max_tokens" : nil
        case .temperature: "temperature"
        case .topP: "top_p"
        case .topK: "top_k"
        case .stopSequences: "stop"
        case .thinking, .effort: "reasoning_effort"
        case .outputFormat: "response_format"
        case .tools: "tools"
        case .toolSchemas: "tools.function.parameters"
        case .toolChoice: "tool_choice"
        case .parallelToolUse: "parallel_tool_calls"
        case .usageOfStream: "stream_options"
        case .further(let option): String(describing: option.name)
        // Blocks are not what the client wrote.
        case .messages, .block: "messages"
        case .reasoning(let message): "messages[\(message)].reasoning_content"
        }
    }

    var emptyConversation: Failure {
        .chat("Invalid 'messages': none of them says anything.", "messages")
    }
}
