// An upstream that says what a golden case says, and the reply that is made of it.

import JSON

@testable import Translation

/// Bytes of one answer as its upstream sends them, and how the transport ends.
struct ScriptedUpstream: Sendable {
    var head = UpstreamHead(status: 200, contentType: "text/event-stream")
    var body: [UInt8] = []
    var end = UpstreamEnd.complete
    var plan = ReplyPlan()

    init(head: UpstreamHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }

    init(_ golden: GoldenCase) throws {
        let file = try golden.read()
        let circumstances = try golden.circumstances(file)
        head = circumstances.answer
        end = circumstances.end
        plan = circumstances.plan
        (body, head.contentType) = file.answer
    }

    /// The reply, its upstream's bytes given in these pieces.
    func run(
        streaming: Bool, cuts: [Int] = [], early: Bool = false, chat: ChatStreamWriter.Head? = nil
    ) -> (DrivenReply, output: [UInt8]) {
        var reply = DrivenReply(
            plan: plan, streaming: streaming, messageID: "msg_golden", requestID: "req_golden",
            requestedModel: "claude-x", inputEstimate: 11, chat: chat)
        let output = reply.play(head, body, cuts: cuts, early: early, end)
        return (reply, output)
    }

    /// What the client gets: the bytes, or the status and body of an error.
    static func shown(_ result: (DrivenReply, output: [UInt8]), at api: ClientAPI = .messages) -> [UInt8] {
        guard let failure = result.0.failure else { return result.output }
        var text = "HTTP \(failure.status(for: api))\n"
        if let seconds = failure.retryAfter { text += "retry-after: \(seconds)\n" }
        if let retry = failure.shouldRetry { text += "x-should-retry: \(retry)\n" }
        return Array(text.utf8) + failure.body(requestID: "req_golden", api: api) + [0x0A]
    }
}

extension CaseFile {
    /// What the backend answers, and the type that it says it is of.
    var answer: (body: [UInt8], contentType: String) {
        let types = [
            "answer.sse": "text/event-stream", "answer.ndjson": "application/x-ndjson",
            "answer.json": "application/json", "answer.html": "text/html",
        ]
        let section = sections.first { $0.kind == .input && types[$0.name] != nil }
        return (section?.bytes ?? [], section.flatMap { types[$0.name] } ?? "")
    }
}
