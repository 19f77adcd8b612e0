// One reply of a backend that speaks the client's own API: bytes pass as they came, frame by frame, but for
// the model's name. Holds, as for a translated reply: nothing is said to the client before it is decided
// whether this is a reply or an error; no half frame is sent; every reply ends in exactly one outcome, and one
// that was cut off never looks complete.

import JSON

public struct PassthroughReply: Sendable {
    public typealias Phase = TranslatedReply.Phase

    /// What the upstream's body is taken for.
    private enum Body {
        /// Nothing but space came yet.
        case unknown
        case events
        /// One JSON text.
        case document
        /// Not an answer: an error's text.
        case failure
    }

    /// Bytes of comments and pings that are kept while nothing is decided.
    static let idleLimit = 16 << 10

    public private(set) var phase = Phase.undecided
    /// The error, when the reply ended before anything was said to the client.
    public private(set) var failure: ClientError?
    /// The backend answered with success and without a byte.
    public private(set) var saidNothing = false
    /// What was mended, by name.
    public private(set) var repairs: [String] = []

    private let door: ClientAPI
    private let streaming: Bool
    private let requestID: String
    private let model: String
    private let backend: BackendIdentity
    private var head = UpstreamHead(status: 200, contentType: "")
    private var body = Body.unknown
    private var hadBytes = false
    /// An event of the backend's was passed on; a ping of ours is none.
    private var hasPassed = false
    private var opening = AnswerOpening()
    private var frames = PassthroughFrames()
    private var reader: PassthroughReader
    private var document: [UInt8] = []
    private var output: [UInt8] = []

    /// - Parameters:
    ///   - door: the API that client and backend speak.
    ///   - requestID: stands in errors.
    ///   - requestedModel: the name that the client sees.
    ///   - backend: for errors.
    public init(
        door: ClientAPI, streaming: Bool, requestID: String, requestedModel: String,
        backend: BackendIdentity = BackendIdentity()
    ) {
        self.door = door
        self.streaming = streaming
        self.requestID = requestID
        model = requestedModel
        self.backend = backend
        reader = PassthroughReader(door: door, model: requestedModel)
    }

    /// False once the reply has ended.
    public var wantsMore: Bool { if case .ended = phase { false } else { true } }
    /// As the backend counted; zeros where it said nothing.
    public var usage: Usage { reader.usage }

    /// Tokens of the whole prompt as the backend counted them; nil where it did not.
    public var reportedInput: Int? {
        let input = usage.input &+ usage.cacheRead &+ usage.cacheCreation
        return input > 0 ? input : nil
    }

    // MARK: what came

    public mutating func receive(head: UpstreamHead) {
        self.head = head
        let isFailure = !(200...299).contains(head.status)
        if isFailure { body = .failure } else if !head.isReadable { fail(.compressed(head)) }
    }

    public mutating func receive(_ bytes: [UInt8]) { receive(bytes.span) }
    public mutating func receive(_ bytes: ArraySlice<UInt8>) { receive(bytes.span) }

    /// Bytes of the upstream's body, cut anywhere.
    public mutating func receive(_ bytes: Span<UInt8>) {
        guard wantsMore, !bytes.isEmpty else { return }
        hadBytes = true
        guard case .unknown = body else { return take(bytes) }
        let first = recognise(bytes)
        take(bytes.extracting(droppingFirst: first))
    }

    /// The place of the first byte that is no white space; it tells what the body is.
    private mutating func recognise(_ bytes: Span<UInt8>) -> Int {
        var at = 0
        while at < bytes.count, Ascii.isSpace(bytes[at]) { at += 1 }
        guard at < bytes.count else { return at }
        switch bytes[at] {
        case UInt8(ascii: "{"), UInt8(ascii: "["): body = .document
        case UInt8(ascii: "<"): body = .failure
        default:
            body = head.contentType == "text/html" ? .failure : .events
            opening.begin(head)
        }
        return at
    }

