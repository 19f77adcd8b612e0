// Reads the lines of an answer's head as libcurl hands them over, keeping only what decides. Pure.

/// The state of one answer's head: informational answers come before the one that counts, trailers after.
struct HeadReader {
    /// Bytes of all header lines of one answer, informational ones and trailers included.
    static let sizeLimit = 64 << 10
    /// Bytes of a backend's request id that are kept.
    static let longestID = 128

    enum Step: Equatable {
        case more
        case complete(TransferHead)
        case tooLarge
    }

    private var size = 0
    /// More than `sizeLimit` has come.
    var isTooLarge: Bool { size > Self.sizeLimit }
    private var current: TransferHead?
    private var finished = false

    /// One line, usually with its line end.
    mutating func receive(_ line: Span<UInt8>) -> Step {
        size += line.count
        if isTooLarge { return .tooLarge }
        if finished { return .more }
        let end = contentEnd(of: line)
        if end == 0 { return finishHead() }
        if let status = statusCode(line, end: end) {
            current = TransferHead(status: status, contentType: "")
        } else if current != nil {
            readField(line, end: end)
        }
        return .more
    }

    private mutating func finishHead() -> Step {
        guard let head = current else { return .more }
        current = nil
        // 101 would change the protocol, which is never asked for.
        if (100..<200).contains(head.status) { return .more }
        finished = true
        return .complete(head)
    }

    private mutating func readField(_ line: Span<UInt8>, end: Int) {
        // The names of interest are told apart by their first letter; none is shorter than this.
        guard end >= 12 else { return }
        switch line[0] | 0x20 {
        case UInt8(ascii: "c"):
            if let value = value(line, end: end, of: "content-type") {
                let type = mediaType(value)
                current?.contentType = type
            } else if let value = value(line, end: end, of: "content-encoding") {
                let encoding = mediaType(value)
                current?.contentEncoding = encoding
            }
        case UInt8(ascii: "r"):
            if let value = value(line, end: end, of: "retry-after") {
                current?.retryAfter = String(decoding: value, as: UTF8.self)
            } else if let value = value(line, end: end, of: "request-id") {
                readID(value)
            }
        case UInt8(ascii: "x"): readExtension(line, end: end)
        default: return
        }
    }

    private mutating func readExtension(_ line: Span<UInt8>, end: Int) {
        if let value = value(line, end: end, of: "x-should-retry") {
            current?.shouldRetry = value.elementsEqual("true".utf8)
            return
        }
        if let value = value(line, end: end, of: "x-request-id") { return readID(value) }
        guard current?.rateLimitReset == nil else { return }
        let value =
            value(line, end: end, of: "x-ratelimit-reset-requests")
            ?? value(line, end: end, of: "x-ratelimit-reset-tokens")
        if let value { current?.rateLimitReset = String(decoding: value, as: UTF8.self) }
    }

    /// Of several the first: whoever stands nearest to the model has said it.
    private mutating func readID(_ value: [UInt8]) {
        guard current?.requestID == nil, !value.isEmpty else { return }
        current?.requestID = String(decoding: value.prefix(Self.longestID), as: UTF8.self)
    }

    private func contentEnd(of line: Span<UInt8>) -> Int {
        var end = line.count
        while end > 0, line[end - 1] == 0x0a || line[end - 1] == 0x0d { end -= 1 }
        return end
    }

    /// `HTTP/1.1 200 …`; nil when the line is not a status line.
    private func statusCode(_ line: Span<UInt8>, end: Int) -> Int? {
        let name: StaticString = "HTTP/"
        guard end >= 9 else { return nil }
        for position in 0..<5 where line[position] != name.utf8Start[position] { return nil }
        var position = 5
        while position < end, line[position] != 0x20 { position += 1 }
        var status = 0
        let first = position + 1
        guard first + 3 <= end else { return nil }
        for digit in first..<(first + 3) {
            guard (0x30...0x39).contains(line[digit]) else { return nil }
            status = status * 10 + Int(line[digit] - 0x30)
        }
        return status
    }

    /// The field's value without surrounding blanks when its name is `name` (given in lower case).
    private func value(_ line: Span<UInt8>, end: Int, of name: StaticString) -> [UInt8]? {
        let count = name.utf8CodeUnitCount
        guard end > count, line[count] == UInt8(ascii: ":") else { return nil }
        for position in 0..<count where (line[position] | 0x20) != (name.utf8Start[position] | 0x20) {
            return nil
        }
        var from = count + 1
        var to = end
        while from < to, line[from] == 0x20 || line[from] == 0x09 { from += 1 }
        while to > from, line[to - 1] == 0x20 || line[to - 1] == 0x09 { to -= 1 }
        return (from..<to).map { line[$0] }
    }

    private func mediaType(_ value: [UInt8]) -> String {
        let type = value.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 && $0 != 0x09 }
        return String(decoding: type.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
