// What each pair of neighbouring bytes adds to the number of tokens, by their classes. Fitted to the
// tokenizers of Tests/Tokens (`fit.py` there) so that texts of many kinds come out a little too high with
// each of them, and none far too low.

enum TokenWeights {
    /// Tokens are counted in units of this many.
    static let unitsPerToken = 32
    static let classes = 32

    /// Classes of bytes: of ASCII what it is for, of other scripts what their lead byte tells.
    private enum Class: UInt8 {
        case control, space, digit, upper
        /// Small letters, by how seldom they stand within one token with others.
        case e, vowel, tnsr, ldhcm, pgfb, rare
        case underscore, dash, stop, quote, bracket, sign, backslash
        case continuation, latin, greek, cyrillic, hebrew, arabic
        /// Indic and Thai; Georgian, Ethiopic, Khmer, Vietnamese; punctuation and symbols.
        case indic, southeast, symbol
        case kana, han, hangul, compatibility, emoji

        init(_ byte: UInt8) {
            self =
                switch byte {
                case UInt8(ascii: " "): .space
                case UInt8(ascii: "0")...UInt8(ascii: "9"): .digit
                case UInt8(ascii: "A")...UInt8(ascii: "Z"): .upper
                case UInt8(ascii: "a")...UInt8(ascii: "z"): Self.small(byte)
                case UInt8(ascii: "_"): .underscore
                case UInt8(ascii: "\""): .quote
                case UInt8(ascii: "\\"): .backslash
                case 0x00...0x1F, 0x7F: .control
                case 0x21...0x7E: Self.sign(byte)
                case 0x80...0xBF: .continuation
                case 0xC0...0xCB: .latin
                case 0xCC...0xCF: .greek
                case 0xD0...0xD1: .cyrillic
                case 0xD2...0xD7: .hebrew
                case 0xD8...0xDF: .arabic
                case 0xE0: .indic
                case 0xE1: .southeast
                case 0xE2: .symbol
                case 0xE3: .kana
                case 0xE4...0xE9: .han
                case 0xEA...0xED: .hangul
                case 0xEE...0xEF: .compatibility
                default: .emoji
                }
        }

        private static func small(_ byte: UInt8) -> Class {
            switch byte {
            case UInt8(ascii: "e"): .e
            case UInt8(ascii: "a"), UInt8(ascii: "i"), UInt8(ascii: "o"), UInt8(ascii: "u"): .vowel
            case UInt8(ascii: "t"), UInt8(ascii: "n"), UInt8(ascii: "s"), UInt8(ascii: "r"): .tnsr
            case UInt8(ascii: "l"), UInt8(ascii: "d"), UInt8(ascii: "h"), UInt8(ascii: "c"),
                UInt8(ascii: "m"):
                .ldhcm
            case UInt8(ascii: "k"), UInt8(ascii: "j"), UInt8(ascii: "q"), UInt8(ascii: "x"),
                UInt8(ascii: "z"):
                .rare
            default: .pgfb
            }
        }

