// The answer's head and framing as bytes. Values are cleaned on the way out: whatever a backend calls
// itself, it cannot put a line break into our head.

/// How an answer's body is delimited.
public enum ResponseFraming: Sendable, Equatable {
    case length(Int)
    case chunked
    /// Until the connection closes: a stream to an HTTP/1.0 client.
    case untilClose
}

public struct ResponseHead: Sendable {
    public struct Field: Sendable, Equatable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public var status: Int
    public var framing: ResponseFraming
    /// Whether the answer says `Connection: close`.
    public var closes: Bool
    public var fields: [Field]

    public init(status: Int, framing: ResponseFraming, closes: Bool = false, fields: [Field] = []) {
        self.status = status
        self.framing = framing
        self.closes = closes
        self.fields = fields
    }

    /// The interim answer to `Expect: 100-continue`.
    public static let continueBytes = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// Enough for the status line and the fields that are ours, in bytes.
    private static let fixedSize = 128

    /// Appends the status line, the fields and the empty line.
    public func append(to output: inout [UInt8]) {
        var size = Self.fixedSize
        for field in fields { size &+= field.name.utf8.count &+ field.value.utf8.count &+ 4 }
        output.reserveCapacity(output.count &+ size)
        output.append("HTTP/1.1 ")
        output.append(decimal: status)
        output.append(0x20)
        output.append(Self.reason(status))
        output.append("\r\n")
        for field in fields {
            output.append(contentsOf: field.name.utf8)
            output.append(": ")
            output.append(cleaned: field.value)
            output.append("\r\n")
        }
        switch framing {
        case .length(let count):
            output.append("content-length: ")
            output.append(decimal: count)
            output.append("\r\n")
        case .chunked: output.append("transfer-encoding: chunked\r\n")
        case .untilClose: break
        }
        if closes || framing == .untilClose { output.append("connection: close\r\n") }
        output.append("\r\n")
    }

    static func reason(_ status: Int) -> StaticString {
        switch status {
        case 200: "OK"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 417: "Expectation Failed"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 529: "Overloaded"
        default: "Status"
        }
    }
}

/// The chunked coding of an answer (RFC 9112 section 7.1).
public enum Chunk {
    /// Appends `body` as one chunk; nothing for an empty body, which would end the stream.
    public static func append(_ body: some Collection<UInt8>, to output: inout [UInt8]) {
        guard !body.isEmpty else { return }
        output.append(hexadecimal: body.count)
        output.append(contentsOf: "\r\n".utf8)
        output.append(contentsOf: body)
        output.append(contentsOf: "\r\n".utf8)
    }

    /// Appends the last chunk.
    public static func appendEnd(to output: inout [UInt8]) { output.append(contentsOf: "0\r\n\r\n".utf8) }
}

extension [UInt8] {
    fileprivate mutating func append(_ text: StaticString) { append(contentsOf: text.utf8) }

    /// Whatever is not printable ASCII becomes a question mark.
    fileprivate mutating func append(cleaned text: String) {
        var text = text
        text.withUTF8 { bytes in
            for byte in bytes { append(byte &- 0x20 < 0x5f ? byte : 0x3f) }
        }
    }

    fileprivate mutating func append(decimal number: Int) {
        append(contentsOf: String(Swift.max(number, 0)).utf8)
    }

    fileprivate mutating func append(hexadecimal number: Int) {
        var shift = (63 &- Swift.max(number, 1).leadingZeroBitCount) & ~3
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: number &>> shift) & 15
            append(digit < 10 ? 0x30 &+ digit : 0x57 &+ digit)
            shift &-= 4
        }
    }
}

extension StaticString {
    fileprivate var utf8: UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
    }
}
