// The inside of a string: where it ends, whether it has escapes, and that it is valid UTF-8.
// Eight bytes are looked at in one step; a word with nothing special in it is skipped whole.

enum StringScan {
    /// The index of the closing quote of the string whose first byte is at `start`.
    static func end(of text: Span<UInt8>, from start: Int, flags: inout TapeFlags) throws(JSONError) -> Int {
        let raw = text.bytes
        let count = text.count
        var at = start
        while true {
            while at &+ 8 <= count {
                let word = raw.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
                let found = Word.special(word)
                if found == 0 {
                    at &+= 8
                    continue
                }
                // The lowest marked byte is exact; higher ones may be marked by borrow.
                at &+= UInt64(littleEndian: found).trailingZeroBitCount >> 3
                break
            }
            guard at < count else { throw JSONError(.unexpectedEnd, at: count) }
            let byte = text[at]
            switch byte {
            case UInt8(ascii: "\""): return at
            case UInt8(ascii: "\\"):
                flags.insert(.escaped)
                try escape(text, &at, &flags)
            case 0..<0x20: throw JSONError(.controlCharacter, at: at)
            case 0x80...:
                // Texts that are not ASCII rarely have one such character only.
                repeat { try multibyte(text, &at) } while at < count && text[at] >= 0x80
            default: at &+= 1
            }
        }
    }

    private static func escape(_ text: Span<UInt8>, _ at: inout Int, _ flags: inout TapeFlags)
        throws(JSONError)
    {
        guard at &+ 1 < text.count else { throw JSONError(.unexpectedEnd, at: text.count) }
        switch text[at &+ 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            at &+= 2
        case UInt8(ascii: "u"):
            let unit = try hex(text, at)
            let isHigh = unit & 0xFC00 == 0xD800
            if isHigh, at &+ 7 < text.count, text[at &+ 6] == UInt8(ascii: "\\"),
                text[at &+ 7] == UInt8(ascii: "u"), try hex(text, at &+ 6) & 0xFC00 == 0xDC00
            {
                at &+= 12
                return
            }
            if unit & 0xF800 == 0xD800 { flags.insert(.loneSurrogate) }
            at &+= 6
        default:
            throw JSONError(.badEscape, at: at)
        }
    }

    /// The four digits of the `\u` at `at`.
    private static func hex(_ text: Span<UInt8>, _ at: Int) throws(JSONError) -> UInt32 {
        guard at &+ 6 <= text.count else { throw JSONError(.unexpectedEnd, at: text.count) }
        var unit: UInt32 = 0
        for offset in 2..<6 {
            guard let digit = Hex.digit(text[at &+ offset]) else { throw JSONError(.badEscape, at: at) }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }

    /// One character of two to four bytes, by the table of well-formed sequences (Unicode, table 3-7).
    private static func multibyte(_ text: Span<UInt8>, _ at: inout Int) throws(JSONError) {
        let lead = text[at]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw JSONError(.invalidUTF8, at: at)
        }
        guard at &+ length <= text.count, second.contains(text[at &+ 1]) else {
            throw JSONError(.invalidUTF8, at: at)
        }
        for offset in 2..<max(length, 2) where text[at &+ offset] & 0xC0 != 0x80 {
            throw JSONError(.invalidUTF8, at: at)
        }
        at &+= length
    }
}

enum Word {
    static let ones: UInt64 = 0x0101_0101_0101_0101
    static let highs: UInt64 = 0x8080_8080_8080_8080

    /// Marks (high bit of the byte) quotes, backslashes, control characters and bytes from 0x80 up.
    @inline(__always)
    static func special(_ word: UInt64) -> UInt64 {
        let quote = word ^ (ones &* 0x22)
        let slash = word ^ (ones &* 0x5C)
        let zeroes = ((quote &- ones) & ~quote) | ((slash &- ones) & ~slash)
        let controls = (word &- ones &* 0x20) & ~word
        return (zeroes | controls | word) & highs
    }

    /// As `special`, but lets bytes from 0x80 up pass: what a writer must escape.
    @inline(__always)
    static func escapable(_ word: UInt64) -> UInt64 {
        let quote = word ^ (ones &* 0x22)
        let slash = word ^ (ones &* 0x5C)
        let zeroes = ((quote &- ones) & ~quote) | ((slash &- ones) & ~slash)
        let controls = (word &- ones &* 0x20) & ~word
        return (zeroes | controls) & highs
    }
}

enum Hex {
    @inline(__always)
    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- UInt8(ascii: "A") &+ 10
        default: nil
        }
    }
}
