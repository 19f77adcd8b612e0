// Errors as clients of the Messages API read them, and as backends write them that speak it.

import JSON

enum MessagesDialect: ClientDialect {
    static var path: StaticString { "/v1/messages" }
    static var passthrough: Dialect? { .anthropic }
    static var replyIDPrefix: String { "msg_" }

    static func parse(_ body: RequestBody, head: MessagesHead) throws(Failure) -> any ParsedRequest {
        try MessagesRequest(reading: body, head: head)
    }

    static func reply(_ start: ReplyStart, _ plan: ReplyPlan) -> ReplyMachine {
        guard !plan.isPassthrough else { return ReplyMachine(PassthroughReply<MessagesPassthrough>(start)) }
        let writer = MessageStreamWriter(
            form: start.streaming ? .events : .message, head: .init(start, plan: plan))
        return plan.dialect.reply(start, plan, in: writer)
    }

    static func body(of error: ClientError, requestID: String) -> [UInt8] {
        var out: [UInt8] = []
        out.append(ascii: "{\"type\":\"error\",\"error\":")
        error.appendObject(to: &out)
        out.append(ascii: ",\"request_id\":")
        out.appendJSON(requestID)
        out.append(UInt8(ascii: "}"))
        return out
    }

    static var errorOpening: StaticString { "event: error\ndata: " }

    static func error(_ node: JSONNode, in root: JSONNode, message: String, status: Int?) -> UpstreamFault? {
        guard root["type"]?.stringEquals("error") == true,
            let kind = (node["type"]?.string).flatMap(ErrorKind.init(rawValue:))
        else { return nil }
        return UpstreamFault(passed: .messages, status: status ?? kind.status, kind: kind, said: message)
    }

    static func hiddenOverflow(_ node: JSONNode, message: String, status: Int) -> ContextOverflow? {
        status < 500 && !isUnderstood(message) ? ContextOverflow(text: message) : nil
    }

    /// Words on which clients compact, or ask for less.
    private static func isUnderstood(_ message: String) -> Bool {
        let words = message.lowercased()
        return [
            "prompt is too long", "input is too long for requested model",
            "capability_rejected: prompt_too_long",
            "exceed context limit",
        ].contains { words.contains($0) }
    }

    static func isWhole(_ node: JSONNode) -> Bool { true }
}
