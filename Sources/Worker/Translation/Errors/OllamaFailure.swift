// What Ollama's words mean where its status does not say it: errors in the stream have none, and some that can
// be put right come as 500. Pure.

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
            return ClientError(
                status: 502, kind: .api,
                message: "the backend's Ollama is not signed in for this model: run `ollama signin` there",
                shouldRetry: false)
        }
        if words.contains("model"), words.contains("not found") {
            return ClientError(
                status: 404, kind: .notFound, message: "model: \(model) (\(said.message))")
        }
        if status == 404 {
            return ClientError(
                status: 502, kind: .api, message: "backend has no /api/chat (404)", shouldRetry: false)
        }
        if words.contains("does not support") {
            return ClientError(status: 400, kind: .invalidRequest, message: said.message)
        }
        if busy.contains(where: words.contains) {
            return ClientError(
                status: 529, kind: .overloaded, message: said.firstLine, retryAfter: 5, shouldRetry: true)
        }
        if unparsed.contains(where: words.contains) {
            return ClientError(status: 500, kind: .api, message: said.firstLine, shouldRetry: true)
        }
        if words.contains("more system memory") {
            return ClientError(status: 500, kind: .api, message: said.firstLine, shouldRetry: false)
        }
        return nil
    }

    private static let busy = ["server busy", "maximum pending requests", "llm server loading model"]
    /// It could not read what its model wrote (ollama#12380, ollama#14834); the next try may be better.
    private static let unparsed = [
        "xml syntax error", "error parsing tool call", "failed to parse tool call",
    ]
}
