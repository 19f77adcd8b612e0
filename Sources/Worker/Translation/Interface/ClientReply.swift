// The reply to a client's request, however it is made: translated delta by delta, or handed through. One type
// for those who only move bytes and keep time.

/// What an exchange's owner does with a reply: bytes in, bytes out, one end. Not to be copied: there is one
/// reply behind it.
public struct ClientReply: ~Copyable {
    private let machine: ReplyMachine

    init(_ machine: ReplyMachine) { self.machine = machine }

    /// - Parameters:
    ///   - messageID: the id that the client sees where the reply is translated.
    ///   - requestID: stands in errors.
    ///   - created: when the reply was begun, in seconds since 1970.
    ///   - opening: what the client has seen of an earlier reply to the same request.
    public init(
        to request: ClientRequest, _ call: UpstreamCall, messageID: String, requestID: String, created: Int,
        opening: ReplyOpening = .nothing
    ) {
        let start = ReplyStart(
            streaming: request.stream, messageID: messageID, requestID: requestID, model: request.model,
            inputEstimate: call.estimate.tokens, opening: opening, backend: call.plan.backend)
        machine = request.reply(start, call.plan, created: created)
    }

    /// The beginning of the reply to a request whose backend has not been chosen yet: it can only be opened
    /// early, and give signs of life.
    public init(
        opening request: ClientRequest, messageID: String, requestID: String, created: Int,
        opening: ReplyOpening = .nothing
    ) {
        let start = ReplyStart(
            streaming: request.stream, messageID: messageID, requestID: requestID, model: request.model,
            inputEstimate: request.estimatedInputTokens, opening: opening)
        machine = request.reply(start, ReplyPlan(), created: created)
    }

    public typealias Phase = ReplyPhase

    public var phase: Phase { machine.phase() }
    /// The error, when the reply ended before anything of an answer was said to the client.
    public var failure: Failure? { machine.failure() }
    /// What the backend said that its model does not take, when it failed without having answered anything.
    public var refused: Refusal? { machine.refused() }
    /// The backend answered with success and without a byte.
    public var saidNothing: Bool { machine.saidNothing() }
    /// What the client has seen before an answer.
    public var opening: ReplyOpening { machine.opening() }
    /// Something of an answer has come; what is handed through is not looked into.
    public var hasBegun: Bool { machine.hasBegun() }
    /// The model has stopped; only counts and the end of the framing can still come.
    public var hasStopped: Bool { machine.hasStopped() }
    /// False once the reply has ended: the transfer may be ended too.
    public var wantsMore: Bool { machine.wantsMore() }
    public var usage: Usage { machine.usage() }
    /// Tokens of the prompt as the backend itself counted them; nil where it did not.
    public var reportedInput: Int? { machine.reportedInput() }
    /// The backend did not read the whole prompt.
    public var promptTruncation: PromptTruncation? { machine.promptTruncation() }
    /// What was put right in this reply, by name.
    public var repairs: [String] { machine.repairs() }

    public mutating func receive(head: UpstreamHead) { machine.receiveHead(head) }
    /// Bytes of the upstream's body, cut anywhere.
    public mutating func receive(_ bytes: [UInt8]) { machine.receiveBytes(bytes.span) }
    public mutating func receive(_ bytes: ArraySlice<UInt8>) { machine.receiveBytes(bytes.span) }
    /// One step of a reply that no upstream makes.
    public mutating func receive(_ delta: Delta) { machine.receiveDelta(delta) }
    public mutating func end(_ end: UpstreamEnd) { machine.end(end) }
    /// The time to hold the status back has passed.
    public mutating func openEarly() { machine.openEarly() }
    public mutating func ping() { machine.ping() }
    /// The client left.
    public mutating func cancel() { machine.cancel() }
    /// Client bytes made so far: events, or the JSON body once ended.
    public mutating func takeOutput() -> [UInt8] { machine.takeOutput() }
}
