// Bytes that are nearly JSON text made into JSON text: invalid UTF-8 becomes U+FFFD, control characters
// inside strings become escapes. The slow path, taken only after the strict parser refused.

enum JSONRepair {
    /// `text` with every ill-formed UTF-8 sequence replaced and raw control characters in strings escaped.
    /// An escape that JSON does not know keeps its backslash as a character.
    static func mended(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(text.count + 16)
        var inString = false
        var escaped = false
        for byte in String(decoding: text, as: UTF8.self).utf8 {
            if escaped {
                escaped = false
                if !isEscape(byte) { out.append(UInt8(ascii: "\\")) }
            } else if inString, byte < 0x20 {
                append(control: byte, to: &out)
                continue
            } else if byte == UInt8(ascii: "\"") {
                inString.toggle()
            } else if byte == UInt8(ascii: "\\"), inString {
                escaped = true
            }
            out.append(byte)
        }
        return out
    }

    private static func isEscape(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"), UInt8(ascii: "u"):
            true
        default: false
        }
    }

    private static func append(control byte: UInt8, to out: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        out.append(contentsOf: "\\u00".utf8)
        out.append(digits[Int(byte >> 4)])
        out.append(digits[Int(byte & 15)])
    }
}
