// One request's head, parsed once. It keeps the bytes and where the fields lie in them: looking a
// field up compares bytes and allocates nothing; text is made only of what is asked for.

/// The methods that a route can ask for.
public enum Method: Sendable, Equatable {
    case get, head, post, put, delete, patch, options
    case other
}

public enum HTTPVersion: Sendable, Equatable {
    case http10, http11
}

/// How the request's body is delimited (RFC 9112 section 6.3).
public enum RequestFraming: Sendable, Equatable {
    case none
    /// Content-Length in bytes; numbers beyond Int are clamped to Int.max.
    case length(Int)
    case chunked
}

public struct RequestHead: Sendable {
    /// Where a field lies in the head's bytes; 32 bit, because heads are limited far below 4 GiB.
    struct Field: Sendable {
        var name: UInt32
        var nameEnd: UInt32
        var value: UInt32
        var valueEnd: UInt32
    }

    public let method: Method
    public let version: HTTPVersion
    public let framing: RequestFraming
    /// Whether the client lets the connection live on after the answer (RFC 9112 section 9.3).
    public let keepAlive: Bool
    /// `Expect: 100-continue` (never set for HTTP/1.0, RFC 9110 section 10.1.1).
    public let expectsContinue: Bool
    /// The head's bytes up to and including the empty line.
    let bytes: [UInt8]
    let fields: [Field]
    let pathRange: Range<Int>
    let queryRange: Range<Int>?
    let authorityRange: Range<Int>?

    /// Bytes of the head on the wire, empty lines before it included.
    public let length: Int

    /// The target's path, still percent-encoded, without the query. Always begins with "/", or is "*".
    public var path: String { pathRange.isEmpty ? "/" : text(of: pathRange) ?? "/" }

    /// What follows "?", still percent-encoded; nil without one.
    public var query: String? { queryRange.flatMap(text) }

    /// `host[:port]` of an absolute target, else of the Host field; nil only in HTTP/1.0.
    public var authority: String? {
        guard let range = authorityRange else { return nil }
        return text(of: range)
    }

    /// The first field of this lower-case name, without surrounding blanks.
    public func field(_ name: StaticString) -> ArraySlice<UInt8>? {
        for field in fields where bytes.span.matches(name, from: Int(field.name), to: Int(field.nameEnd)) {
            return bytes[Int(field.value)..<Int(field.valueEnd)]
        }
        return nil
    }

    /// Every field of this lower-case name as text, in order.
    public func fieldTexts(_ name: StaticString) -> [String] {
        fields.compactMap { field in
            guard bytes.span.matches(name, from: Int(field.name), to: Int(field.nameEnd)) else { return nil }
            return String(decoding: bytes[Int(field.value)..<Int(field.valueEnd)], as: UTF8.self)
        }
    }

    public func hasField(_ name: StaticString) -> Bool { field(name) != nil }

    /// The first field of this lower-case name as text; bytes that are not UTF-8 are replaced.
    public func fieldText(_ name: StaticString) -> String? {
        guard let value = field(name) else { return nil }
        return String(decoding: value, as: UTF8.self)
    }

    public var fieldCount: Int { fields.count }

    private func text(of range: Range<Int>) -> String? {
        guard range.upperBound <= bytes.count else { return nil }
        return String(decoding: bytes[range], as: UTF8.self)
    }
}
