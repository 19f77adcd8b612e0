// Reads HTTP/1.1 responses incrementally, cut anywhere. A pull parser: each call takes the next piece of
// the bytes at hand, so that the caller needs no closure and nothing is copied but split heads.

struct ResponseReader {
    enum Piece {
        /// All bytes are used up.
        case more
        case head(status: Int, eventStream: Bool)
        /// Body bytes, a range of what was given.
        case body(Range<Int>)
        case end
        case bad(String)
    }

    private enum Phase {
        case head
        case fixed(left: Int)
        case chunkSize
        case chunk(left: Int)
        case afterChunk
        case trailer
        case finished
    }

    private var phase = Phase.head
    /// The head, size line or trailer line so far.
    private var line: [UInt8] = []
    /// The server will close the connection after this response.
    private(set) var closes = false
    private static let maximumHead = 64 << 10

    /// True before the first byte of a response.
    var untouched: Bool {
        if case .head = phase { return line.isEmpty }
        return false
    }

    mutating func restart() {
        phase = .head
        line.removeAll(keepingCapacity: true)
        closes = false
    }

    mutating func next(_ bytes: Span<UInt8>, _ position: inout Int) -> Piece {
        while position < bytes.count {
            switch phase {
            case .head:
                guard takeLine(bytes, &position) else { continue }
                if line.count > Self.maximumHead { return .bad("head too large") }
                guard line.count >= 4, line[line.count - 3] == 0x0A || line[line.count - 2] == 0x0A else {
                    continue
                }
                return headDone()
            case .fixed(let left):
                let count = min(left, bytes.count - position)
                defer { position += count }
                phase = count == left ? .finished : .fixed(left: left - count)
                return .body(position..<position + count)
            case .chunkSize:
                guard takeLine(bytes, &position) else { continue }
                guard let size = Self.hexadecimal(line.span) else { return .bad("chunk size") }
                line.removeAll(keepingCapacity: true)
                phase = size == 0 ? .trailer : .chunk(left: size)
            case .chunk(let left):
                let count = min(left, bytes.count - position)
                defer { position += count }
                phase = count == left ? .afterChunk : .chunk(left: left - count)
                return .body(position..<position + count)
            case .afterChunk:
                guard takeLine(bytes, &position) else { continue }
                guard line.count <= 2 else { return .bad("no line end after a chunk") }
                line.removeAll(keepingCapacity: true)
                phase = .chunkSize
            case .trailer:
                guard takeLine(bytes, &position) else { continue }
                let last = line.count <= 2
                line.removeAll(keepingCapacity: true)
                if last { phase = .finished }
            case .finished:
                return .end
            }
        }
        if case .finished = phase { return .end }
        return .more
    }

    /// Moves bytes up to a line end into `line`; true when the line end is there.
    private mutating func takeLine(_ bytes: Span<UInt8>, _ position: inout Int) -> Bool {
        let end = Bytes.firstByte(0x0A, in: bytes, from: position).map { $0 + 1 } ?? bytes.count
        for index in position..<end { line.append(bytes[index]) }
        position = end
        return line.last == 0x0A
    }

    private mutating func headDone() -> Piece {
        let text = line
        line.removeAll()
        let head = text.span
        guard Bytes.hasPrefix(head, at: 0, "HTTP/1.1 "), let status = Bytes.number(head, at: 9) else {
            return .bad("no HTTP/1.1 status line")
        }
        if status == 100 {
            phase = .head
            return .body(0..<0)
        }
        if let value = Bytes.header("connection", in: head) {
            closes = Bytes.hasPrefixIgnoringCase(head, at: value, "close")
        }
        if let value = Bytes.header("transfer-encoding", in: head),
            Bytes.hasPrefixIgnoringCase(head, at: value, "chunked")
        {
            phase = .chunkSize
        } else if let value = Bytes.header("content-length", in: head),
            let size = Bytes.number(head, at: value)
        {
            phase = size == 0 ? .finished : .fixed(left: size)
        } else {
            return .bad("neither a length nor chunks")
        }
        let type = Bytes.header("content-type", in: head)
        return .head(
            status: status,
            eventStream: type.map { Bytes.hasPrefixIgnoringCase(head, at: $0, "text/event-stream") } ?? false)
    }

    private static func hexadecimal(_ text: Span<UInt8>) -> Int? {
        var value = 0
        var index = 0
        while index < text.count, index < 9 {
            let byte = Bytes.lowercase(text[index])
            switch byte {
            case 0x30...0x39: value = value << 4 | Int(byte - 0x30)
            case 0x61...0x66: value = value << 4 | Int(byte - 0x61 + 10)
            default: return index > 0 ? value : nil
            }
            index += 1
        }
        return nil
    }
}
