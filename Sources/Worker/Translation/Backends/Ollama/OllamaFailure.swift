// What Ollama's words mean where its status does not say it: errors in the stream have none, and some that
// can be put right come as 500. Pure.

import JSON

enum OllamaFailure {
    /// An answer with an error status.
    /// - Parameter model: as the client named it.
    static func answer(
        head: UpstreamHead, body: [UInt8], model: String, _ plan: ReplyPlan
    ) -> ClientError {
        let said = FailureText(body: body)
        if let error = known(said, status: head.status, model, plan) { return error }
        return UpstreamFailure.answer(head: head, body: body, model: model)
    }

    /// The error in a line; nil if there is none in it.
    static func inside(_ root: JSONNode, model: String, _ plan: ReplyPlan) -> ClientError? {
        guard root["error"] != nil, let said = FailureText(json: root) else { return nil }
        return known(said, status: said.status, model, plan) ?? UpstreamFailure.named(said)
    }

    private static func known(
        _ said: FailureText, status: Int?, _ model: String, _ plan: ReplyPlan
    ) -> ClientError? {
        let words = said.message.lowercased()
        if var overflow = ContextOverflow(text: said.message, code: said.code, type: said.type) {
            overflow.complete(window: plan.contextWindow, estimate: plan.promptEstimate)
            return overflow.error(original: said.message)
        }
        if status == 401 || words.contains("unauthorized") || words.contains("ollama signin") {
            return .backend(
                502, .api, "is not signed in to Ollama for this model: run `ollama signin` there.",
                shouldRetry: false)
        }
        if words.contains("model"), words.contains("not found") {
            return .noModel(model, said.message)
        }
        if status == 404 {
            return .backend(502, .api, "has no /api/chat (404).", shouldRetry: false)
        }
        if words.contains("does not support") {
            return .said(400, .invalidRequest, said.message, by: status ?? 200)
        }
        if busy.contains(where: words.contains) {
            return .said(
                529, .overloaded, said.firstLine, by: status ?? 200, retryAfter: 5, shouldRetry: true)
        }
        if unparsed.contains(where: words.contains) {
            return .said(500, .api, said.firstLine, by: status ?? 200, shouldRetry: true)
        }
        if words.contains("more system memory") {
            return .said(500, .api, said.firstLine, by: status ?? 200, shouldRetry: false)
        }
        return nil
    }

    private static let busy = ["server busy", "maximum pending requests", "llm server loading model"]
    /// It could not read what its model wrote (ollama#12380, ollama#14834); the next try may be better.
    private static let unparsed = [
        "xml syntax error", "error parsing tool call", "failed to parse tool call",
    ]
}
