// Lines of JSON from the upstream (NDJSON), cut anywhere.
// Holds: the same lines come out however the bytes were cut; a line is a range of the buffer and costs no
// allocation; no line is larger than `lineLimit`.

struct LineDecoder: Sendable {
    /// Bytes one line may have: a tool call with its arguments is one line.
    static let lineLimit = 32 << 20

    private(set) var buffer: [UInt8] = []
    /// Start of the line being read.
    private var line = 0
    /// No line feed stands between `line` and here.
    private var searched = 0
    private var isFirstLine = true
    /// More than `lineLimit` came without an end. Nothing follows.
    private(set) var hasOverflowed = false

    mutating func append(_ bytes: Span<UInt8>) {
        guard !hasOverflowed else { return }
        if line == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.capacity <= 1 << 20)
        } else if line > 0 {
            buffer.removeSubrange(0..<line)
        }
        searched &-= line
        line = 0
        bytes.withUnsafeBufferPointer { buffer.append(contentsOf: $0) }
    }

    /// The next complete line that is not blank, without its end. The range holds until the next `append`.
    mutating func next() -> Range<Int>? {
        while !hasOverflowed {
            let end = buffer.position(of: Ascii.lineFeed, from: searched, to: buffer.count)
            guard end < buffer.count else {
                searched = buffer.count
                hasOverflowed = buffer.count &- line > Self.lineLimit
                return nil
            }
            let range = trimmed(line..<end)
            line = end &+ 1
            searched = line
            if !range.isEmpty { return range }
        }
        return nil
    }

    /// The line that the end of the body leaves; it may lack its line feed.
    mutating func last() -> Range<Int>? {
        guard !hasOverflowed, line < buffer.count else { return nil }
        let range = trimmed(line..<buffer.count)
        line = buffer.count
        searched = line
        return range.isEmpty ? nil : range
    }

    /// Without white space around it, and without the byte order mark that may stand before the first one.
    private mutating func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, Ascii.isSpace(buffer[end &- 1]) { end &-= 1 }
        while start < end, Ascii.isSpace(buffer[start]) { start &+= 1 }
        guard isFirstLine, start < end else { return start..<end }
        isFirstLine = false
        if buffer[start..<end].starts(with: "\u{FEFF}".utf8) { start &+= 3 }
        while start < end, Ascii.isSpace(buffer[start]) { start &+= 1 }
        return start..<end
    }
}
