// Where in Markdown a text stands, by CommonMark's rules: what is in a fence, indented like code, in a
// quotation or in `<pre>` and `<code>` is shown to the reader, and what stands in the middle of a sentence is
// spoken of, so that marks of calls mean nothing there. Pure. Holds: the same whatever the pieces; one step
// for each byte; ordinary text is gone through once, without a copy.

struct TextCallProse: Sendable {
    /// What of the line has been read.
    private enum Phase {
        /// White space and markers of lists.
        case prefix
        /// Behind `-`, `*`, `+`, `1.` or `1)`: a list's marker if white space follows.
        case marker
        case number(digits: Int)
        /// Backticks or tildes that may open or close a fence.
        case run
        /// Behind the run that opens a fence, unless a backtick follows.
        case info
        /// Behind the run that closes a fence, unless more than white space follows.
        case closing
        case text
    }

    /// Columns from which on a line is code.
    private static let codeIndent = 4
    private static let longestIndent = 1 << 16

    private var phase = Phase.prefix
    /// Columns before the first character of the line that is no white space and no list's marker.
    private var indent = 0
    /// Where the list's marker of this line ends; 0 without one.
    private var markerEnd = 0
    /// Where the text of the list's latest item begins; 0 outside of lists.
    private var listIndent = 0
    /// The line is quoted, or indented like code.
    private var isShownLine = false

    private var runMark: UInt8 = 0
    private var runLength = 0
    private var runIndent = 0
    /// Something stands behind the run.
    private var hasInfo = false

    /// The character of the open fence and how many opened it; 0 outside.
    private var fenceMark: UInt8 = 0
    private var fenceLength = 0
    /// Where the text of the list's item begins that the fence stands in.
    private var fenceIndent = 0
    /// A fence that ended because its list did. Models that forget to indent its lines mean to close it with
    /// the next one, which would open one by the book.
    private var lostMark: UInt8 = 0
    private var lostLength = 0

    private enum Markup { case none, paragraph, block }
    /// Inside `<pre>` or `<code>`, up to its end or that of the paragraph.
    private var markup = Markup.none
    private var isInTag = false
    /// The letters of a tag's name, the last eight.
    private var tagName: UInt64 = 0
    private var startsLine = false

    /// The last bytes, the latest lowest.
    private var lastBytes: UInt32 = 0

    init() {}

    /// In the middle of a line that ends with `byte` so far.
    init(behind byte: UInt8) {
        phase = .text
        lastBytes = UInt32(byte)
    }

    private var isPrefix: Bool { if case .prefix = phase { true } else { false } }
    private var isText: Bool { if case .text = phase { true } else { false } }

    /// Only white space since the line began, and not so much that it is code.
    var isLineStart: Bool { isPrefix && markerEnd == 0 && indent < Self.codeIndent }

    var isInFence: Bool {
        // A line that does not reach the text of the fence's list ends both.
        fenceLength > 0 && !(isPrefix && indent < fenceIndent)
    }

    /// Whether a mark here would be part of an example.
    var isShowing: Bool {
        if isInFence || isShownLine || markup != .none { return true }
        switch phase {
        case .run, .info, .closing: return true
        case .prefix: return markerEnd == 0 && indent >= Self.codeIndent
        case .marker, .number, .text: return false
        }
    }

    // MARK: places in a line

