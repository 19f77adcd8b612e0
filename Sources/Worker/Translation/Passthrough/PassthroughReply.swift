// One reply of a backend that speaks the client's own API: bytes pass as they came, frame by frame, but for
// the model's name. Holds: no half frame is sent; a reply that was cut off never looks complete.

import JSON

struct PassthroughReply<Events: PassthroughEvents>: Reply {
    /// Bytes of comments and pings that are kept while nothing is decided.
    private static var idleLimit: Int { 16 << 10 }

    let start: ReplyStart
    var body = ReplyBody()
    /// What was mended, by name.
    private(set) var repairs: [String] = []

    /// An event of the backend's was passed on; a ping of ours is none.
    private var hasPassed = false
    private var frames = PassthroughFrames()
    private var reader: PassthroughReader<Events>
    private var output: [UInt8] = []

    init(_ start: ReplyStart) {
        self.start = start
        reader = PassthroughReader(model: start.model, isStarted: start.opening == .started)
        if start.opening != .nothing { body.open() }
    }

    // MARK: what is known

    /// As the backend counted; zeros where it said nothing.
    var usage: Usage { reader.events.usage }

    /// Tokens of the whole prompt as the backend counted them; nil where it did not.
    var reportedInput: Int? {
        let input = usage.input &+ usage.cacheRead &+ usage.cacheCreation
        return input > 0 ? input : nil
    }

    var hasRead: Bool { hasPassed }
    /// A stream that nobody asked for.
    var incompleteness: Failure? {
        !start.streaming && body.opening.isKept ? .backend(.unusable(.document)) : nil
    }

    // What is handed through is not looked into.
    var refused: Refusal? { nil }
    var hasBegun: Bool { false }
    var hasStopped: Bool { false }
    var promptTruncation: PromptTruncation? { nil }

    // MARK: what came

    static var streamBeginsWithBrace: Bool { false }

    mutating func read(stream bytes: Span<UInt8>) {
        // A stream that nobody asked for.
        guard start.streaming || body.opening.isKept else { return fail(.backend(.unusable(.document))) }
        body.opening.keep(bytes, isStream: hasPassed)
        guard start.streaming else { return }
        frames.append(bytes)
        output.reserveCapacity(output.count + bytes.count)
        pass()
    }

    mutating func readStreamEnd() {
        while wantsMore, let frame = frames.last() { read(frame, isWhole: false) }
    }

    /// The backend said why it stopped and left out the last frame.
    mutating func finishIfStopped() {
        guard reader.events.hasStopped, let end = Events.end else { return }
        output.append(ascii: end)
        note("no-done")
        body.end(.completed)
    }

    /// There is always an upstream.
    mutating func receive(_ delta: Delta) {}

    // MARK: frames

    /// All complete frames; neighbours of which nothing changes go out in one piece.
    private mutating func pass() {
        var run = 0..<0
        while wantsMore, let frame = frames.next() {
            let meaning = reader.read(frame, of: frames, isWhole: true)
            guard case .part = meaning, body.isStreaming, !frame.lacksEnd else {
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

    private mutating func act(_ meaning: PassthroughMeaning, _ frame: PassthroughFrames.Frame) {
        switch meaning {
        case .foreign: break
        case .failed(let error): fail(error)
        case .idle:
            if body.isStreaming || output.count < Self.idleLimit { append(frame) }
        case .repeated: begin()
        case .part:
            begin()
            append(frame)
        case .named(let range):
            begin()
            append(frame, naming: range)
        case .end:
            append(frame)
            body.end(.completed)
        }
    }

    private mutating func begin() {
        body.commit()
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
            output.appendJSON(start.model)
            output.append(contentsOf: frames.buffer[range.upperBound..<frame.whole.upperBound])
            if frame.lacksEnd { mend() }
            return
        }
        // Data on several lines: the frame is written anew, line by line.
        var data = Array(frames.joined[..<range.lowerBound])
        data.appendJSON(start.model)
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

    mutating func readDocument() {
        let document = body.takeCollected()
        guard let root = (try? JSONDocument(parsing: document))?.root else {
            return fail(.backend(.unusable(.document)))
        }
        if let fault = PassthroughFaults<Events.Client>.inside(root) {
            return fail(.upstream(fault))
        }
        guard let meaning = reader.read(whole: root) else { return fail(.backend(.unusable(.document))) }
        if start.streaming {
            // The client reads events: the answer is told as one.
            body.commit()
            Events.append(
                whole: root, model: start.model, isStarted: start.opening == .started, to: &output)
            note("whole-answer")
        } else if case .named(let range) = meaning {
            output.reserveCapacity(document.count + start.model.utf8.count)
            output.append(contentsOf: document[..<range.lowerBound])
            output.appendJSON(start.model)
            output.append(contentsOf: document[range.upperBound...])
        } else {
            output = document
        }
        body.end(.completed)
    }

    mutating func readFailure() {
        fail(
            .upstream(
                PassthroughFaults<Events.Client>.answer(
                    head: body.head, body: body.collected, model: start.model)))
    }

    // MARK: what goes out

    mutating func commit() { body.commit() }
    /// Nothing is invented that the backend's own first event would contradict.
    mutating func writeOpening() {}
    var hasStarted: Bool { start.opening == .started || body.isStreaming }
    mutating func writePing() { output.append(ascii: Events.ping) }
    mutating func willFail(_ failure: Failure) {}

    mutating func write(_ failure: Failure) {
        reader.events.appendClosing(to: &output)
        Events.Client.append(eventOf: failure, requestID: start.requestID, to: &output)
    }

    mutating func discardOutput() { output = [] }
    var hasWritten: Bool { !output.isEmpty }

    mutating func takeWritten() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &output)
        return taken
    }
}
