// One reply, from the upstream's bytes to the client's: which state the exchange is in, and its one end. What
// is the same for replies that are translated and for those that are handed through.
// Holds: nothing of an answer is said to the client before it is decided whether this is a reply or an error;
// every reply ends in exactly one outcome; nothing follows it.

/// What a reply is begun with.
struct ReplyStart: Sendable {
    /// The client reads events.
    var streaming: Bool
    /// The id that the client sees where the reply is translated.
    var messageID: String
    /// Stands in errors.
    var requestID: String
    /// The model as the client named it.
    var model: String
    /// Tokens of the prompt, where the backend does not count them.
    var inputEstimate = 0
    /// What the client has seen of an earlier reply to the same request.
    var opening = ReplyOpening.nothing
    /// For errors.
    var backend = BackendIdentity()
}

/// A reply as a value. A conformer says what it does with the parts of the body; when which of them comes,
/// and what an end means, is said here.
protocol Reply: Sendable {
    var start: ReplyStart { get }
    var body: ReplyBody { get set }

    // What is known of the reply beside its bytes.

    /// What the backend said that its model does not take, when it failed without having answered anything.
    var refused: Refusal? { get }
    /// Something of an answer has come.
    var hasBegun: Bool { get }
    /// The model has stopped; only counts and the end of the framing can still come.
    var hasStopped: Bool { get }
    var usage: Usage { get }
    /// Tokens of the prompt as the backend itself counted them; nil where it did not.
    var reportedInput: Int? { get }
    /// The backend did not read the whole prompt.
    var promptTruncation: PromptTruncation? { get }
    /// What was put right in this reply, by name.
    var repairs: [String] { get }

    // What it does with the body.

    static var streamBeginsWithBrace: Bool { get }
    /// Part of the stream has been read.
    var hasRead: Bool { get }
    mutating func read(stream bytes: Span<UInt8>)
    mutating func readStreamEnd()
    /// Reads the collected document and ends.
    mutating func readDocument()
    /// Reads the collected error and ends.
    mutating func readFailure()
    /// The body is over. Ends the reply if nothing of the answer can be missing.
    mutating func finishIfStopped()
    /// What is wrong with a body that is complete and was no answer; nil = it ended early.
    var incompleteness: Failure? { get }
    /// One step of a reply that no upstream makes.
    mutating func receive(_ delta: Delta)

    // What it writes.

    /// Before `write(_:)` and `discardOutput`.
    mutating func willFail(_ failure: Failure)
    /// An error behind a part of the answer.
    mutating func write(_ failure: Failure)
    mutating func commit()
    /// What may stand before every answer.
    mutating func writeOpening()
    /// The event that every stream begins with is written.
    var hasStarted: Bool { get }
    mutating func writePing()
    mutating func discardOutput()
    var hasWritten: Bool { get }
    mutating func takeWritten() -> [UInt8]
}

extension Reply {
    /// False once the reply has ended: the transfer may be ended too.
    @inline(__always)
    var wantsMore: Bool { body.wantsMore }

    // MARK: what came

    mutating func receive(head: UpstreamHead) {
        if let error = body.receive(head: head) { fail(error) }
    }

    /// Bytes of the upstream's body, cut anywhere.
    mutating func receive(_ bytes: Span<UInt8>) {
        guard wantsMore, !bytes.isEmpty else { return }
        let start = body.begin(bytes, streamBeginsWithBrace: Self.streamBeginsWithBrace)
        let bytes = bytes.extracting(droppingFirst: start)
        switch body.kind {
        case .unknown: break
        case .stream: read(stream: bytes)
        case .document, .failure: if let error = body.collect(bytes) { fail(error) }
        }
    }

    mutating func end(_ end: UpstreamEnd) {
        guard wantsMore else { return }
        if case .stream = body.kind { readStreamEnd() }
        guard wantsMore else { return }
        switch body.kind {
        case .document where end == .complete: readDocument()
        case .failure where body.isSuccess:
            fail(.upstream(.page(body.collected, at: start.backend.place)))
        case .failure: readFailure()
        case .unknown, .stream, .document: break
        }
        if wantsMore { finishIfStopped() }
        guard wantsMore else { return }
        if end == .complete, !hasRead {
            body.saidNothing = body.isUnknown
            if let error = body.opening.failure(at: start.backend.place) ?? incompleteness {
                return fail(error)
            }
        }
        let hadBytes = body.hadBytes || hasRead
        let failure = Failure(end, hadBytes: hadBytes)
        fail(failure, as: end.outcome(failure, hadBytes: hadBytes))
    }

    /// The time to hold the status back has passed.
    mutating func openEarly() {
        guard start.streaming, body.isUndecided, !body.isOpened else { return }
        writeOpening()
        body.open()
        writePing()
    }

    mutating func ping() { if body.isStreaming || body.isUndecided && body.isOpened { writePing() } }

    /// What of it the client has seen, or sees with what it writes next, although nothing of an answer has come.
    var opening: ReplyOpening { !body.isOpened ? .nothing : hasStarted ? .started : .head }

    /// The client left.
    mutating func cancel() {
        guard wantsMore else { return }
        discardOutput()
        body.end(.cancelled)
    }

    // MARK: what goes out

    /// Client bytes made so far: events, or the JSON body once ended.
    mutating func takeOutput() -> [UInt8] {
        (!body.isUndecided || body.isOpened) && hasWritten ? takeWritten() : []
    }

    // MARK: the end

    mutating func fail(_ failure: Failure, as outcome: Outcome? = nil) {
        willFail(failure)
        let failure = failure.identified(as: start.backend)
        let isStreaming = body.isStreaming
        if isStreaming { write(failure) } else if !body.isOpened { discardOutput() }
        body.end(outcome?.with(failure) ?? .upstreamFailed(failure), failure: isStreaming ? nil : failure)
    }
}
