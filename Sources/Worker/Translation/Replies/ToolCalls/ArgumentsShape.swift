// The brackets of a call's arguments, followed as the arguments come: where their object ends, and whether
// two texts say the same. Each byte is looked at once, whatever the pieces were.

struct ArgumentsShape: Sendable {
    private var depth = 0
    private var inString = false
    private var isEscaped = false
    /// Bytes that are no space between tokens.
    private var count = 0
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    /// The first byte that is no space.
    private var first: UInt8 = 0x20
    /// One object, closed, and nothing behind it.
    private(set) var isWhole = false

    /// What two texts have in common that differ in nothing but the space between their tokens. Others may
    /// share it by accident; who acts on it compares the texts.
    struct Digest: Equatable, Sendable {
        fileprivate let count: Int
        fileprivate let hash: UInt64
    }

    init() {}

    init(_ text: JSONText) { read(text) }

    var isBegun: Bool { count > 0 }
    var opensObject: Bool { first == UInt8(ascii: "{") }
    /// `{}`, with which some servers open every call.
    var isEmptyObject: Bool { isWhole && count == 2 }
    var digest: Digest { Digest(count: count, hash: hash) }

    mutating func read(_ text: JSONText) { read(text.bytes) }

    /// One level of escapes lies over the JSON text of the arguments; no piece ends inside one.
    mutating func read(_ escaped: ArraySlice<UInt8>) {
        var isOuterEscape = false
        /// Digits of a `\u` that are still to come, and what those before them say.
        var (digits, value): (Int, UInt32) = (0, 0)
        for byte in escaped {
            if digits > 0 {
                digits &-= 1
                value = value << 4 | Self.digit(byte)
                if digits == 0 { read(value < 0x80 ? UInt8(value) : 0x80) }
            } else if isOuterEscape {
                isOuterEscape = false
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): read(byte)
                case UInt8(ascii: "u"): (digits, value) = (4, 0)
                // Line ends and tabs, between tokens.
                default: read(0x20)
                }
            } else if byte == UInt8(ascii: "\\") {
                isOuterEscape = true
            } else {
                read(byte)
            }
        }
    }

    private static func digit(_ byte: UInt8) -> UInt32 {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte & 0xF)
        default: UInt32(byte & 0xF) + 9
        }
    }

    @inline(__always)
    private mutating func read(_ byte: UInt8) {
        guard inString || !Ascii.isSpace(byte) else { return }
        if count == 0 { first = byte }
        count &+= 1
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        if inString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                inString = false
            }
            return
        }
        isWhole = false
        switch byte {
        case UInt8(ascii: "\""): inString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth &+= 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth = max(0, depth &- 1)
            isWhole = depth == 0 && byte == UInt8(ascii: "}")
        default: break
        }
    }
}
