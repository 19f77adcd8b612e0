// A reply as tests drive it: for any pair of client and backend, made of a plan, and handed about with what
// it wrote.

@testable import Translation

@dynamicMemberLookup
struct DrivenReply {
    private let machine: any ReplyMachine

    /// A translated reply.
    /// - Parameter chat: not nil for clients of OpenAI's API.
    init(
        plan: ReplyPlan, streaming: Bool, messageID: String, requestID: String, requestedModel: String,
        inputEstimate: Int, chat: ChatStreamWriter.Head? = nil
    ) {
        let start = ReplyStart(
            streaming: streaming, messageID: messageID, requestID: requestID, model: requestedModel,
            inputEstimate: inputEstimate, backend: plan.backend)
        machine =
            chat.map { ReplyPair.toChat(start, plan: plan, head: $0) }
            ?? ReplyPair.toMessages(start, plan: plan)
    }

    /// A reply whose bytes pass.
    init(door: ClientAPI, streaming: Bool, requestID: String, requestedModel: String) {
        var plan = ReplyPlan()
        plan.isPassthrough = true
        self.init(
            plan: plan, streaming: streaming, messageID: "msg_1", requestID: requestID,
            requestedModel: requestedModel, inputEstimate: 1,
            chat: door == .chat ? .init(completionID: "", model: requestedModel, created: 0) : nil)
    }

    subscript<Fact>(dynamicMember fact: KeyPath<any ReplyMachine, Fact>) -> Fact { machine[keyPath: fact] }

    mutating func receive(head: UpstreamHead) { machine.receive(head: head) }
    mutating func receive(_ bytes: [UInt8]) { machine.receive(bytes.span) }
    mutating func receive(_ bytes: ArraySlice<UInt8>) { machine.receive(bytes.span) }
    mutating func receive(_ delta: Delta) { machine.receive(delta) }
    mutating func end(_ end: UpstreamEnd) { machine.end(end) }
    mutating func commitEarly() { machine.commitEarly() }
    mutating func ping() { machine.ping() }
    mutating func cancel() { machine.cancel() }
    mutating func takeOutput() -> [UInt8] { machine.takeOutput() }
}
