// A reply as tests drive it: the worker's own type, for any pair of client and backend, handed about with what it
// wrote.

@testable import Translation

struct DrivenReply {
    /// A client reply is not to be copied.
    private final class Held {
        var reply: ClientReply
        init(_ reply: consuming ClientReply) { self.reply = reply }
    }

    private let held: Held

    /// A translated reply, or with a plan that says so one whose bytes pass. The plan is given, not made from the
    /// request: there are more plans than requests to be found for them.
    /// - Parameter chat: not nil for clients of OpenAI's API.
    init(
        plan: ReplyPlan, streaming: Bool, messageID: String, requestID: String, requestedModel: String,
        inputEstimate: Int, chat: ChatStreamWriter.Head? = nil
    ) {
        var call = UpstreamCall(path: "", body: [], omissions: [], plan: plan)
        call.estimate.text = inputEstimate
        held = Held(
            ClientReply(
                to: Self.request(of: requestedModel, streaming: streaming, chat: chat), call,
                messageID: chat?.completionID ?? messageID, requestID: requestID, created: chat?.created ?? 0)
        )
    }

    /// A reply whose bytes pass.
    init(api: ClientAPI, streaming: Bool, requestID: String, requestedModel: String) {
        var plan = ReplyPlan()
        plan.isPassthrough = true
        self.init(
            plan: plan, streaming: streaming, messageID: "msg_1", requestID: requestID,
            requestedModel: requestedModel, inputEstimate: 1,
            chat: api == .chat ? .init(completionID: "", model: requestedModel, created: 0) : nil)
    }

    /// What a client asks who gets such a reply.
    private static func request(of model: String, streaming: Bool, chat: ChatStreamWriter.Head?)
        -> ClientRequest
    {
        var members = [
            #""model":"\#(model)""#, #""max_tokens":100"#, #""messages":[{"role":"user","content":"Hello"}]"#,
            #""stream":\#(streaming)"#,
        ]
        if let chat {
            if streaming { members.append(#""stream_options":{"include_usage":\#(chat.includesUsage)}"#) }
            if chat.readsFunctionCall {
                members.append(#""functions":[{"name":"Read","parameters":{"type":"object"}}]"#)
            }
        }
        let body = Array("{\(members.joined(separator: ","))}".utf8)
        do {
            return try ClientRequest(parsing: body, at: chat == nil ? .messages : .chat, head: MessagesHead())
        } catch {
            preconditionFailure("\(error)")
        }
    }

    /// A whole answer of the backend, its body cut at these places; what the client gets of it.
    /// - Parameter early: the time to hold the status back passes before the answer begins.
    mutating func play(
        _ head: UpstreamHead, _ body: [UInt8], cuts: [Int], early: Bool, _ end: UpstreamEnd
    ) -> [UInt8] {
        var output: [UInt8] = []
        if early { commitEarly() }
        receive(head: head)
        var start = 0
        for cut in cuts + [body.count] {
            receive(body[start..<cut])
            start = cut
            output += takeOutput()
        }
        self.end(end)
        return output + takeOutput()
    }

    var phase: ClientReply.Phase { held.reply.phase }
    var failure: ClientError? { held.reply.failure }
    var refused: Refusal? { held.reply.refused }
    var wantsMore: Bool { held.reply.wantsMore }
    var usage: Usage { held.reply.usage }
    var repairs: [String] { held.reply.repairs }

    mutating func receive(head: UpstreamHead) { held.reply.receive(head: head) }
    mutating func receive(_ bytes: [UInt8]) { held.reply.receive(bytes) }
    mutating func receive(_ bytes: ArraySlice<UInt8>) { held.reply.receive(bytes) }
    mutating func receive(_ delta: Delta) { held.reply.receive(delta) }
    mutating func end(_ end: UpstreamEnd) { held.reply.end(end) }
    mutating func commitEarly() { held.reply.commitEarly() }
    mutating func ping() { held.reply.ping() }
    mutating func cancel() { held.reply.cancel() }
    mutating func takeOutput() -> [UInt8] { held.reply.takeOutput() }
}
