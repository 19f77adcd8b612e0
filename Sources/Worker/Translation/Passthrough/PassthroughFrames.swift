// Server-sent events to be handed through: cut into frames that keep every byte (but a byte order mark),
// whatever the reads were.
// Holds: the ranges of the frames follow each other without a gap; no byte of a frame is shown before its
// last one has come; a frame larger than `frameLimit` ends the stream.

struct PassthroughFrames: Sendable {
    /// Bytes one frame may have.
    static let frameLimit = SSEDecoder.frameLimit

    struct Frame {
        enum Kind {
            case data
            /// Comments, blank lines, fields without data: nothing that a client's events are made of.
            case empty
            /// The field `error:` that llama.cpp sent until llama.cpp#16109.
            case errorField
            /// A line of JSON without any field name.
            case unframed
            /// Nothing follows.
            case tooLarge
        }

        var kind: Kind
        /// All its bytes in `buffer`, its blank line included.
        var whole: Range<Int>
        /// The event's name in `buffer`; empty without one.
        var event: Range<Int>
        /// In `joined` if it came on several lines, else in `buffer`.
        var data: Range<Int>
        var isJoined = false
        /// Its blank line did not come: the server leaves them out, or the body has ended.
        var lacksEnd = false
    }

    private(set) var buffer: [UInt8] = []
    /// Data of a frame that came on several lines, joined by line feeds.
    private(set) var joined: [UInt8] = []

    private enum Data { case nothing, line(Range<Int>), lines }
    private var data = Data.nothing
    private var event = 0..<0
    /// Where the frame being read begins.
    private var start = 0
    /// Where the line being read begins.
    private var line = 0
    /// No line end stands between `line` and here.
    private var searched = 0
    /// No line feed stands between `searched` and here.
    private var clear = 0
    private var isFirstLine = true
    private var hasOverflowed = false

    mutating func append(_ bytes: Span<UInt8>) {
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.capacity <= 1 << 20)
            rebase(by: start)
        } else if start > 0 {
            buffer.removeSubrange(0..<start)
            rebase(by: start)
        }
        bytes.withUnsafeBufferPointer { buffer.append(contentsOf: $0) }
    }

    /// The next complete frame. Its ranges hold until the next `append`.
    mutating func next() -> Frame? {
        while !hasOverflowed, let range = nextLine() {
            if let frame = read(range) { return frame }
        }
        guard !hasOverflowed, buffer.count &- start > Self.frameLimit else { return nil }
        return overflow()
    }

    /// What the end of the body leaves: frames that lack their end.
    mutating func last() -> Frame? {
        if line < buffer.count, !hasOverflowed {
            let range = line..<buffer.count
            line = buffer.count
            searched = line
            if let frame = read(range) { return frame }
        }
        guard start < buffer.count, !hasOverflowed else { return nil }
        return cut(at: buffer.count, lacksEnd: true)
    }

    private mutating func overflow() -> Frame {
        hasOverflowed = true
        return Frame(kind: .tooLarge, whole: 0..<0, event: 0..<0, data: 0..<0)
    }

    private mutating func rebase(by count: Int) {
        start &-= count
        line &-= count
        searched &-= count
        clear = max(0, clear &- count)
        if !event.isEmpty { event = moved(event, by: count) }
        if case .line(let range) = data { data = .line(moved(range, by: count)) }
    }

    private func moved(_ range: Range<Int>, by count: Int) -> Range<Int> {
        range.lowerBound &- count..<range.upperBound &- count
    }

    // MARK: lines

    /// The next line without its end: LF, CRLF or CR. A CR with nothing behind it waits for what follows.
    private mutating func nextLine() -> Range<Int>? {
        guard line < buffer.count else { return nil }
        let lineFeed = buffer.position(of: Ascii.lineFeed, from: max(searched, clear), to: buffer.count)
        clear = lineFeed
        let end = buffer.position(of: Ascii.carriageReturn, from: searched, to: lineFeed)
        guard end < buffer.count, buffer[end] == Ascii.lineFeed || end &+ 1 < buffer.count else {
            searched = end
            return nil
        }
        let range = line..<end
        line = end &+ 1
        if end < lineFeed, line == lineFeed { line &+= 1 }
        searched = line
        return range
    }

    // MARK: fields

    /// Takes a line of the frame; the frame when this line ends it.
    private mutating func read(_ range: Range<Int>) -> Frame? {
        var at = range.lowerBound
        let end = range.upperBound
        if isFirstLine {
            isFirstLine = false
            // Only at the very start it means nothing, and something of ours may have gone before.
            if buffer.has("\u{FEFF}", at, end) {
                at &+= 3
                if start == range.lowerBound { start = at }
            }
        }
        guard at < end else { return cut(at: line, lacksEnd: false) }
        switch buffer[at] {
        case UInt8(ascii: "d") where buffer.has("data:", at, end):
            return add(buffer.fieldValue(at &+ 5, end), range.lowerBound)
        case UInt8(ascii: "e") where buffer.has("event:", at, end):
            // A second name: the blank line between two frames was left out.
            let frame = event.isEmpty || !hasWholeData ? nil : cut(at: range.lowerBound, lacksEnd: true)
            // A name of nothing is none: only what has bytes moves along with them.
            let name = buffer.fieldValue(at &+ 6, end)
            event = name.isEmpty ? 0..<0 : name
            return frame
        case UInt8(ascii: "e") where buffer.has("error:", at, end):
            return cut(.errorField, buffer.fieldValue(at &+ 6, end))
        case UInt8(ascii: "{"): return cut(.unframed, at..<end)
        default: return nil
        }
    }

    /// One more line of data. What cannot belong to the same JSON text begins a new frame.
    private mutating func add(_ range: Range<Int>, _ lineStart: Int) -> Frame? {
        switch data {
        case .nothing:
            data = .line(range)
            return nil
        case .line, .lines:
            if hasWholeData, buffer.beginsData(range) {
                let frame = cut(at: lineStart, lacksEnd: true)
                data = .line(range)
                return frame
            }
            if case .line(let first) = data {
                joined.removeAll(keepingCapacity: joined.capacity <= 1 << 20)
                joined.append(contentsOf: buffer[first])
            }
            joined.append(Ascii.lineFeed)
            joined.append(contentsOf: buffer[range])
            data = .lines
            return nil
        }
    }

    /// Whether the data so far may be a whole JSON text.
    private var hasWholeData: Bool {
        switch data {
        case .nothing: false
        case .line(let range): buffer[range].last == UInt8(ascii: "}")
        case .lines: joined.last == UInt8(ascii: "}")
        }
    }

    private mutating func cut(at end: Int, lacksEnd: Bool) -> Frame {
        var frame = Frame(kind: .data, whole: start..<end, event: event, data: 0..<0, lacksEnd: lacksEnd)
        switch data {
        case .nothing: frame.kind = .empty
        case .line(let range): frame.data = range
        case .lines: (frame.data, frame.isJoined) = (0..<joined.count, true)
        }
        begin(at: end)
        return frame
    }

    /// A line that is a frame of its own, together with what stood before it.
    private mutating func cut(_ kind: Frame.Kind, _ range: Range<Int>) -> Frame {
        let frame = Frame(kind: kind, whole: start..<line, event: event, data: range)
        begin(at: line)
        return frame
    }

    private mutating func begin(at place: Int) {
        start = place
        event = 0..<0
        data = .nothing
    }
}
