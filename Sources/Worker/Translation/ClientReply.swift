// The reply to a client's request, however it is made: translated delta by delta, or handed through. One type
// for those who only move bytes and keep time.

/// What an exchange's owner does with a reply: bytes in, bytes out, one end.
public struct ClientReply: Sendable {
    /// One of the two is there; both in place, so that nothing is moved for a delta.
    private var translated: MessagesReply?
    private var relayed: RelayedReply?

    /// - Parameters:
    ///   - messageID: the id that the client sees where the reply is translated.
    ///   - requestID: stands in errors.
    ///   - created: when the reply was begun, in seconds since 1970.
    public init(
        to request: ClientRequest, _ call: UpstreamCall, messageID: String, requestID: String, created: Int
    ) {
        guard !call.plan.isRelayed else {
            relayed = RelayedReply(
                door: request.door, streaming: request.stream, requestID: requestID,
                requestedModel: request.model)
            return
        }
        var chat: ChatStreamWriter.Head?
        if case .chat(let request) = request {
            chat = ChatStreamWriter.Head(
                completionID: messageID, model: request.model, created: created,
                includesUsage: request.includesUsage)
        }
        translated = MessagesReply(
            plan: call.plan, streaming: request.stream, messageID: messageID, requestID: requestID,
            requestedModel: request.model, inputEstimate: call.estimate.tokens, chat: chat)
    }

    public typealias Phase = MessagesReply.Phase

    public var phase: Phase { translated?.phase ?? relayed?.phase ?? .undecided }
    /// The error, when the reply ended before anything was said to the client.
    public var failure: ClientError? { translated?.failure ?? relayed?.failure }
    /// What the backend said that its model does not take, when it failed without having answered anything.
    public var refused: Feature? { translated?.refused }
    /// Something of an answer has come; what is handed through is not looked into.
    public var hasBegun: Bool { translated?.hasBegun ?? false }
    /// The model has stopped; only counts and the end of the framing can still come.
    public var hasStopped: Bool { translated?.hasStopped ?? false }
    /// False once the reply has ended: the transfer may be ended too.
    public var wantsMore: Bool { translated?.wantsMore ?? relayed?.wantsMore ?? false }
    public var hasOutput: Bool { translated?.hasOutput ?? relayed?.hasOutput ?? false }
    public var usage: Usage { translated?.usage ?? relayed?.usage ?? Usage() }
    /// Tokens of the prompt as the backend itself counted them; nil where it did not.
    public var reportedInput: Int? { translated?.reportedInput ?? relayed?.reportedInput }
    /// The backend did not read the whole prompt.
    public var promptCut: PromptCut? { translated?.promptCut }
    /// What was put right in this reply, by name.
    public var repairs: [String] { translated?.repairs ?? relayed?.repairs ?? [] }

    public mutating func receive(head: UpstreamHead) {
        translated?.receive(head: head)
        relayed?.receive(head: head)
    }

    /// Bytes of the upstream's body, cut anywhere.
    public mutating func receive(_ bytes: [UInt8]) {
        translated?.receive(bytes)
        relayed?.receive(bytes)
    }

    /// One step of a reply that no upstream makes.
    public mutating func receive(_ delta: Delta) { translated?.receive(delta) }

    public mutating func end(_ end: UpstreamEnd) {
        translated?.end(end)
        relayed?.end(end)
    }

    /// The time to hold the status back has passed.
    public mutating func commitEarly() {
        translated?.commitEarly()
        relayed?.commitEarly()
    }

    public mutating func ping() {
        translated?.ping()
        relayed?.ping()
    }

    /// The client left.
    public mutating func cancel() {
        translated?.cancel()
        relayed?.cancel()
    }

    /// Client bytes made so far: events, or the JSON body once ended.
    public mutating func takeOutput() -> [UInt8] {
        translated?.takeOutput() ?? relayed?.takeOutput() ?? []
    }
}