    private mutating func take(_ bytes: Span<UInt8>) {
        switch body {
        case .unknown: break
        case .events:
            // A stream that nobody asked for.
            guard streaming || opening.isKept else { return fail(Self.unreadable) }
            opening.keep(bytes, isStream: hasPassed)
            guard streaming else { return }
            frames.append(bytes)
            output.reserveCapacity(output.count + bytes.count)
            pass()
        case .document:
            guard bytes.count <= TranslatedReply.documentLimit - document.count else {
                return fail(.answerTooLarge)
            }
            bytes.withUnsafeBufferPointer { document.append(contentsOf: $0) }
        case .failure:
            guard head.isReadable else { return }
            // The rest of a long page says nothing more.
            let room = TranslatedReply.failureLimit - document.count
            bytes.extracting(first: min(room, bytes.count)).withUnsafeBufferPointer {
                document.append(contentsOf: $0)
            }
        }
    }

    public mutating func end(_ end: UpstreamEnd) {
        guard wantsMore else { return }
        switch body {
        case .events:
            while wantsMore, let frame = frames.last() { read(frame, isWhole: false) }
        case .document where end == .complete: readDocument()
        case .failure where (200...299).contains(head.status):
            fail(UpstreamFailure.page(document, at: backend.place))
        case .failure: fail(PassthroughFailure.answer(head: head, body: document, model: model, door: door))
        case .unknown, .document: break
        }
        guard wantsMore else { return }
        if door == .chat, reader.hasStopped { return finishChat() }
        if end == .complete {
            if case .unknown = body { saidNothing = true }
            if !hasPassed, let error = opening.failure(at: backend.place) { return fail(error) }
            // A stream that nobody asked for.
            if !streaming, opening.isKept { return fail(Self.unreadable) }
        }
        let error = UpstreamFailure.transport(end, hadBytes: hadBytes)
        fail(error, as: end.outcome(error, hadBytes: hadBytes))
    }

    /// The time to hold the status back has passed. Nothing is invented that the backend's own first event
    /// would contradict.
    public mutating func commitEarly() {
        guard streaming, phase == .undecided else { return }
        phase = .streaming
        ping()
    }

    public mutating func ping() {
        guard phase == .streaming else { return }
        switch door {
        case .messages: output.append(ascii: "event: ping\ndata: {\"type\":\"ping\"}\n\n")
        case .chat: output.append(ascii: ": ping\n\n")
        }
    }

    /// The client left.
    public mutating func cancel() {
        guard wantsMore else { return }
        output = []
        phase = .ended(.cancelled)
    }

    // MARK: what goes out

    public var hasOutput: Bool {
        switch phase {
        case .undecided: false
        case .streaming, .ended: !output.isEmpty
        }
    }

    /// Client bytes made so far: whole frames, or the JSON body once ended.
    public mutating func takeOutput() -> [UInt8] {
        guard hasOutput else { return [] }
        var taken: [UInt8] = []
        swap(&taken, &output)
        return taken
    }

    // MARK: frames

    /// All complete frames; neighbours of which nothing changes go out in one piece.
    private mutating func pass() {
        var run = 0..<0
        while wantsMore, let frame = frames.next() {
            let meaning = reader.read(frame, of: frames, isWhole: true)
            guard case .part = meaning, phase == .streaming, !frame.lacksEnd else {
                output.append(contentsOf: frames.buffer[run])
                run = 0..<0
                act(meaning, frame)
                continue
            }
            hasPassed = true
            run = run.isEmpty ? frame.whole : run.lowerBound..<frame.whole.upperBound
        }
        output.append(contentsOf: frames.buffer[run])
    }

    private mutating func read(_ frame: PassthroughFrames.Frame, isWhole: Bool) {
        act(reader.read(frame, of: frames, isWhole: isWhole), frame)
    }

    private mutating func act(_ meaning: PassthroughReader.Meaning, _ frame: PassthroughFrames.Frame) {
        switch meaning {
        case .foreign: break
        case .failed(let error): fail(error)
        case .idle:
            if phase == .streaming || output.count < Self.idleLimit { append(frame) }
        case .part:
            begin()
            append(frame)
        case .named(let range):
            begin()
            append(frame, naming: range)
        case .end:
            append(frame)
            phase = .ended(.completed)
        }
    }

