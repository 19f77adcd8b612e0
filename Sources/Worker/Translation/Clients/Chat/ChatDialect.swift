// Errors as OpenAI's clients read them, and as backends write them that speak its API.

import JSON

enum ChatDialect: ClientDialect {
    static var path: StaticString { "/v1/chat/completions" }
    static var passthrough: Dialect? { .openAI }
    static var replyIDPrefix: String { "chatcmpl-" }
    static var requestIDField: String? { "x-request-id" }

    static func parse(_ body: RequestBody, head: MessagesHead) throws(Failure) -> any ParsedRequest {
        try ChatRequest(reading: body)
    }

    static func reply(_ start: ReplyStart, _ plan: ReplyPlan, head: ChatStreamWriter.Head) -> ReplyMachine {
        guard !plan.isPassthrough else { return ReplyMachine(PassthroughReply<ChatPassthrough>(start)) }
        let writer = ChatStreamWriter(form: start.streaming ? .events : .message, head: head)
        return plan.dialect.reply(start, plan, in: writer)
    }

    static func body(of error: ClientError, requestID: String) -> [UInt8] {
        var out: [UInt8] = []
        out.append(ascii: "{\"error\":")
        error.appendChatObject(to: &out)
        out.append(UInt8(ascii: "}"))
        return out
    }

    static var errorOpening: StaticString { "data: " }

    static func error(_ node: JSONNode, in root: JSONNode, message: String, status: Int?) -> UpstreamFault? {
        if let status = status ?? Self.status(node["code"]) {
            return UpstreamFault(
                passed: .chat, status: status, kind: ErrorKind(status: status), said: message)
        }
        // Told as in translation; with its own words, its own object too.
        guard var fault = UpstreamFault.inside(root), fault.ownWords == message else { return nil }
        let terms = Failure.upstream(fault).terms
        fault.passed = PassedError(api: .chat, status: terms.status, kind: terms.kind)
        fault.advice = RetryAdvice(after: terms.retryAfter, again: terms.shouldRetry, prevails: true)
        return fault
    }

    private static func status(_ code: JSONNode?) -> Int? {
        code?.int.flatMap { (400...599).contains($0) ? $0 : nil }
    }

    /// Clients of this API look at the code: a full context has one, whatever the backend calls it.
    static func hiddenOverflow(_ node: JSONNode, message: String, status: Int) -> ContextOverflow? {
        guard node["code"]?.stringEquals("context_length_exceeded") != true else { return nil }
        return ContextOverflow(
            text: message, code: node["code"]?.string ?? "", type: node["type"]?.string ?? "")
    }

    static func isWhole(_ node: JSONNode) -> Bool { node["type"]?.isString == true }
}
