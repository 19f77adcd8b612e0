// What a JSON value is, what the parser accepts, and why it refuses: the words of this module.

public enum JSONKind: UInt8, Sendable { case null, bool, number, string, array, object }

/// Bounds of one parse; all are checked before memory is spent.
public struct JSONLimits: Sendable, Equatable {
    /// Open arrays and objects at once.
    public var depth: Int
    /// Size of the text in bytes; at most 2 GiB - 1, whatever is asked.
    public var bytes: Int
    /// Values and member names; each costs 16 bytes of tape.
    public var nodes: Int

    public init(depth: Int = 512, bytes: Int = 256 << 20, nodes: Int = 4_000_000) {
        self.depth = depth
        self.bytes = bytes
        self.nodes = nodes
    }
}

/// Why a text is not JSON (RFC 8259), and at which byte.
public struct JSONError: Error, Sendable, Equatable {
    public enum Reason: String, Sendable {
        case unexpectedEnd = "unexpected end of input"
        case unexpectedByte = "unexpected character"
        case trailingBytes = "unexpected data after the value"
        case badNumber = "malformed number"
        case badLiteral = "malformed literal"
        case badEscape = "malformed escape sequence"
        case controlCharacter = "control character in string"
        case invalidUTF8 = "invalid UTF-8"
        case tooDeep = "nested too deeply"
        case tooLarge = "too large"
        case tooManyValues = "too many values"
    }

    public var reason: Reason
    /// Counted from the start of the parsed range.
    public var offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}
