// Requests that no backend has to see: the gateway knows the only honest answer.

import JSON

/// What the gateway answers by itself.
public enum LocalAnswer: Sendable, Equatable {
    /// `max_tokens` 0: the client wants a prompt cache warmed and no answer. An empty message with
    /// `stop_reason` `max_tokens`.
    case nothing
    /// The only tool offered is Anthropic's web search. A model without it would make results up, and
    /// clients cannot tell them from real ones; the answer holds a `server_tool_use` with this query and a
    /// `web_search_tool_result` with the error code `unavailable`.
    case webSearchUnavailable(query: String)
}

extension CanonicalRequest {
    /// nil = a backend has to answer.
    var localAnswer: LocalAnswer? {
        if self.maxTokens == 0 { return .nothing }
        // In mid-conversation the model has more to say than what a search would bring.
        let isFirstTurn = !self.messages.contains { $0.role == .assistant }
        guard isFirstTurn, !self.tools.isEmpty, self.tools.allSatisfy(\.isWebSearch),
            self.toolChoice != .never
        else {
            return nil
        }
        var query = ""
        for block in self.messages.last(where: { $0.role == .user })?.blocks ?? [] {
            if case .text(let node) = block { query = node.string ?? "" }
        }
        return .webSearchUnavailable(query: String(query.prefix(400)))
    }
}

extension Tool {
    fileprivate var isWebSearch: Bool {
        guard case .server(let type) = kind else { return false }
        return type.hasPrefix("web_search_")
    }
}
