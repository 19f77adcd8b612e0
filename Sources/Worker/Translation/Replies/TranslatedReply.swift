// A reply of a backend that speaks another API than the client: its bytes to deltas, the deltas to the
// client's words.

import JSON

struct TranslatedReply<Reader: UpstreamReader, Writer: ReplyWriter>: Reply {
    let start: ReplyStart
    var body = ReplyBody()
    private(set) var refused: Refusal?

    private let refusable: RefusablePlan
    private var reader: Reader
    private var composer: ReplyComposer<Writer>
    private var deltas: [Delta] = []
    private var hadChunk = false

    init(_ start: ReplyStart, plan: ReplyPlan, writer: Writer) {
        self.start = start
        refusable = RefusablePlan(plan)
        reader = Reader(plan: plan, model: start.model)
        composer = ReplyComposer(
            plan: plan, stopSequences: Reader.heedsStopSequences ? [] : plan.stopSequences, writer: writer,
            messageID: start.messageID, inputEstimate: start.inputEstimate)
        guard start.opening != .nothing else { return }
        body.open()
        guard start.opening == .started else { return }
        composer.start()
        composer.discardOutput()
    }

    // MARK: what is known

    var usage: Usage { composer.usage }
    var reportedInput: Int? { composer.reportedInput }
    var promptTruncation: PromptTruncation? { reader.promptTruncation }
    var repairs: [String] { composer.repairs }
    var hasBegun: Bool { !composer.isBlank }
    var hasStopped: Bool { wantsMore && composer.stop != nil }
    var hasRead: Bool { hadChunk }
    var incompleteness: Failure? { nil }

    // MARK: what came

    static var streamBeginsWithBrace: Bool { Reader.streamBeginsWithBrace }

    mutating func read(stream bytes: Span<UInt8>) {
        body.opening.keep(bytes, isStream: hadChunk)
        composer.reserve(bytes.count)
        reader.append(bytes)
        readSteps(atEnd: false)
        if !start.streaming, composer.writer.pending > ReplyBody.documentLimit {
            fail(.backend(.unusable(.tooLarge)))
        }
    }

    mutating func readStreamEnd() { readSteps(atEnd: true) }

    mutating func receive(_ delta: Delta) {
        guard wantsMore else { return }
        hadChunk = true
        apply(delta)
    }

    mutating func finishIfStopped() { if composer.stop != nil { finish() } }

    // MARK: reading

    /// All frames or lines that are complete.
    /// - Parameters:
    ///   - atEnd: the body is over, and what is left of it is one.
    ///   - mayBeCut: the end of the body left it.
    private mutating func readSteps(atEnd: Bool, mayBeCut: Bool? = nil) {
        while wantsMore {
            switch reader.next(atEnd: atEnd, into: &deltas) {
            case .waiting: return
            case .empty: continue
            case .read:
                hadChunk = true
                applyDeltas()
            case .readLast:
                hadChunk = true
                applyDeltas()
                if wantsMore { finish() }
            case .foreign: composer.note("malformed-chunk")
            case .broken: broken(isWhole: !(mayBeCut ?? atEnd))
            case .done: done()
            case .failed(let error): return fail(error)
            case .document(let beginning):
                body.becomeDocument()
                if let error = body.collect(beginning.span) { fail(error) }
                return
            }
            deltas.removeAll(keepingCapacity: true)
        }
    }

    /// Something came that was meant to be part of the answer. Without it the answer would look whole and not
    /// be; after the model has stopped it can only be counts.
    private mutating func broken(isWhole: Bool) {
        composer.note("malformed-chunk")
        if isWhole, composer.stop == nil { fail(.backend(.unusable(.event))) }
    }

    private mutating func applyDeltas() {
        for delta in deltas where wantsMore { apply(delta) }
        if body.isUndecided, start.streaming { commit() }
    }

    @inline(__always)
    private mutating func apply(_ delta: Delta) {
        do {
            if body.isUndecided, start.streaming, delta.decides { commit() }
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
            return fail(.backend(.closedEarly), as: .truncated)
        }
        finishUnsaid()
    }

    /// The end of a reply whose backend did not say that the model had stopped.
    private mutating func finishUnsaid() {
        guard !composer.endsInsideCall else {
            return fail(.backend(.closedEarly), as: .truncated)
        }
        composer.note("no-finish-reason")
        finish()
    }

    mutating func readFailure() {
        let text = body.collected
        let root = (try? JSONDocument(parsing: text))?.root
        if let calls = root.flatMap(UpstreamFault.unparsedCalls), recovers(calls) { return }
        let failure = reader.failure(body.head, text)
        if case .upstream(let fault) = failure {
            refused = Refusal(fault.said, status: body.head.status, of: refusable)
        }
        fail(failure)
    }

    /// Whether calls that the backend could not read can be read here; then they end the reply.
    private mutating func recovers(_ text: JSONText) -> Bool {
        guard let found = composer.calls(in: text) else { return false }
        if body.isUndecided, start.streaming { commit() }
        composer.receive(unparsed: found)
        return true
    }

    mutating func readDocument() {
        let document = body.takeCollected()
        if Reader.mayLackFraming, Self.isLines(document) { return readLines(document) }
        let parsed =
            (try? JSONDocument(parsing: document))
            ?? (try? JSONDocument(parsing: JSONRepair.mended(document[...])))
        guard let root = parsed?.root else { return fail(.backend(.unusable(.document))) }
        let reading = reader.read(whole: root, into: &deltas)
        if case .unreadable = reading { return fail(.backend(.unusable(.document))) }
        if case .answer = reading { hadChunk = true }
        applyDeltas()
        deltas.removeAll()
        guard wantsMore else { return }
        if case .noAnswer = reading, composer.stop == nil {
            return fail(.backend(.unusable(.noChoices)))
        }
        composer.stop == nil ? finishUnsaid() : finish()
    }

    /// Whether the body is a JSON text with others, or junk, on lines behind it.
    private static func isLines(_ document: [UInt8]) -> Bool {
        let end = document.position(of: Ascii.lineFeed, from: 0, to: document.count)
        guard end > 1, end < document.count, !document[end...].allSatisfy(Ascii.isSpace) else { return false }
        return (try? JSONDocument(parsing: Array(document[..<end])))?.root.isObject == true
    }

    /// Chunks on lines of their own, without a field name.
    private mutating func readLines(_ lines: [UInt8]) {
        reader.append(lines.span)
        readSteps(atEnd: false)
        readSteps(atEnd: true, mayBeCut: false)
    }

    // MARK: what goes out

    mutating func commit() {
        composer.start()
        body.commit()
    }

    mutating func writeOpening() { if Writer.opensEarly { composer.start() } }
    var hasStarted: Bool { composer.writer.hasStarted }
    mutating func writePing() { composer.ping() }

    mutating func willFail(_ failure: Failure) {
        guard refused == nil, composer.isBlank, case .upstream(let fault) = failure,
            let status = fault.refusalStatus
        else { return }
        refused = Refusal(fault.said, status: status, of: refusable)
    }

    mutating func write(_ failure: Failure) { composer.fail(failure, requestID: start.requestID) }
    mutating func discardOutput() { composer.discardOutput() }
    var hasWritten: Bool { !composer.writer.output.isEmpty }
    mutating func takeWritten() -> [UInt8] { composer.takeOutput() }

    private mutating func finish() {
        if let cut = promptTruncation { composer.note("prompt-cut(\(cut.estimated)>\(cut.evaluated))") }
        do { try composer.finish() } catch { return fail(error) }
        body.end(.completed)
    }
}