        private static func sign(_ byte: UInt8) -> Class {
            switch byte {
            case UInt8(ascii: "/"), UInt8(ascii: "-"): .dash
            case UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: ";"),
                UInt8(ascii: "!"), UInt8(ascii: "?"), UInt8(ascii: "'"):
                .stop
            case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["), UInt8(ascii: "]"),
                UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "<"), UInt8(ascii: ">"):
                .bracket
            default: .sign
            }
        }
    }

    /// By byte: its class.
    static let classOfByte: [UInt8] = (0...255).map { Class($0).rawValue }

    /// What a byte adds behind another, by both: the one before in the lower eight bits, as they come from
    /// memory. 64 KiB, of which a text uses little.
    static let unitsOfPair: [UInt8] = (0..<1 << 16).map { pair in
        units[Int(classOfByte[pair & 0xFF]) << 5 | Int(classOfByte[pair >> 8])]
    }

    /// What a byte adds with nothing before it.
    static func units(ofFirst byte: UInt8) -> Int { Int(units[31 << 5 | Int(classOfByte[Int(byte)])]) }

    /// By the class of the byte before, times `classes`, plus the byte's own: units.
    static let units: [UInt8] = [
        // after control
        32, 16, 61, 33, 18, 24, 18, 22, 18, 18, 2, 15, 61, 61, 2, 6, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28,
        11, 11, 11, 10, 10, 16,
        // after space
        2, 2, 61, 13, 18, 18, 18, 18, 18, 45, 9, 24, 18, 36, 9, 28, 8, 0, 85, 10, 10, 10, 10, 10, 10, 28,
        11, 11, 11, 10, 10, 16,
        // after digit
        9, 17, 31, 31, 61, 13, 2, 54, 61, 45, 2, 59, 61, 32, 28, 11, 3, 0, 85, 10, 10, 10, 10, 10, 10, 28,
        11, 11, 11, 10, 10, 16,
        // after upper
        2, 18, 43, 11, 2, 6, 2, 25, 60, 61, 2, 11, 2, 2, 2, 60, 10, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11,
        11, 11, 10, 10, 16,
        // after e
        39, 4, 2, 2, 26, 18, 1, 1, 17, 1, 2, 50, 34, 2, 37, 25, 49, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11,
        11, 11, 10, 10, 16,
        // after vowel
        54, 35, 32, 22, 14, 6, 1, 1, 12, 26, 2, 38, 56, 2, 48, 61, 61, 0, 85, 10, 10, 10, 10, 10, 10, 28,
        11, 11, 11, 10, 10, 16,
        // after tnsr
        40, 8, 61, 2, 1, 8, 1, 6, 11, 26, 2, 2, 2, 2, 2, 2, 50, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11,
        11, 10, 10, 16,
        // after ldhcm
        3, 2, 2, 2, 2, 1, 1, 26, 26, 26, 12, 16, 9, 2, 27, 2, 12, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11,
        11, 10, 10, 16,
        // after pgfb
        2, 2, 13, 29, 6, 6, 21, 26, 26, 26, 2, 2, 2, 2, 2, 18, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11,
        11, 10, 10, 16,
        // after rare
        2, 26, 2, 61, 1, 26, 26, 26, 26, 19, 12, 33, 2, 2, 34, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11,
        11, 11, 10, 10, 16,
        // after underscore
        2, 2, 2, 30, 10, 47, 10, 10, 52, 10, 2, 2, 2, 16, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11,
        11, 11, 10, 10, 16,
        // after dash
        2, 13, 14, 2, 10, 10, 51, 10, 10, 10, 2, 2, 2, 2, 30, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11,
        11, 11, 10, 10, 16,
        // after stop
        4, 17, 9, 54, 10, 10, 55, 49, 10, 10, 2, 2, 2, 26, 59, 61, 7, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11,
        11, 11, 10, 10, 16,
        // after quote
        13, 13, 2, 2, 10, 35, 10, 10, 39, 10, 36, 2, 26, 2, 2, 44, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11,
        11, 11, 10, 10, 16,
        // after bracket
        4, 2, 61, 61, 10, 10, 12, 10, 10, 10, 61, 2, 2, 2, 2, 45, 3, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11,
        11, 11, 10, 10, 16,
        // after sign
        2, 11, 28, 61, 33, 19, 47, 23, 26, 10, 2, 2, 20, 2, 17, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11,
        11, 11, 10, 10, 16,
        // after backslash
        3, 63, 3, 3, 3, 3, 7, 13, 20, 10, 3, 3, 3, 3, 63, 63, 3, 0, 88, 11, 11, 11, 11, 11, 11, 29, 12, 12,
        12, 11, 11, 16,
        // after continuation
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 10, 32, 23, 74, 47, 78, 73, 10, 32, 57, 43,
        10, 160, 16,
        // after latin
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after greek
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after cyrillic
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after hebrew
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after arabic
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after indic
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after southeast
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after symbol
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after kana
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after han
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after hangul
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after compatibility
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after emoji
        2, 36, 2, 2, 2, 2, 2, 2, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28, 11, 11, 11,
        10, 10, 16,
        // after nothing
        32, 16, 61, 33, 18, 24, 18, 22, 18, 18, 2, 15, 61, 61, 2, 6, 2, 0, 85, 10, 10, 10, 10, 10, 10, 28,
        11, 11, 11, 10, 10, 16,
    ]
}
