// Why a backend of the OpenAI dialect stopped, in Anthropic's words.

import JSON

enum OpenAIFinish {
    enum Verdict: Equatable {
        case stopped(StopReason)
        /// The backend gave up, for the reason that it said.
        case failed(String)
    }

    /// The verdict of a choice, nil while it goes on.
    static func read(_ choice: JSONNode, _ root: JSONNode, stopSequences: [String]) -> Verdict? {
        guard let reason = choice["finish_reason"]?.string, !reason.isEmpty, reason != "null" else {
            return nil
        }
        if let native = choice["native_finish_reason"]?.string, refusals.contains(native.uppercased()) {
            return .stopped(.refusal)
        }
        let word = String(reason.lowercased().map { $0 == "-" ? "_" : $0 })
        if refusals.contains(word.uppercased()) { return .stopped(.refusal) }
        switch word {
        case "tool_calls", "tool_call", "function_call", "tool_use": return .stopped(.toolUse)
        case "length", "max_tokens", "model_length", "max_length", "max_output_tokens", "max_new_tokens":
            return .stopped(.maxTokens)
        case "model_context_window_exceeded", "context_window_exceeded", "context_length_exceeded":
            return .stopped(.contextWindowExceeded)
        case "content_filter", "refusal", "sensitive": return .stopped(.refusal)
        case "error", "abort", "cancelled", "network_error", "insufficient_system_resource",
            "malformed_function_call", "unexpected_tool_call", "server_error", "timeout":
            return .failed(reason)
        default:
            let matched = [
                choice["stop_reason"], choice["matched_stop"], root["stopping_word"],
                root["__verbose"]?["stopping_word"],
            ]
            for text in matched.compactMap({ $0?.string }) where stopSequences.contains(text) {
                return .stopped(.stopSequence(text))
            }
            return .stopped(.endTurn)
        }
    }

    private static let refusals: Set<String> = [
        "SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII",
    ]
}
