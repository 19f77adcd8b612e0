// What Ollama's words mean where its status does not say it: errors in the stream have none, and some that
// can be put right come as 500. Pure.

import JSON

enum OllamaFaults {
    /// Seconds to wait for a server that is busy or loading the model.
    private static let busyDelay = 5

    /// An answer with an error status.
    /// - Parameter model: as the client named it.
    static func answer(
        head: UpstreamHead, body: [UInt8], model: String, _ plan: ReplyPlan
    ) -> UpstreamFault {
        let said = FailureText(body: body)
        if let cause = known(said, status: head.status, model, plan) {
            return UpstreamFault(cause, status: head.status, said: said.message)
        }
        return UpstreamFault.answer(head: head, body: body, model: model)
    }

    /// The error in a line; nil if there is none in it.
    static func inside(_ root: JSONNode, model: String, _ plan: ReplyPlan) -> UpstreamFault? {
        guard root["error"] != nil, let said = FailureText(json: root) else { return nil }
        if let cause = known(said, status: said.status, model, plan) {
            return UpstreamFault(cause, status: said.status ?? 200, said: said.message)
        }
        return UpstreamFault.named(said)
    }

    private static func known(
        _ said: FailureText, status: Int?, _ model: String, _ plan: ReplyPlan
    ) -> UpstreamFault.Cause? {
        let words = said.message.lowercased()
        if var overflow = ContextOverflow(text: said.message, code: said.code, type: said.type) {
            overflow.complete(window: plan.contextWindow, estimate: plan.promptEstimate)
            return .promptTooLong(overflow)
        }
        if status == 401 || words.contains("unauthorized") || words.contains("ollama signin") {
            return .notSignedIn
        }
        if words.contains("model"), words.contains("not found") { return .modelMissing(model) }
        if status == 404 { return .endpointMissing("/api/chat") }
        if words.contains("does not support") { return .requestRejected }
        if busy.contains(where: words.contains) { return .overloaded(retryAfter: busyDelay) }
        if unparsed.contains(where: words.contains) { return .unparsedOutput }
        if words.contains("more system memory") { return .outOfMemory }
        return nil
    }

    private static let busy = ["server busy", "maximum pending requests", "llm server loading model"]
    /// It could not read what its model wrote (ollama#12380, ollama#14834); the next try may be better.
    private static let unparsed = [
        "xml syntax error", "error parsing tool call", "failed to parse tool call",
    ]
}
