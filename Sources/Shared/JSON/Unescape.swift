// Escapes of a scanned string back to bytes. The input was checked by the scanner; anything odd all the
// same is copied as it stands.

enum Unescape {
    static func append(_ escaped: ArraySlice<UInt8>, to out: inout [UInt8]) {
        out.reserveCapacity(out.count + escaped.count)
        var at = escaped.startIndex
        while at < escaped.endIndex {
            guard let slash = escaped[at...].firstIndex(of: UInt8(ascii: "\\")) else {
                out.append(contentsOf: escaped[at...])
                return
            }
            out.append(contentsOf: escaped[at..<slash])
            guard slash + 1 < escaped.endIndex else { return }
            at = slash + 2
            switch escaped[slash + 1] {
            case UInt8(ascii: "n"): out.append(0x0A)
            case UInt8(ascii: "t"): out.append(0x09)
            case UInt8(ascii: "r"): out.append(0x0D)
            case UInt8(ascii: "b"): out.append(0x08)
            case UInt8(ascii: "f"): out.append(0x0C)
            case UInt8(ascii: "u"):
                at = append(scalar(escaped, slash), to: &out)
            case let other: out.append(other)
            }
        }
    }

    /// The character of the `\u` at `at`, joined with its partner, and where the text goes on.
    static func scalar(_ text: ArraySlice<UInt8>, _ at: Int) -> (UInt32, next: Int) {
        guard let unit = unit(text, at) else { return (0xFFFD, min(at + 6, text.endIndex)) }
        guard unit & 0xF800 == 0xD800 else { return (unit, at + 6) }
        guard unit < 0xDC00, let low = self.unit(text, at + 6), low & 0xFC00 == 0xDC00 else {
            return (0xFFFD, at + 6)
        }
        return (0x10000 + (unit & 0x3FF) << 10 + low & 0x3FF, at + 12)
    }

    private static func unit(_ text: ArraySlice<UInt8>, _ at: Int) -> UInt32? {
        guard at + 6 <= text.endIndex, text[at] == UInt8(ascii: "\\"), text[at + 1] == UInt8(ascii: "u")
        else {
            return nil
        }
        var unit: UInt32 = 0
        for offset in 2..<6 {
            guard let digit = Hex.digit(text[at + offset]) else { return nil }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }

    private static func append(_ found: (UInt32, next: Int), to out: inout [UInt8]) -> Int {
        let scalar = Unicode.Scalar(found.0) ?? "\u{FFFD}"
        out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        return found.next
    }
}
