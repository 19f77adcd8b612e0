// What stands in the inside of a JSON string, read where it is: escapes, and what may begin behind an angle
// bracket.

extension TextCallProse {
    /// What a backslash and this stand for; of a number only that it is a letter.
    static func unescaped(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "n"): Ascii.lineFeed
        case UInt8(ascii: "r"): Ascii.carriageReturn
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "b"), UInt8(ascii: "f"): 0x0C
        default: byte
        }
    }

    /// The byte that a `u00` with two digits at `at` stands for, if it is one of those that marks are made
    /// of.
    static func escapedASCII(_ text: Span<UInt8>, _ at: Int) -> UInt8? {
        guard text[at] == UInt8(ascii: "u"), at &+ 4 < text.count,
            text[at &+ 1] == UInt8(ascii: "0"), text[at &+ 2] == UInt8(ascii: "0"),
            text[at &+ 3] < UInt8(ascii: "8")
        else { return nil }
        let low = text[at &+ 4]
        let digit =
            low < UInt8(ascii: "A") ? low &- UInt8(ascii: "0") : (low | 0x20) &- UInt8(ascii: "a") &+ 10
        return (text[at &+ 3] &- UInt8(ascii: "0")) << 4 | digit & 0x0F
    }

    /// What servers written in Go escape in every text: Ollama's answers are full of it.
    static func isHTML(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), UInt8(ascii: "'"): true
        default: false
        }
    }

    /// Whether a mark, `<pre>` or `<code>` may begin with the angle bracket before `at`. Three letters tell
    /// it from most of HTML.
    static func mayFollowAngle(_ text: Span<UInt8>, _ at: Int) -> Bool {
        guard at < text.count else { return true }
        let rest: (UInt8, UInt8)
        switch text[at] {
        case UInt8(ascii: "|"), UInt8(ascii: "\\"), 0xEF: return true
        case UInt8(ascii: "t"): rest = (UInt8(ascii: "o"), UInt8(ascii: "o"))
        case UInt8(ascii: "f"): rest = (UInt8(ascii: "u"), UInt8(ascii: "n"))
        case UInt8(ascii: "m"): rest = (UInt8(ascii: "i"), UInt8(ascii: "n"))
        case UInt8(ascii: "i"): rest = (UInt8(ascii: "n"), UInt8(ascii: "v"))
        case UInt8(ascii: "l"): rest = (UInt8(ascii: "o"), UInt8(ascii: "n"))
        case UInt8(ascii: "T"): rest = (UInt8(ascii: "O"), UInt8(ascii: "O"))
        case UInt8(ascii: "p"), UInt8(ascii: "P"): rest = (UInt8(ascii: "r"), UInt8(ascii: "e"))
        case UInt8(ascii: "c"), UInt8(ascii: "C"): rest = (UInt8(ascii: "o"), UInt8(ascii: "d"))
        case UInt8(ascii: "/"):
            guard at &+ 1 < text.count else { return true }
            rest =
                text[at &+ 1] | 0x20 == UInt8(ascii: "p")
                ? (UInt8(ascii: "p"), UInt8(ascii: "r")) : (UInt8(ascii: "c"), UInt8(ascii: "o"))
        case UInt8(ascii: "s"):
            guard at &+ 1 < text.count else { return true }
            rest =
                text[at &+ 1] == UInt8(ascii: "t")
                ? (UInt8(ascii: "t"), UInt8(ascii: "a")) : (UInt8(ascii: "e"), UInt8(ascii: "e"))
        default: return false
        }
        // Names of tags have no case.
        if at &+ 1 < text.count, text[at &+ 1] | 0x20 != rest.0 | 0x20 { return false }
        return at &+ 2 >= text.count || text[at &+ 2] | 0x20 == rest.1 | 0x20
    }
}
