// JSON text, written compactly onto bytes. Strings are escaped the least that RFC 8259 section 7 asks
// for; subtrees of a parsed text are copied as they were received.

extension [UInt8] {
    /// Appends ASCII or UTF-8 text as it stands.
    @inline(__always)
    public mutating func append(ascii text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }

    /// Appends `text` as a JSON string with its quotes.
    public mutating func appendJSON(_ text: String) {
        append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { appendJSONEscaped($0.span) }
        append(UInt8(ascii: "\""))
    }

    /// Appends UTF-8 bytes escaped for the inside of a JSON string, without quotes.
    public mutating func appendJSONEscaped(_ bytes: ArraySlice<UInt8>) { appendJSONEscaped(bytes.span) }

    public mutating func appendJSONEscaped(_ text: Span<UInt8>) {
        let raw = text.bytes
        var clean = 0
        var at = 0
        while at < text.count {
            if at &+ 8 <= text.count {
                let found = Word.escapable(raw.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
                if found == 0 {
                    at &+= 8
                    continue
                }
                at &+= UInt64(littleEndian: found).trailingZeroBitCount >> 3
            }
            let byte = text[at]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                at &+= 1
                continue
            }
            append(text.extracting(clean..<at))
            appendEscape(byte)
            at &+= 1
            clean = at
        }
        append(text.extracting(clean..<text.count))
    }

    private mutating func append(_ span: Span<UInt8>) {
        span.withUnsafeBufferPointer { append(contentsOf: $0) }
    }

    private mutating func appendEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append(ascii: "\\\"")
        case UInt8(ascii: "\\"): append(ascii: "\\\\")
        case 0x0A: append(ascii: "\\n")
        case 0x0D: append(ascii: "\\r")
        case 0x09: append(ascii: "\\t")
        default:
            append(ascii: "\\u00")
            append(Hex.lower(byte >> 4))
            append(Hex.lower(byte & 15))
        }
    }

    /// Appends a value as it was received; surrogates without partner become `\ufffd`.
    public mutating func append(raw node: JSONNode) {
        node.hasLoneSurrogate ? appendMended(node.raw) : append(contentsOf: node.raw)
    }

    /// Appends the inside of a string as it was received, without quotes; nothing for other kinds.
    public mutating func append(stringRaw node: JSONNode) {
        node.hasLoneSurrogate ? appendMended(node.stringRaw) : append(contentsOf: node.stringRaw)
    }

    /// As `append(stringRaw:)`, but only `range` of the node's text; the caller cuts no escape in two.
    public mutating func append(stringRaw node: JSONNode, range: Range<Int>) {
        let part = node.bytes[range.clamped(to: node.stringRange)]
        node.hasLoneSurrogate ? appendMended(part) : append(contentsOf: part)
    }

    /// Appends a value's JSON text, escaped for the inside of a JSON string.
    public mutating func appendJSONEscaped(raw node: JSONNode) {
        guard node.hasLoneSurrogate else { return appendJSONEscaped(node.raw) }
        var mended: [UInt8] = []
        mended.append(raw: node)
        appendJSONEscaped(mended[...])
    }

    /// Appends JSON text or a part of it, each surrogate without partner replaced by an escape of the same
    /// length: whoever knows where something stands in the text finds it there in what is appended.
    /// Backslashes stand in strings only, so that one rule serves strings and whole subtrees.
    public mutating func appendMended(_ text: ArraySlice<UInt8>) {
        let shift = count - text.startIndex
        append(contentsOf: text)
        var at = text.startIndex
        while at < text.endIndex {
            guard text[at] == UInt8(ascii: "\\") else {
                at += 1
                continue
            }
            guard at + 1 < text.endIndex, text[at + 1] == UInt8(ascii: "u") else {
                at += 2
                continue
            }
            let (scalar, next) = Unescape.scalar(text, at)
            if scalar == 0xFFFD, next == at + 6 {
                let digits = at + 2 + shift
                self[digits] = UInt8(ascii: "f")
                self[digits + 1] = UInt8(ascii: "f")
                self[digits + 2] = UInt8(ascii: "f")
                self[digits + 3] = UInt8(ascii: "d")
            }
            at = next
        }
    }

    /// Appends the decimal digits of `value`.
    public mutating func appendJSON(_ value: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        let start = count
        repeat {
            append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }

    public mutating func appendJSON(_ value: Bool) { value ? append(ascii: "true") : append(ascii: "false") }
}

extension Hex {
    static func lower(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") &+ digit : UInt8(ascii: "a") &+ digit &- 10
    }
}

/// Writes one JSON text; puts the commas.
public struct JSONWriter: Sendable {
    public var bytes: [UInt8] = []
    private var needsComma = false

    public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    /// A member's name, which must need no escape; a value has to follow.
    public mutating func name(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(ascii: name)
        bytes.append(ascii: "\":")
        needsComma = false
    }

    public mutating func name(_ name: String) {
        separate()
        bytes.appendJSON(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A member's name as it was received.
    public mutating func name(raw name: JSONNode) {
        separate()
        bytes.append(raw: name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func value(_ text: String) {
        separate()
        bytes.appendJSON(text)
    }

    public mutating func value(_ number: Int) {
        separate()
        bytes.appendJSON(number)
    }

    public mutating func value(_ flag: Bool) {
        separate()
        bytes.appendJSON(flag)
    }

    public mutating func null() {
        separate()
        bytes.append(ascii: "null")
    }

    /// A value as it was received.
    public mutating func raw(_ node: JSONNode) {
        separate()
        bytes.append(raw: node)
    }

    /// A value as JSON text, which must be a valid one.
    public mutating func raw(_ text: ArraySlice<UInt8>) {
        separate()
        bytes.append(contentsOf: text)
    }

    public mutating func raw(_ text: StaticString) {
        separate()
        bytes.append(ascii: text)
    }

    /// A string that the closure writes, in escaped form, between the quotes.
    public mutating func string(_ body: (inout [UInt8]) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        body(&bytes)
        bytes.append(UInt8(ascii: "\""))
    }
}
