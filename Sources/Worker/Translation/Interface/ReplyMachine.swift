// A reply behind one name, whatever it is made of: asked a few times for each read of the backend's answer,
// never for an event.

/// What an exchange's owner does with a reply: bytes in, bytes out, one end.
protocol ReplyMachine: AnyObject {
    var phase: ReplyPhase { get }
    var failure: Failure? { get }
    var refused: Refusal? { get }
    var saidNothing: Bool { get }
    var hasBegun: Bool { get }
    var hasStopped: Bool { get }
    var wantsMore: Bool { get }
    var usage: Usage { get }
    var reportedInput: Int? { get }
    var promptTruncation: PromptTruncation? { get }
    var repairs: [String] { get }

    func receive(head: UpstreamHead)
    func receive(_ bytes: Span<UInt8>)
    func receive(_ delta: Delta)
    func end(_ end: UpstreamEnd)
    func commitEarly()
    func ping()
    func cancel()
    func takeOutput() -> [UInt8]
}

/// Keeps a reply in its place: nothing of it is moved to be looked at. Each kind of reply has a class of its
/// own that is not generic: only for such ones the compiler specialises what a protocol asks for, and with it
/// all that is called for an event.
protocol ReplyHolder: ReplyMachine {
    associatedtype Held: Reply

    var reply: Held { get set }
}

extension ReplyHolder {
    var phase: ReplyPhase { reply.body.phase }
    var failure: Failure? { reply.body.failure }
    var refused: Refusal? { reply.refused }
    var saidNothing: Bool { reply.body.saidNothing }
    var hasBegun: Bool { reply.hasBegun }
    var hasStopped: Bool { reply.hasStopped }
    var wantsMore: Bool { reply.wantsMore }
    var usage: Usage { reply.usage }
    var reportedInput: Int? { reply.reportedInput }
    var promptTruncation: PromptTruncation? { reply.promptTruncation }
    var repairs: [String] { reply.repairs }

    func receive(head: UpstreamHead) { reply.receive(head: head) }
    func receive(_ bytes: Span<UInt8>) { reply.receive(bytes) }
    func receive(_ delta: Delta) { reply.receive(delta) }
    func end(_ end: UpstreamEnd) { reply.end(end) }
    func commitEarly() { reply.commitEarly() }
    func ping() { reply.ping() }
    func cancel() { reply.cancel() }
    func takeOutput() -> [UInt8] { reply.takeOutput() }
}
