// One reply, from the upstream's bytes to the client's: which state the exchange is in, and its one end.
// Holds: nothing is said to the client before it is decided whether this is a reply or an error; every reply
// ends in exactly one outcome; nothing follows it.

import JSON

public struct TranslatedReply: Sendable {
    public enum Phase: Sendable, Equatable {
        /// Nothing that decides the status has come. A reply without a stream stays here until it ends.
        case undecided
        case streaming
        case ended(Outcome)
    }

    /// What the upstream's body is taken for.
    private enum Body {
        /// Nothing but space came yet.
        case unknown
        case events
        /// Ollama's.
        case lines
        /// One JSON text.
        case document
        /// Not an answer: an error's text.
        case failure
    }

    /// Bytes of a whole completion, read or written.
    static let documentLimit = 64 << 20
    /// Bytes of an error's text that are read.
    static let failureLimit = 256 << 10

    public private(set) var phase = Phase.undecided
    /// The error, when the reply ended before anything was said to the client.
    public private(set) var failure: ClientError?
    /// What the backend said that its model does not take, when it failed without having answered anything.
    public private(set) var refused: Refusal?

    /// The backend answered with success and without a byte.
    public private(set) var saidNothing = false

    private let refusable: RefusablePlan
    private let backend: BackendIdentity
    private let streaming: Bool
    private let requestID: String
    private let requestedModel: String
    private var head = UpstreamHead(status: 200, contentType: "")
    private var body = Body.unknown
    private var hadBytes = false
    private var opening = AnswerOpening()
    private var decoder = SSEDecoder()
    private var document: [UInt8] = []
    private var reader: OpenAIChunkReader
    /// In place of `decoder` and `reader` where the backend speaks Ollama's dialect.
    private var ollama: OllamaLines?
    /// In place of `reader` where the backend speaks the Messages API.
    private var anthropic: AnthropicEventReader?
    private(set) var composer: ReplyComposer
    private var deltas: [Delta] = []
    private var hadChunk = false

    public init(
        plan: ReplyPlan, streaming: Bool, messageID: String, requestID: String, requestedModel: String,
        inputEstimate: Int
    ) {
        self.init(
            plan: plan, streaming: streaming, messageID: messageID, requestID: requestID,
            requestedModel: requestedModel, inputEstimate: inputEstimate, chat: nil)
    }

    /// - Parameter chat: not nil for clients of OpenAI's API.
    init(
        plan: ReplyPlan, streaming: Bool, messageID: String, requestID: String, requestedModel: String,
        inputEstimate: Int, chat: ChatStreamWriter.Head?
    ) {
        self.streaming = streaming
        self.requestID = requestID
        self.requestedModel = requestedModel
        refusable = RefusablePlan(plan)
        backend = plan.backend
        reader = OpenAIChunkReader(plan: plan)
        if plan.dialect == .ollama { ollama = OllamaLines(plan: plan, model: requestedModel) }
        if plan.dialect == .anthropic { anthropic = AnthropicEventReader() }
        composer = ReplyComposer(
            plan: plan, form: streaming ? .events : .message, messageID: messageID, model: requestedModel,
            inputEstimate: inputEstimate, chat: chat)
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
        // White space before the first word belongs to no line, whether it comes alone or with it.
        let first = recognise(bytes)
        take(bytes.extracting(droppingFirst: first))
    }

    private var isUnknown: Bool { if case .unknown = body { true } else { false } }

    private mutating func take(_ bytes: Span<UInt8>) {
        switch body {
        case .unknown: break
        case .events:
            opening.keep(bytes, isStream: hadChunk)
            composer.reserve(bytes.count)
            decoder.append(bytes)
            while wantsMore, let frame = decoder.next() { read(frame) }
            if !streaming, composer.writer.pending > Self.documentLimit { fail(.answerTooLarge) }
        case .lines:
            opening.keep(bytes, isStream: hadChunk)
            composer.reserve(bytes.count)
            ollama?.append(bytes)
            readOllama(atEnd: false)
            if !streaming, composer.writer.pending > Self.documentLimit { fail(.answerTooLarge) }
        case .document: collect(bytes, limit: Self.documentLimit)
        case .failure:
            guard head.isReadable else { return }
            // The rest of a long page says nothing more.
            let room = Self.failureLimit - document.count
            collect(bytes.extracting(first: min(room, bytes.count)), limit: Self.failureLimit)
        }
    }

    /// One step of a reply that no upstream makes.
    public mutating func receive(_ delta: Delta) {
        guard wantsMore else { return }
        hadChunk = true
        apply(delta)
    }

