// How many tokens a text has, without a tokenizer: one pass over its bytes, each weighed by what it follows.
// Holds: the same text has the same number wherever it stands in the prompt; no allocation for ordinary texts.

enum TextTokens {
    /// Of a string in its escaped form, or of any other part of a JSON text.
    static func estimate(_ bytes: ArraySlice<UInt8>) -> Int {
        // Spelt out as `\u4e2d` a character has six times the letters, and no more tokens.
        let spelt = bytes.span.countOfSpeltCharacters
        let units = spelt * 6 * 16 > bytes.count ? plain(bytes).span.tokenUnits : bytes.span.tokenUnits
        return (units + TokenWeights.unitsPerToken - 1) / TokenWeights.unitsPerToken
    }

    /// With characters in the place of their `\u` forms; all else stays.
    private static func plain(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count)
        var at = bytes.startIndex
        var high: UInt32?
        while at < bytes.endIndex {
            guard let unit = codeUnit(bytes[at...]) else {
                // An escaped backslash begins nothing.
                let length = bytes[at] == UInt8(ascii: "\\") ? min(2, bytes.endIndex - at) : 1
                plain += bytes[at..<(at + length)]
                at += length
                high = nil
                continue
            }
            at += 6
            switch unit {
            case 0xD800...0xDBFF: high = unit
            case 0xDC00...0xDFFF:
                let scalar = high.map { 0x10000 + (($0 - 0xD800) << 10) + (unit - 0xDC00) }
                append(scalar ?? 0xFFFD, to: &plain)
                high = nil
            default:
                append(unit, to: &plain)
                high = nil
            }
        }
        return plain
    }

    private static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
        bytes += Array(String(Character(Unicode.Scalar(scalar) ?? "\u{FFFD}")).utf8)
    }

    /// The number of a `\u` form at the beginning.
    private static func codeUnit(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        guard bytes.count >= 6, bytes.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) else {
            return nil
        }
        var unit: UInt32 = 0
        for byte in bytes.dropFirst(2).prefix(4) {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }
}

extension Span<UInt8> {
    /// The sum of the weights of all bytes.
    fileprivate var tokenUnits: Int {
        let classes = TokenWeights.classOfByte
        let units = TokenWeights.units
        return classes.withUnsafeBufferPointer { classes in
            units.withUnsafeBufferPointer { units in
                // A byte indexes a table of 256, two classes below 32 one of 1024: both are in range whatever
                // the text is, and the pass has no time to check it.
                guard classes.count == 256, units.count == 1024 else { return 0 }
                var sum = 0
                var before = 31 << 5
                for at in indices {
                    let own = Int(classes[Int(self[unchecked: at])])
                    sum &+= Int(units[before | own])
                    before = own << 5
                }
                return sum
            }
        }
    }

    /// How often `\u` stands in the text, sixteen bytes at a time.
    fileprivate var countOfSpeltCharacters: Int {
        let raw = bytes
        var total = 0
        var at = 0
        let backslash = SIMD16<UInt8>(repeating: UInt8(ascii: "\\"))
        let letter = SIMD16<UInt8>(repeating: UInt8(ascii: "u"))
        while at &+ 17 <= count {
            let here = raw.unsafeLoadUnaligned(fromByteOffset: at, as: SIMD16<UInt8>.self)
            let next = raw.unsafeLoadUnaligned(fromByteOffset: at &+ 1, as: SIMD16<UInt8>.self)
            let found = (here .== backslash) .& (next .== letter)
            if any(found) {
                total &+= Int(SIMD16<UInt8>(repeating: 0).replacing(with: 1, where: found).wrappedSum())
            }
            at &+= 16
        }
        while at &+ 1 < count {
            if self[at] == UInt8(ascii: "\\"), self[at &+ 1] == UInt8(ascii: "u") { total &+= 1 }
            at &+= 1
        }
        return total
    }
}
