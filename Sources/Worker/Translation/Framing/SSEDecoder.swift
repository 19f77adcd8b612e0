// Server-sent events from the upstream, cut anywhere (WHATWG HTML, section 9.2, and what servers send
// instead). Holds: the same frames come out however the bytes were cut; a frame on one `data:` line is a
// range of the buffer and costs no allocation; no frame is larger than `frameLimit`.

struct SSEDecoder: Sendable {
    /// Bytes one frame may have, its line ends and field names included.
    static let frameLimit = 16 << 20

    struct Frame: Equatable {
        enum Kind: Equatable {
            case data
            /// `event: error` stood before the data.
            case namedError
            /// The field `error:` that llama.cpp sent until llama.cpp#16109.
            case errorField
            /// A line of JSON without any field name.
            case unframed
            /// More than `frameLimit` without an end. Nothing follows.
            case tooLarge
        }
        var kind: Kind
        /// Where the data stands: in `joined` if it came on several lines, else in `buffer`.
        var range: Range<Int>
        var isJoined: Bool
    }

    private(set) var buffer: [UInt8] = []
    /// Data of a frame that came on several lines, joined by line feeds.
    private(set) var joined: [UInt8] = []

    /// What of the frame being read is known.
    private enum Pending { case nothing, line(Range<Int>), lines }
    private var pending = Pending.nothing
    private var isError = false
    /// Start of the oldest byte still needed.
    private var kept = 0
    /// Start of the line being read.
    private var line = 0
    /// No line end stands between `line` and here.
    private var searched = 0
    /// Position of the first line feed from `searched` on; `count` if there is none.
    private var lineFeed: Int?
    /// The last line ended with a carriage return at the end of the bytes: a line feed next belongs to it.
    private var skipsLineFeed = false
    private var isFirstLine = true
    private var overflowed = false

    mutating func append(_ bytes: Span<UInt8>) {
        release()
        if kept == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.capacity <= 1 << 20)
            rebase(by: kept)
        } else if kept > 0 {
            buffer.removeSubrange(0..<kept)
            rebase(by: kept)
        }
        if let found = lineFeed, found >= buffer.count { lineFeed = nil }
        bytes.withUnsafeBufferPointer { buffer.append(contentsOf: $0) }
    }

    /// The next complete frame. Its range holds until the next call.
    mutating func next() -> Frame? {
        while !overflowed, let range = nextLine() {
            if let frame = read(line: range) { return frame }
        }
        release()
        guard !overflowed, buffer.count &- kept > Self.frameLimit else { return nil }
        overflowed = true
        return Frame(kind: .tooLarge, range: 0..<0, isJoined: false)
    }

    /// What the end of the body leaves, to be asked until nil: the last line and the last frame may lack
    /// their ends.
    mutating func last() -> Frame? {
        guard !overflowed else { return nil }
        if line < buffer.count {
            let range = line..<buffer.count
            line = buffer.count
            searched = line
            if let frame = read(line: range) { return frame }
        }
        return dispatch()
    }

    /// Everything before the frame being read may go.
    private mutating func release() {
        if case .line(let range) = pending { kept = range.lowerBound } else { kept = line }
    }

    private mutating func rebase(by count: Int) {
        kept = 0
        line &-= count
        searched &-= count
        lineFeed = lineFeed.map { $0 &- count }
        if case .line(let range) = pending {
            pending = .line(range.lowerBound &- count..<range.upperBound &- count)
        }
    }

    // MARK: lines

    private mutating func nextLine() -> Range<Int>? {
        if skipsLineFeed, line < buffer.count {
            skipsLineFeed = false
            if buffer[line] == Ascii.lineFeed {
                line &+= 1
                searched = line
            }
        }
        guard line < buffer.count else { return nil }
        let limit =
            lineFeed.flatMap { $0 >= searched ? $0 : nil }
            ?? buffer.position(of: Ascii.lineFeed, from: searched, to: buffer.count)
        lineFeed = limit
        let start = line
        let end = buffer.position(of: Ascii.carriageReturn, from: searched, to: limit)
        if end == buffer.count {
            searched = end
            return nil
        }
        line = end &+ 1
        if end < limit {
            if line == buffer.count { skipsLineFeed = true }
            if line == limit, limit < buffer.count { line &+= 1 }
        }
        searched = line
        return start..<end
    }

    // MARK: fields

    private mutating func read(line range: Range<Int>) -> Frame? {
        var start = range.lowerBound
        let end = range.upperBound
        if isFirstLine {
            isFirstLine = false
            if buffer.has("\u{FEFF}", start, end) { start &+= 3 }
        }
        guard start < end else { return dispatch() }
        if buffer.has("data", start, end) {
            guard start &+ 4 < end else { return add(end..<end) }
            guard buffer[start &+ 4] == UInt8(ascii: ":") else { return nil }
            return add(buffer.fieldValue(start &+ 5, end))
        }
        switch buffer[start] {
        case UInt8(ascii: "{"):
            return Frame(kind: .unframed, range: start..<end, isJoined: false)
        case UInt8(ascii: "e") where buffer.has("event:", start, end):
            let name = buffer.fieldValue(start &+ 6, end)
            isError = name.count == 5 && buffer.has("error", name.lowerBound, end)
        case UInt8(ascii: "e") where buffer.has("error:", start, end):
            return Frame(kind: .errorField, range: buffer.fieldValue(start &+ 6, end), isJoined: false)
        default: break
        }
        return nil
    }

    /// One more data line. A frame ends here too when what follows cannot belong to the same JSON text:
    /// some servers leave out the blank lines.
    private mutating func add(_ range: Range<Int>) -> Frame? {
        switch pending {
        case .nothing:
            pending = .line(range)
            return nil
        case .line(let first):
            if buffer[first].last == UInt8(ascii: "}"), buffer.beginsData(range) {
                pending = .line(range)
                return Frame(kind: kind(), range: first, isJoined: false)
            }
            joined.removeAll(keepingCapacity: joined.capacity <= 1 << 20)
            joined.append(contentsOf: buffer[first])
        case .lines:
            if joined.last == UInt8(ascii: "}"), buffer.beginsData(range) {
                pending = .line(range)
                return Frame(kind: kind(), range: 0..<joined.count, isJoined: true)
            }
        }
        joined.append(Ascii.lineFeed)
        joined.append(contentsOf: buffer[range])
        pending = .lines
        guard joined.count > Self.frameLimit else { return nil }
        overflowed = true
        return Frame(kind: .tooLarge, range: 0..<0, isJoined: false)
    }

    private mutating func kind() -> Frame.Kind {
        defer { isError = false }
        return isError ? .namedError : .data
    }

    private mutating func dispatch() -> Frame? {
        defer { pending = .nothing }
        switch pending {
        case .nothing:
            isError = false
            return nil
        case .line(let range): return Frame(kind: kind(), range: range, isJoined: false)
        case .lines: return Frame(kind: kind(), range: 0..<joined.count, isJoined: true)
        }
    }
}

enum Ascii {
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte >= 0x09 && byte <= 0x0D }
}
