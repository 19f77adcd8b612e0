// How many tokens a text has, without a tokenizer: one pass over its bytes, each weighed by what it follows.
// Holds: the same text has the same number wherever it stands in the prompt; no allocation for ordinary
// texts.

enum TextTokens {
    /// Of a string in its escaped form, or of any other part of a JSON text.
    static func estimate(_ bytes: ArraySlice<UInt8>) -> Int {
        // Spelt out as `\u4e2d` a character has six times the letters, and no more tokens.
        let spelt = bytes.span.countOfSpeltCharacters
        let units =
            spelt * 6 * 16 > bytes.count ? bytes.span.tokenUnitsOfCharacters : bytes.span.tokenUnits
        return (units + TokenWeights.unitsPerToken - 1) / TokenWeights.unitsPerToken
    }
}

extension Span<UInt8> {
    /// The sum of the weights of all bytes.
    fileprivate var tokenUnits: Int {
        guard count > 0 else { return 0 }
        let pairs = TokenWeights.unitsOfPair
        let raw = bytes
        return pairs.withUnsafeBufferPointer { pairs in
            // Two bytes index a table of 65,536: in range whatever the text is, and the pass has no time to
            // check it.
            guard pairs.count == 1 << 16 else { return 0 }
            var sum = TokenWeights.units(ofFirst: self[0])
            var at = 0
            while at &+ 1 < count {
                let pair = UInt16(littleEndian: raw.unsafeLoadUnaligned(fromByteOffset: at, as: UInt16.self))
                sum &+= Int(pairs[Int(pair)])
                at &+= 1
            }
            return sum
        }
    }

    /// As `tokenUnits`, with characters in the place of their `\u` forms; all else stays. Surrogates without
    /// partner count as little as one character, or nothing.
    fileprivate var tokenUnitsOfCharacters: Int {
        let classes = TokenWeights.classOfByte
        let units = TokenWeights.units
        return classes.withUnsafeBufferPointer { classes in
            units.withUnsafeBufferPointer { units in
                guard classes.count == 256, units.count == 1024 else { return 0 }
                var sum = 0
                var before = 31 << 5
                func weigh(_ byte: UInt8) {
                    let own = Int(classes[Int(byte)])
                    sum &+= Int(units[before | own])
                    before = own << 5
                }
                func weigh(scalar: UInt32) {
                    let scalar = Unicode.Scalar(scalar) ?? "\u{FFFD}"
                    for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { weigh(byte) }
                }
                var high: UInt32?
                var at = 0
                while at < count {
                    let byte = self[at]
                    guard byte == UInt8(ascii: "\\") else {
                        weigh(byte)
                        high = nil
                        at &+= 1
                        continue
                    }
                    guard let unit = codeUnit(at: at) else {
                        // An escaped backslash begins nothing.
                        weigh(byte)
                        if at &+ 1 < count { weigh(self[at &+ 1]) }
                        high = nil
                        at &+= 2
                        continue
                    }
                    at &+= 6
                    switch unit {
                    case 0xD800...0xDBFF: high = unit
                    case 0xDC00...0xDFFF:
                        weigh(
                            scalar: high.map { 0x10000 + (($0 - 0xD800) << 10) + (unit - 0xDC00) } ?? 0xFFFD)
                        high = nil
                    default:
                        weigh(scalar: unit)
                        high = nil
                    }
                }
                return sum
            }
        }
    }

    /// The number of the `\u` form that begins here.
    @inline(__always)
    private func codeUnit(at start: Int) -> UInt32? {
        guard start &+ 6 <= count, self[start &+ 1] == UInt8(ascii: "u") else { return nil }
        var unit: UInt32 = 0
        for offset in 2..<6 {
            let byte = self[start &+ offset]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte &- UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte &- UInt8(ascii: "a") &+ 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte &- UInt8(ascii: "A") &+ 10
            default: return nil
            }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
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