    public mutating func end(_ end: UpstreamEnd) {
        guard wantsMore else { return }
        switch body {
        case .events:
            while wantsMore, let frame = decoder.last() { read(frame, isWhole: false) }
        case .lines:
            readOllama(atEnd: true)
            if case .document = body, end == .complete { readDocument() }
        case .document where end == .complete: ollama == nil && isLines ? readLines() : readDocument()
        case .failure: readFailure()
        case .unknown, .document: break
        }
        guard wantsMore else { return }
        guard composer.stop == nil else { return finish() }
        let began = hadBytes || hadChunk
        if end == .complete, !hadChunk {
            saidNothing = isUnknown
            if let error = opening.failure(at: backend.place) { return fail(error) }
        }
        let error = UpstreamFailure.transport(end, hadBytes: began)
        fail(error, as: end.outcome(error, hadBytes: began))
    }

    /// The time to hold the status back has passed.
    public mutating func commitEarly() {
        guard streaming, phase == .undecided else { return }
        commit()
        composer.ping()
    }

    public mutating func ping() { if phase == .streaming { composer.ping() } }

    /// The client left.
    public mutating func cancel() {
        guard wantsMore else { return }
        composer.discardOutput()
        phase = .ended(.cancelled)
    }

    // MARK: what goes out

    /// Client bytes made so far: events, or the JSON body once ended.
    public mutating func takeOutput() -> [UInt8] { hasOutput ? composer.takeOutput() : [] }

    /// As `takeOutput`, onto bytes that the caller has; no memory changes hands.
    public mutating func drainOutput(into bytes: inout [UInt8]) {
        if hasOutput { composer.drainOutput(into: &bytes) }
    }

    public var hasOutput: Bool {
        if !streaming, wantsMore { return false }
        return !composer.writer.isEmpty
    }

    /// The backend did not read the whole prompt.
    public var promptTruncation: PromptTruncation? { ollama?.reader.promptTruncation }

    /// False once the reply has ended: the transfer may be ended too.
    public var wantsMore: Bool { if case .ended = phase { false } else { true } }

    // MARK: reading

    /// The place of the first byte that is no white space; it tells what the body is.
    private mutating func recognise(_ bytes: Span<UInt8>) -> Int {
        var at = 0
        while at < bytes.count, Ascii.isSpace(bytes[at]) { at += 1 }
        guard at < bytes.count else { return at }
        switch bytes[at] {
        case UInt8(ascii: "{") where ollama != nil: body = .lines
        case UInt8(ascii: "{"), UInt8(ascii: "["): body = .document
        case UInt8(ascii: "<"): body = .failure
        default:
            body = head.contentType == "text/html" ? .failure : ollama == nil ? .events : .lines
            opening.begin(head)
        }
        return at
    }

    private mutating func collect(_ bytes: Span<UInt8>, limit: Int) {
        guard bytes.count <= limit - document.count else { return fail(.answerTooLarge) }
        bytes.withUnsafeBufferPointer { document.append(contentsOf: $0) }
    }

    /// - Parameter isWhole: false for what the end of the body left.
    private mutating func read(_ frame: SSEDecoder.Frame, isWhole: Bool = true) {
        let bytes = frame.isJoined ? decoder.joined[frame.range] : decoder.buffer[frame.range]
        switch frame.kind {
        case .tooLarge: return fail(.answerTooLarge)
        case .namedError where anthropic != nil: return fail(AnthropicEventReader.failure(named: bytes))
        case .namedError, .errorField: return fail(UpstreamFailure.named(data: bytes))
        case .data, .unframed: break
        }
        let reading =
            anthropic == nil
            ? reader.read(bytes, into: &deltas) : anthropic?.read(bytes, into: &deltas) ?? .foreign
        switch reading {
        case .foreign: composer.note("malformed-chunk")
        case .broken: broken(isWhole: isWhole)
        case .done: done()
        case .read:
            guard !bytes.isEmpty else { return }
            hadChunk = true
            applyDeltas()
        }
        deltas.removeAll(keepingCapacity: true)
    }

    private mutating func readOllama(atEnd: Bool) {
        while wantsMore, let step = ollama?.next(atEnd: atEnd, into: &deltas) {
            switch step {
            case .waiting: return
            case .tooLarge: return fail(.answerTooLarge)
            case .foreign: composer.note("malformed-chunk")
            case .broken: broken(isWhole: !atEnd)
            case .document(let beginning):
                body = .document
                return collect(beginning.span, limit: Self.documentLimit)
            case .read:
                hadChunk = true
                applyDeltas()
                if ollama?.reader.isDone == true, wantsMore { finish() }
            }
            deltas.removeAll(keepingCapacity: true)
        }
    }

