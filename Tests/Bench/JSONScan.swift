// Finds members in JSON bytes without building anything. Offsets are outside data: every step is checked,
// and whatever is not JSON yields nil.

enum JSONScan {
    private static func skipSpace(_ bytes: Span<UInt8>, _ index: Int) -> Int {
        var index = index
        while index < bytes.count, bytes[index] <= 0x20 { index += 1 }
        return index
    }

    /// The offset just after the string whose opening quote is at `start`.
    static func endOfString(_ bytes: Span<UInt8>, _ start: Int) -> Int? {
        guard start < bytes.count, bytes[start] == UInt8(ascii: "\"") else { return nil }
        var index = start + 1
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""): return index + 1
            case UInt8(ascii: "\\"): index += 2
            case 0..<0x20: return nil
            default: index += 1
            }
        }
        return nil
    }

    /// The offset just after the value that starts at `start`.
    static func endOfValue(_ bytes: Span<UInt8>, _ start: Int) -> Int? {
        guard start < bytes.count else { return nil }
        switch bytes[start] {
        case UInt8(ascii: "\""): return endOfString(bytes, start)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            var depth = 0
            var index = start
            while index < bytes.count {
                switch bytes[index] {
                case UInt8(ascii: "\""):
                    guard let end = endOfString(bytes, index) else { return nil }
                    index = end
                    continue
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    depth -= 1
                    if depth == 0 { return index + 1 }
                default: break
                }
                index += 1
            }
            return nil
        default:
            var index = start
            loop: while index < bytes.count {
                switch bytes[index] {
                case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), 0...0x20: break loop
                default: index += 1
                }
            }
            return index > start ? index : nil
        }
    }

    /// The offset of the value of member `key` of the object at `start` (spaces before it allowed).
    static func member(_ key: StaticString, of start: Int, in bytes: Span<UInt8>) -> Int? {
        var index = skipSpace(bytes, start)
        guard index < bytes.count, bytes[index] == UInt8(ascii: "{") else { return nil }
        index = skipSpace(bytes, index + 1)
        while index < bytes.count, bytes[index] == UInt8(ascii: "\"") {
            guard let keyEnd = endOfString(bytes, index) else { return nil }
            let found = Bytes.equal(bytes, index + 1..<keyEnd - 1, key)
            index = skipSpace(bytes, keyEnd)
            guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else { return nil }
            index = skipSpace(bytes, index + 1)
            if found { return index < bytes.count ? index : nil }
            guard let valueEnd = endOfValue(bytes, index) else { return nil }
            index = skipSpace(bytes, valueEnd)
            guard index < bytes.count, bytes[index] == UInt8(ascii: ",") else { return nil }
            index = skipSpace(bytes, index + 1)
        }
        return nil
    }

    /// The first element of the array at `start`; nil when it is empty or no array.
    static func firstElement(of start: Int, in bytes: Span<UInt8>) -> Int? {
        guard start < bytes.count, bytes[start] == UInt8(ascii: "[") else { return nil }
        let index = skipSpace(bytes, start + 1)
        return index < bytes.count && bytes[index] != UInt8(ascii: "]") ? index : nil
    }

    static func isString(_ text: StaticString, at start: Int?, in bytes: Span<UInt8>) -> Bool {
        guard let start, let end = endOfString(bytes, start) else { return false }
        return Bytes.equal(bytes, start + 1..<end - 1, text)
    }

    static func number(at start: Int?, in bytes: Span<UInt8>) -> Int? {
        start.flatMap { Bytes.number(bytes, at: $0) }
    }

    /// Unescapes the string at `start` and compares it with `expected` from `position` on, which moves to
    /// the end of what matched. False when it differs or is no string.
    static func matches(
        _ start: Int, in bytes: Span<UInt8>, _ expected: Span<UInt8>, _ position: inout Int
    ) -> Bool {
        guard start < bytes.count, bytes[start] == UInt8(ascii: "\"") else { return false }
        var index = start + 1
        var place = position
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                position = place
                return true
            }
            if byte != UInt8(ascii: "\\") {
                guard place < expected.count, expected[place] == byte else { return false }
                place += 1
                index += 1
                continue
            }
            guard let scalar = escape(bytes, &index) else { return false }
            for unit in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                guard place < expected.count, expected[place] == unit else { return false }
                place += 1
            }
        }
        return false
    }

    /// Decodes the escape at `index`, a surrogate pair as one, and steps over it.
    private static func escape(_ bytes: Span<UInt8>, _ index: inout Int) -> Unicode.Scalar? {
        guard index + 1 < bytes.count else { return nil }
        let kind = bytes[index + 1]
        index += 2
        switch kind {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(kind)
        case UInt8(ascii: "u"):
            guard let high = hexadecimal(bytes, &index) else { return nil }
            guard (0xD800...0xDBFF).contains(high) else { return Unicode.Scalar(high) }
            guard Bytes.hasPrefix(bytes, at: index, "\\u") else { return nil }
            index += 2
            guard let low = hexadecimal(bytes, &index), (0xDC00...0xDFFF).contains(low) else { return nil }
            return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
        default: return nil
        }
    }

    private static func hexadecimal(_ bytes: Span<UInt8>, _ index: inout Int) -> UInt32? {
        guard index + 4 <= bytes.count else { return nil }
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = hexadecimalDigit(bytes[index + offset]) else { return nil }
            value = value << 4 | digit
        }
        index += 4
        return value
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt32? {
        let lower = Bytes.lowercase(byte)
        return switch lower {
        case 0x30...0x39: UInt32(lower - 0x30)
        case 0x61...0x66: UInt32(lower - 0x61 + 10)
        default: nil
        }
    }
}