    private mutating func begin() {
        phase = .streaming
        hasPassed = true
    }

    private mutating func append(_ frame: PassthroughFrames.Frame) {
        output.append(contentsOf: frames.buffer[frame.whole])
        if frame.lacksEnd { mend() }
    }

    /// The frame with the requested model's name in place of `range` of its data.
    private mutating func append(_ frame: PassthroughFrames.Frame, naming range: Range<Int>) {
        guard frame.isJoined else {
            output.append(contentsOf: frames.buffer[frame.whole.lowerBound..<range.lowerBound])
            output.appendJSON(model)
            output.append(contentsOf: frames.buffer[range.upperBound..<frame.whole.upperBound])
            if frame.lacksEnd { mend() }
            return
        }
        // Data on several lines: the frame is written anew, line by line.
        var data = Array(frames.joined[..<range.lowerBound])
        data.appendJSON(model)
        data.append(contentsOf: frames.joined[range.upperBound..<frame.data.upperBound])
        if !frame.event.isEmpty {
            output.append(ascii: "event: ")
            output.append(contentsOf: frames.buffer[frame.event])
            output.append(Ascii.lineFeed)
        }
        for line in data.split(separator: Ascii.lineFeed) {
            output.append(ascii: "data: ")
            output.append(contentsOf: line)
            output.append(Ascii.lineFeed)
        }
        output.append(Ascii.lineFeed)
    }

    /// Ends a frame whose blank line did not come.
    private mutating func mend() {
        if output.last != Ascii.lineFeed { output.append(Ascii.lineFeed) }
        output.append(Ascii.lineFeed)
        note("frame-end")
    }

    private mutating func note(_ repair: String) {
        if !repairs.contains(repair) { repairs.append(repair) }
    }

    // MARK: documents

    private mutating func readDocument() {
        guard let root = (try? JSONDocument(parsing: document))?.root else { return fail(Self.unreadable) }
        if let error = PassthroughFailure.inside(root, door: door) { return fail(error) }
        guard let meaning = reader.read(whole: root) else { return fail(Self.unreadable) }
        if streaming {
            // The client reads events: the answer is told as one.
            phase = .streaming
            switch door {
            case .messages: MessageEvents.append(root, model: model, to: &output)
            case .chat: CompletionChunks.append(root, model: model, to: &output)
            }
            note("whole-answer")
        } else if case .named(let range) = meaning {
            output.reserveCapacity(document.count + model.utf8.count)
            output.append(contentsOf: document[..<range.lowerBound])
            output.appendJSON(model)
            output.append(contentsOf: document[range.upperBound...])
        } else {
            output = document
        }
        document = []
        phase = .ended(.completed)
    }

    // MARK: the end

    /// The backend said why it stopped and left out the last frame.
    private mutating func finishChat() {
        output.append(ascii: "data: [DONE]\n\n")
        note("no-done")
        phase = .ended(.completed)
    }

    private mutating func fail(_ error: ClientError, as outcome: Outcome? = nil) {
        let error = error.told(of: backend)
        if phase == .streaming {
            append(error)
        } else {
            output = []
            failure = error
        }
        document = []
        phase = .ended(outcome?.with(error) ?? .upstreamFailed(error))
    }

    private mutating func append(_ error: ClientError) {
        switch door {
        case .messages:
            // Clients keep the blocks that have ended: a text is worth keeping, half a tool call is not.
            if let index = reader.openText {
                output.append(
                    ascii: "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":")
                output.appendJSON(index)
                output.append(ascii: "}\n\n")
            }
            output.append(ascii: "event: error\ndata: ")
        case .chat: output.append(ascii: "data: ")
        }
        output.append(contentsOf: error.body(requestID: requestID, door: door))
        output.append(ascii: "\n\n")
    }

    private static let unreadable = ClientError.answerUnreadable
}
