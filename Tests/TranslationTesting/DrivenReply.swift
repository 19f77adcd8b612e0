// A reply as tests and fuzzers drive it: the worker's own type, for any pair of client and backend, handed about
// with what it wrote.

internal import JSON
public import Translation

public struct DrivenReply {
    /// A client reply is not to be copied.
    private final class Held {
        var reply: ClientReply
        /// What its owner writes of an error behind a head that went out early was written.
        var isOver = false
        init(_ reply: consuming ClientReply) { self.reply = reply }
    }

    private let held: Held
    private let api: ClientAPI
    private let requestID: String

    /// The reply to a request, as the call that was made of it says.
    public init(
        to request: ClientRequest, _ call: UpstreamCall, messageID: String = "msg_1",
        requestID: String = "req_1", created: Int = 0, opening: ReplyOpening = .nothing
    ) {
        (api, self.requestID) = (request.api, requestID)
        held = Held(
            ClientReply(
                to: request, call, messageID: messageID, requestID: requestID, created: created,
                opening: opening))
    }

    /// The beginning of a reply that no backend has been chosen for.
    public init(opening request: ClientRequest, messageID: String = "msg_1") {
        (api, requestID) = (request.api, "req_1")
        held = Held(
            ClientReply(opening: request, messageID: messageID, requestID: requestID, created: 0))
    }

    /// A reply with a plan that was made up: random ones are more than there are requests for.
    public init(to request: ClientRequest, plan: ReplyPlan, opening: ReplyOpening = .nothing) {
        var call = UpstreamCall(path: "", body: [], omissions: [], plan: plan)
        call.estimate.text = 11
        self.init(to: request, call, opening: opening)
    }

    public init(plan: ReplyPlan, streaming: Bool) { self.init(to: .plain(streaming: streaming), plan: plan) }

    /// A whole answer of the backend, its body cut at these places; what the client gets of it.
    /// - Parameters:
    ///   - early: the time to hold the status back passes before the answer begins.
    ///   - each: looks at what was written for one piece of the body.
    public mutating func play(
        _ head: UpstreamHead, _ body: [UInt8], cuts: [Int], early: Bool, _ end: UpstreamEnd,
        each: ([UInt8]) -> Void = { _ in }
    ) -> [UInt8] {
        var output: [UInt8] = []
        if early { openEarly() }
        receive(head: head)
        var start = 0
        for cut in cuts + [body.count] {
            receive(body[start..<cut])
            start = cut
            let written = takeOutput()
            each(written)
            output += written
        }
        self.end(end)
        return output + takeOutput()
    }

    public var phase: ClientReply.Phase { held.reply.phase }
    public var failure: Failure? { held.reply.failure }
    public var refused: Refusal? { held.reply.refused }
    public var opening: ReplyOpening { held.reply.opening }
    public var wantsMore: Bool { held.reply.wantsMore }
    public var usage: Usage { held.reply.usage }
    public var repairs: [String] { held.reply.repairs }

    public mutating func receive(head: UpstreamHead) { held.reply.receive(head: head) }
    public mutating func receive(_ bytes: [UInt8]) { held.reply.receive(bytes) }
    public mutating func receive(_ bytes: ArraySlice<UInt8>) { held.reply.receive(bytes) }
    public mutating func receive(_ delta: Delta) { held.reply.receive(delta) }
    public mutating func end(_ end: UpstreamEnd) { held.reply.end(end) }
    public mutating func openEarly() { held.reply.openEarly() }
    public mutating func ping() { held.reply.ping() }
    public mutating func cancel() { held.reply.cancel() }
    /// Also what its owner writes when no other backend is left to be asked.
    public mutating func takeOutput() -> [UInt8] {
        let output = held.reply.takeOutput()
        guard let failure, held.reply.opening != .nothing, !held.isOver else { return output }
        held.isOver = true
        return output + failure.event(for: api, requestID: requestID)
    }
}

extension ClientRequest {
    /// What a client asks who only says hello.
    /// - Parameter members: further members of the request, as JSON text.
    public static func plain(
        at api: ClientAPI = .messages, model: String = "m", streaming: Bool, _ members: String...
    ) -> ClientRequest {
        var name: [UInt8] = []
        name.appendJSON(model)
        let usual = [
            #""model":\#(String(decoding: name, as: UTF8.self))"#, #""max_tokens":1000"#,
            #""messages":[{"role":"user","content":"Hello"}]"#, #""stream":\#(streaming)"#,
        ]
        let body = Array("{\((usual + members).joined(separator: ","))}".utf8)
        do { return try ClientRequest(parsing: body, at: api, head: MessagesHead()) } catch {
            preconditionFailure("\(error)")
        }
    }
}
