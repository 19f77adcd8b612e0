// The reply to a client's request, however it is made: translated delta by delta, or handed through. One type
// for those who only move bytes and keep time.

/// What an exchange's owner does with a reply: bytes in, bytes out, one end. Not to be copied: it is large, and
/// its owner looks at it with every delta.
public struct ClientReply: ~Copyable {
    /// Keeps a reply in its place: nothing of it is moved to be looked at.
    private final class Held<Reply> {
        // Reached through the one reply that owns it: nothing to check at run time.
        @exclusivity(unchecked) var reply: Reply

        init(_ reply: Reply) { self.reply = reply }
    }

    /// One of the two is there.
    private let translated: Held<TranslatedReply>?
    private let relayed: Held<PassthroughReply>?

    /// - Parameters:
    ///   - messageID: the id that the client sees where the reply is translated.
    ///   - requestID: stands in errors.
    ///   - created: when the reply was begun, in seconds since 1970.
    public init(
        to request: ClientRequest, _ call: UpstreamCall, messageID: String, requestID: String, created: Int
    ) {
        guard !call.plan.isPassthrough else {
            translated = nil
            relayed = Held(
                PassthroughReply(
                    door: request.door, streaming: request.stream, requestID: requestID,
                    requestedModel: request.model, backend: call.plan.backend))
            return
        }
        var chat: ChatStreamWriter.Head?
        if case .chat(let request) = request {
            chat = ChatStreamWriter.Head(
                completionID: messageID, model: request.model, created: created,
                includesUsage: request.includesUsage, readsFunctionCall: request.readsFunctionCall)
        }
        relayed = nil
        translated = Held(
            TranslatedReply(
                plan: call.plan, streaming: request.stream, messageID: messageID, requestID: requestID,
                requestedModel: request.model, inputEstimate: call.estimate.tokens, chat: chat))
    }

    public typealias Phase = TranslatedReply.Phase

    public var phase: Phase { translated?.reply.phase ?? relayed?.reply.phase ?? .undecided }
    /// The error, when the reply ended before anything was said to the client.
    public var failure: ClientError? { translated?.reply.failure ?? relayed?.reply.failure }
    /// What the backend said that its model does not take, when it failed without having answered anything.
    public var refused: Refusal? { translated?.reply.refused }
    /// The backend answered with success and without a byte.
    public var saidNothing: Bool { translated?.reply.saidNothing ?? relayed?.reply.saidNothing ?? false }
    /// Something of an answer has come; what is handed through is not looked into.
    public var hasBegun: Bool { translated?.reply.hasBegun ?? false }
    /// The model has stopped; only counts and the end of the framing can still come.
    public var hasStopped: Bool { translated?.reply.hasStopped ?? false }
    /// False once the reply has ended: the transfer may be ended too.
    public var wantsMore: Bool { translated?.reply.wantsMore ?? relayed?.reply.wantsMore ?? false }
    public var usage: Usage { translated?.reply.usage ?? relayed?.reply.usage ?? Usage() }
    /// Tokens of the prompt as the backend itself counted them; nil where it did not.
    public var reportedInput: Int? { translated?.reply.reportedInput ?? relayed?.reply.reportedInput }
    /// The backend did not read the whole prompt.
    public var promptTruncation: PromptTruncation? { translated?.reply.promptTruncation }
    /// What was put right in this reply, by name.
    public var repairs: [String] { translated?.reply.repairs ?? relayed?.reply.repairs ?? [] }

    public mutating func receive(head: UpstreamHead) {
        translated?.reply.receive(head: head)
        relayed?.reply.receive(head: head)
    }

    /// Bytes of the upstream's body, cut anywhere.
    public mutating func receive(_ bytes: [UInt8]) {
        translated?.reply.receive(bytes)
        relayed?.reply.receive(bytes)
    }

    /// One step of a reply that no upstream makes.
    public mutating func receive(_ delta: Delta) { translated?.reply.receive(delta) }

    public mutating func end(_ end: UpstreamEnd) {
        translated?.reply.end(end)
        relayed?.reply.end(end)
    }

    /// The time to hold the status back has passed.
    public mutating func commitEarly() {
        translated?.reply.commitEarly()
        relayed?.reply.commitEarly()
    }

    public mutating func ping() {
        translated?.reply.ping()
        relayed?.reply.ping()
    }

    /// The client left.
    public mutating func cancel() {
        translated?.reply.cancel()
        relayed?.reply.cancel()
    }

    /// Client bytes made so far: events, or the JSON body once ended.
    public mutating func takeOutput() -> [UInt8] {
        translated?.reply.takeOutput() ?? relayed?.reply.takeOutput() ?? []
    }
}