    /// Directly behind the end of a sentence, without a blank.
    var isBehindSentence: Bool {
        guard isText else { return false }
        switch UInt8(truncatingIfNeeded: lastBytes) {
        case UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "?"), UInt8(ascii: ":"), UInt8(ascii: ")"):
            return true
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return !isBehindOpeningQuote
        default:
            // 。！？：… and the closing one of curly quotes.
            return [0xE38082, 0xEFBC81, 0xEFBC9F, 0xEFBC9A, 0xE280A6, 0xE2809D].contains(
                lastBytes & 0xFF_FFFF)
        }
    }

    /// Directly behind a word or a sentence, or one blank behind the end of a sentence.
    var isBehindText: Bool {
        guard isText else { return false }
        if isBehindSentence { return true }
        let last = UInt8(truncatingIfNeeded: lastBytes)
        switch last {
        case 0x20:
            let before = UInt8(truncatingIfNeeded: lastBytes >> 8)
            return before == UInt8(ascii: ".") || before == UInt8(ascii: "!") || before == UInt8(ascii: "?")
        case 0, 0x09...0x0D, UInt8(ascii: "`"), UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"),
            UInt8(ascii: "\""), UInt8(ascii: "'"):
            return false
        // Opening quotes: “ ‘ „ and «.
        default:
            return ![0xE2809C, 0xE28098, 0xE2809E].contains(lastBytes & 0xFF_FFFF)
                && lastBytes & 0xFFFF != 0xC2AB
        }
    }

    private var isBehindOpeningQuote: Bool {
        let before = UInt8(truncatingIfNeeded: lastBytes >> 8)
        return before == 0 || Ascii.isSpace(before) || before == UInt8(ascii: "(")
    }

    // MARK: the text goes on

    mutating func advance(_ byte: UInt8) {
        lastBytes = lastBytes << 8 | UInt32(byte)
        if byte == Ascii.lineFeed { return endLine() }
        if isInTag || byte == UInt8(ascii: "<") { readTag(byte) }
        if isText { return }
        switch phase {
        case .prefix: readPrefix(byte)
        case .marker: readMarker(byte)
        case .number(let digits): readNumber(byte, digits)
        case .run: readRun(byte)
        case .info:
            if !Ascii.isSpace(byte) { hasInfo = true }
            // The info string of backticks holds none: this is a code span.
            if byte == runMark, byte == UInt8(ascii: "`") { phase = .text }
        case .closing: if !Ascii.isSpace(byte) { phase = .text }
        case .text: break
        }
    }

    private mutating func widen(_ byte: UInt8) {
        switch byte {
        case 0x20: indent = min(indent + 1, Self.longestIndent)
        case 0x09: indent = min(indent / 4 * 4 + 4, Self.longestIndent)
        default: break
        }
    }

    private mutating func readPrefix(_ byte: UInt8) {
        guard !Ascii.isSpace(byte) else { return widen(byte) }
        if fenceLength > 0, indent < fenceIndent {
            (lostMark, lostLength, fenceLength) = (fenceMark, fenceLength, 0)
        }
        // Columns that the text stands right of the item it belongs to.
        var base = indent >= listIndent ? listIndent : 0
        if markerEnd > 0 {
            base = indent - markerEnd <= Self.codeIndent ? indent : markerEnd + 1
            listIndent = base
        }
        let inner = indent - base
        guard fenceLength == 0 else {
            phase = .text
            if byte == fenceMark, indent - fenceIndent < Self.codeIndent { beginRun(byte, 0) }
            return
        }
        startsLine = inner < Self.codeIndent
        isShownLine = isShownLine || markerEnd == 0 && indent >= Self.codeIndent
        guard inner < Self.codeIndent else {
            phase = .text
            return
        }
        switch byte {
        case UInt8(ascii: "`"), UInt8(ascii: "~"): beginRun(byte, base)
        case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "*"):
            phase = .marker
            indent += 1
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            phase = .number(digits: 1)
            indent += 1
        case UInt8(ascii: ">"):
            phase = .text
            isShownLine = true
        default:
            phase = .text
            if indent == 0 { listIndent = 0 }
        }
    }

    private mutating func readMarker(_ byte: UInt8) {
        guard Ascii.isSpace(byte) else {
            phase = .text
            return
        }
        markerEnd = indent
        phase = .prefix
        widen(byte)
    }

    private mutating func readNumber(_ byte: UInt8, _ digits: Int) {
        indent += 1
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9") where digits < 9: phase = .number(digits: digits + 1)
        case UInt8(ascii: "."), UInt8(ascii: ")"): phase = .marker
        default: phase = .text
        }
    }

    // MARK: fences

    private mutating func beginRun(_ byte: UInt8, _ base: Int) {
        phase = .run
        (runMark, runLength, runIndent, hasInfo) = (byte, 1, base, false)
    }

    private mutating func readRun(_ byte: UInt8) {
        guard byte != runMark else {
            runLength += 1
            return
        }
        hasInfo = !Ascii.isSpace(byte)
        if runLength < 3 {
            phase = .text
        } else if fenceLength > 0 {
            // A closing fence has no info string.
            phase = runLength >= fenceLength && !hasInfo ? .closing : .text
        } else {
            phase = .info
        }
    }

    private mutating func endLine() {
        if isInTag { readTag(Ascii.lineFeed) }
        switch phase {
        case .run where fenceLength > 0: if runLength >= fenceLength { fenceLength = 0 }
        case .run where runLength >= 3: openFence()
        case .info: openFence()
        case .closing: fenceLength = 0
        case .prefix: if markup == .paragraph { markup = .none }
        case .run, .marker, .number, .text: break
        }
        phase = .prefix
        (indent, markerEnd, isShownLine, startsLine) = (0, 0, false, false)
    }

    private mutating func openFence() {
        defer { lostLength = 0 }
        if !hasInfo, runMark == lostMark, lostLength > 0, runLength >= lostLength { return }
        (fenceMark, fenceLength, fenceIndent) = (runMark, runLength, runIndent)
    }

    // MARK: tags of HTML

    private mutating func readTag(_ byte: UInt8) {
        guard isInTag else {
            isInTag = fenceLength == 0
            tagName = 0
            if !isPrefix { startsLine = false }
            return
        }
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "/"): tagName = tagName << 8 | UInt64(byte)
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): tagName = tagName << 8 | UInt64(byte | 0x20)
        default:
            isInTag = byte == UInt8(ascii: "<")
            switch tagName {
            // `pre`, `code`; `/pre`, `/code`
            case 0x70_7265: markup = startsLine ? .block : .paragraph
            case 0x636F_6465: markup = markup == .block ? .block : .paragraph
            case 0x2F70_7265: markup = .none
            case 0x2F_636F_6465: if markup == .paragraph { markup = .none }
            default: break
            }
            tagName = 0
            startsLine = false
        }
    }

    // MARK: the short way

    /// Goes through `text`, the inside of a JSON string; false, and nothing done, if a mark or a fence may be
    /// in it.
    mutating func passes(_ text: Span<UInt8>) -> Bool {
        guard !isInTag else { return false }
        var prose = self
        guard prose.skims(text) else { return false }
        self = prose
        return true
    }

    @inline(__always)
    private mutating func skims(_ text: Span<UInt8>) -> Bool {
        var at = 0
        while at < text.count {
            let byte = text[at]
            at &+= 1
            switch byte {
            case UInt8(ascii: "\\"):
                guard at < text.count else { return false }
                guard let number = Self.escapedASCII(text, at) else {
                    advance(Self.unescaped(text[at]))
                    at &+= 1
                    continue
                }
                guard Self.isHTML(number) else { return false }
                at &+= 5
                if number == UInt8(ascii: "<"), !isInFence {
                    if Self.mayFollowAngle(text, at) { return false }
                    advance(number)
                    isInTag = false
                } else {
                    advance(number)
                }
                continue
            case UInt8(ascii: "`"), UInt8(ascii: "~"): if isLineStart { return false }
            case UInt8(ascii: "<") where !isInFence:
                if Self.mayFollowAngle(text, at) { return false }
                // None of the tags that matter.
                advance(byte)
                isInTag = false
                continue
            case UInt8(ascii: "[") where !isInFence:
                if at == text.count || text[at] == UInt8(ascii: "T") { return false }
            default: break
            }
            if isText {
                lastBytes = lastBytes << 8 | UInt32(byte)
            } else {
                advance(byte)
            }
        }
        return true
    }
}
