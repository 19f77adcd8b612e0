// Where in Markdown a text stands: what is in a code fence, in a code span, in a quotation or directly behind an
// opening quote is shown to the reader, not said to the server, so that marks of calls mean nothing there. Pure.
// Holds: the same whatever the pieces; ordinary text is gone through once, without a copy.

struct TextCallProse: Sendable {
    /// Only space since the line began.
    private(set) var isLineStart = true
    private var previous: UInt8 = 0
    /// The character of the open code fence, and how many opened it; 0 outside.
    private var fenceMark: UInt8 = 0
    private var fenceLength = 0
    /// Between backticks, which count to the end of the line.
    private var isInCode = false
    /// The line began with `>`.
    private var isQuoted = false
    private var isBehindOpeningQuote = false

    /// Whether a mark here would be part of an example.
    var isShowing: Bool { fenceLength > 0 || isInCode || isQuoted || isBehindOpeningQuote }

    /// Whether a run of `byte` here is for `fence`.
    func mayFence(_ byte: UInt8) -> Bool {
        isLineStart && (byte == UInt8(ascii: "`") || byte == UInt8(ascii: "~"))
    }

    /// A run of backticks or tildes at the start of a line.
    mutating func fence(_ mark: UInt8, _ length: Int) {
        if fenceLength == 0 {
            if length >= 3 {
                (fenceMark, fenceLength) = (mark, length)
            } else if mark == UInt8(ascii: "`") {
                isInCode.toggle()
            }
        } else if mark == fenceMark, length >= fenceLength {
            fenceLength = 0
        }
        (previous, isLineStart, isBehindOpeningQuote) = (mark, false, false)
    }

    mutating func advance(_ byte: UInt8) {
        switch byte {
        case Ascii.lineFeed: (isInCode, isQuoted) = (false, false)
        case UInt8(ascii: "`") where previous != byte && fenceLength == 0: isInCode.toggle()
        case UInt8(ascii: ">") where isLineStart: isQuoted = true
        default: break
        }
        isBehindOpeningQuote = Self.isQuote(byte) && Self.mayPrecedeQuote(previous)
        isLineStart = byte == Ascii.lineFeed || isLineStart && byte == 0x20
        previous = byte
    }

    private static func isQuote(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
    }

    /// What stands before a quotation rather than at its end.
    private static func mayPrecedeQuote(_ byte: UInt8) -> Bool {
        byte == 0 || Ascii.isSpace(byte) || byte == UInt8(ascii: "(")
    }

    // MARK: the short way

    /// Goes through `text`, the inside of a JSON string; false, and nothing done, if a mark or a fence may be in it.
    mutating func passes(_ text: Span<UInt8>) -> Bool {
        var isLineStart = isLineStart
        var isInCode = isInCode
        var isQuoted = isQuoted
        var at = 0
        while at < text.count {
            let byte = text[at]
            at &+= 1
            switch byte {
            case UInt8(ascii: " "): continue
            case UInt8(ascii: "\\"):
                guard at < text.count, !isEscapedASCII(text, at) else { return false }
                isLineStart = text[at] == UInt8(ascii: "n")
                if isLineStart { (isInCode, isQuoted) = (false, false) }
                at &+= 1
                continue
            case UInt8(ascii: "`"):
                if isLineStart { return false }
                if (at > 1 ? text[at &- 2] : previous) != byte, fenceLength == 0 { isInCode.toggle() }
            case UInt8(ascii: "~") where isLineStart: return false
            case UInt8(ascii: ">") where isLineStart: isQuoted = true
            case UInt8(ascii: "<") where fenceLength == 0:
                if mayFollowAngle(text, at) { return false }
            case UInt8(ascii: "[") where fenceLength == 0:
                if at == text.count || text[at] == UInt8(ascii: "T") { return false }
            default: break
            }
            isLineStart = false
        }
        guard at > 0 else { return true }
        (self.isLineStart, self.isInCode, self.isQuoted) = (isLineStart, isInCode, isQuoted)
        endsShortWay(text)
        return true
    }

    /// Takes note of the last two characters.
    @inline(__always)
    private mutating func endsShortWay(_ text: Span<UInt8>) {
        let last = text[text.count &- 1]
        isBehindOpeningQuote = false
        guard last == UInt8(ascii: "\"") || last == UInt8(ascii: "'") || isLineStart else {
            previous = last
            return
        }
        // The quote of a JSON string has its backslash before it.
        let width = last == UInt8(ascii: "'") ? 1 : 2
        var before = previous
        if text.count > width {
            before = text[text.count &- width &- 1]
            let isEscape = text.count > width &+ 1 && text[text.count &- width &- 2] == UInt8(ascii: "\\")
            if isEscape, before == UInt8(ascii: "n") || before == UInt8(ascii: "t") { before = 0x20 }
        }
        isBehindOpeningQuote = Self.isQuote(last) && Self.mayPrecedeQuote(before)
        previous = isLineStart && last == UInt8(ascii: "n") ? Ascii.lineFeed : last
    }

    /// Whether `u00` and a digit below 8 stand at `at`: an escape for one of the bytes that marks are made of.
    private func isEscapedASCII(_ text: Span<UInt8>, _ at: Int) -> Bool {
        guard text[at] == UInt8(ascii: "u"), at &+ 3 < text.count else { return false }
        return text[at &+ 1] == UInt8(ascii: "0") && text[at &+ 2] == UInt8(ascii: "0")
            && text[at &+ 3] < UInt8(ascii: "8")
    }

    /// Whether a mark may begin with the angle bracket before `at`. Three letters tell it from most of HTML.
    private func mayFollowAngle(_ text: Span<UInt8>, _ at: Int) -> Bool {
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
        case UInt8(ascii: "s"):
            guard at &+ 1 < text.count else { return true }
            rest =
                text[at &+ 1] == UInt8(ascii: "t")
                ? (UInt8(ascii: "t"), UInt8(ascii: "a")) : (UInt8(ascii: "e"), UInt8(ascii: "e"))
        default: return false
        }
        if at &+ 1 < text.count, text[at &+ 1] != rest.0 { return false }
        return at &+ 2 >= text.count || text[at &+ 2] == rest.1
    }
}