    /// Something came that was meant to be part of the answer. Without it the answer would look whole and not be;
    /// after the model has stopped it can only be counts.
    private mutating func broken(isWhole: Bool) {
        composer.note("malformed-chunk")
        if isWhole, composer.stop == nil { fail(.eventUnreadable) }
    }

    private mutating func applyDeltas() {
        for delta in deltas where wantsMore { apply(delta) }
        if wantsMore, phase == .undecided, streaming { commit() }
    }

    @inline(__always)
    private mutating func apply(_ delta: Delta) {
        do {
            if phase == .undecided, streaming, delta.decides { commit() }
            try composer.receive(delta)
        } catch {
            if case .failed = delta, let text = reader.unparsedCalls, recovers(text) { return }
            // What fails after the model has stopped does not take the answer back.
            composer.stop == nil ? fail(error) : finish()
        }
    }

    private mutating func done() {
        guard composer.stop == nil else { return finish() }
        guard hadChunk else {
            return fail(UpstreamFailure.transport(.complete, hadBytes: true), as: .truncated)
        }
        finishUnsaid()
    }

    /// The end of a reply whose backend did not say that the model had stopped.
    private mutating func finishUnsaid() {
        guard !composer.endsInsideCall else {
            return fail(UpstreamFailure.transport(.complete, hadBytes: true), as: .truncated)
        }
        composer.note("no-finish-reason")
        finish()
    }

    private mutating func readFailure() {
        guard !(200...299).contains(head.status) else {
            return fail(UpstreamFailure.page(document, at: backend.place))
        }
        let root = (try? JSONDocument(parsing: document))?.root
        if let text = root.flatMap(UpstreamFailure.unparsedCalls), recovers(text) { return }
        let error =
            anthropic.map { _ in AnthropicEventReader.failure(head, document, model: requestedModel) }
            ?? ollama?.reader.failure(head, document)
            ?? UpstreamFailure.answer(head: head, body: document, model: requestedModel)
        // By all of its words: those for the client may be fewer.
        refused = Refusal(FailureText(body: document).message, status: head.status, of: refusable)
        fail(error)
    }

    /// Whether calls that the backend could not read can be read here; then they end the reply.
    private mutating func recovers(_ text: JSONText) -> Bool {
        guard let found = composer.calls(in: text) else { return false }
        if phase == .undecided, streaming { commit() }
        composer.receive(unparsed: found)
        return true
    }

    /// Whether the body is a JSON text with others, or junk, on lines behind it.
    private var isLines: Bool {
        guard let end = document.firstIndex(of: Ascii.lineFeed), end > 1,
            !document[end...].allSatisfy(Ascii.isSpace)
        else { return false }
        return (try? JSONDocument(parsing: Array(document[..<end])))?.root.isObject == true
    }

    /// Chunks on lines of their own, without a field name.
    private mutating func readLines() {
        let lines = document
        document = []
        decoder.append(lines.span)
        while wantsMore, let frame = decoder.next() { read(frame) }
        while wantsMore, let frame = decoder.last() { read(frame) }
    }

    private mutating func readDocument() {
        let parsed =
            (try? JSONDocument(parsing: document))
            ?? (try? JSONDocument(parsing: JSONRepair.mended(document[...])))
        guard let root = parsed?.root,
            anthropic?.read(whole: root, into: &deltas) ?? ollama?.read(whole: root, into: &deltas)
                ?? reader.read(root, into: &deltas)
        else {
            return fail(.answerUnreadable)
        }
        let isAnswer = root["choices"]?.first != nil || ollama != nil || anthropic != nil
        if isAnswer { hadChunk = true }
        applyDeltas()
        deltas.removeAll()
        guard wantsMore else { return }
        guard isAnswer || composer.stop != nil else {
            return fail(.backend(502, .api, "sent an answer without choices."))
        }
        composer.stop == nil ? finishUnsaid() : finish()
    }

    // MARK: the end

    private mutating func commit() {
        composer.start()
        phase = .streaming
    }

    private mutating func finish() {
        if let cut = promptTruncation { composer.note("prompt-cut(\(cut.estimated)>\(cut.evaluated))") }
        do { try composer.finish() } catch { return fail(error) }
        phase = .ended(.completed)
    }

    private mutating func fail(_ error: ClientError, as outcome: Outcome? = nil) {
        if refused == nil, composer.isBlank {
            refused = Refusal(error.message, status: error.status, of: refusable)
        }
        let error = error.told(of: backend)
        if phase == .streaming {
            composer.fail(error, requestID: requestID)
        } else {
            composer.discardOutput()
            failure = error
        }
        phase = .ended(outcome?.with(error) ?? .upstreamFailed(error))
    }
}
