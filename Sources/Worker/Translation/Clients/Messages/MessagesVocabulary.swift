// What Anthropic's Messages API calls the parts of a request.

struct MessagesVocabulary: RequestVocabulary {
    func path(of part: RequestPart) -> String? {
        switch part {
        case .maxTokens: "max_tokens"
        case .temperature: "temperature"
        case .topP: "top_p"
        case .topK: "top_k"
        case .stopSequences: "stop_sequences"
        case .thinking: "thinking"
        case .effort: "output_config.effort"
        case .outputFormat: "output_config.format"
        case .tools: "tools"
        case .toolSchemas: "tools.input_schema"
        case .toolChoice: "tool_choice"
        case .parallelToolUse: "tool_choice.disable_parallel_tool_use"
        case .usageOfStream: "stream_options"
        case .further(let option): String(describing: option.name)
        case .messages: "messages"
        case .block(let message, let block): "messages.\(message).content.\(block)"
        case .reasoning(let message): "messages.\(message)"
        }
    }

    var emptyConversation: Failure {
        .invalid("messages: text content blocks must be non-empty")
    }
}
