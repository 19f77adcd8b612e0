// Reasoning that stands in the text, between tags. Only a tag at the very start of an answer opens it, so

internal import BackendSettings

// that an answer about `<think>` keeps its text. Holds: split tags are found however the text was cut; what
// is held back comes out at the end; once the text is plain, nothing is looked at again.

struct ReasoningTagSplitter: Sendable {
    /// What one piece of text turned out to be: reasoning first, then text.
    struct Split: Equatable {
        var reasoning: ArraySlice<UInt8> = []
        var text: ArraySlice<UInt8> = []
    }

    private struct Tag: Sendable {
        var opener: [UInt8]
        var closer: [UInt8]
        init(_ opener: String, _ closer: String) {
            self.opener = Array(opener.utf8)
            self.closer = Array(closer.utf8)
        }
    }

    private static let think = Tag("<think>", "</think>")
    private static let tags = [
        think, Tag("<thinking>", "</thinking>"), Tag("<thought>", "</thought>"),
        Tag("[THINK]", "[/THINK]"), Tag("<seed:think>", "</seed:think>"), Tag("◁think▷", "◁/think▷"),
        Tag("<|channel|>analysis<|message|>", "<|end|>"), Tag("<|channel>thought", "<channel|>"),
    ]
    /// Space held back before it is known whether anything follows; the first bytes of a tag come on top.
    private static let spaceLimit = 4096

    /// What counts at the start of the text.
    private enum Expected { case openersAndClosers, openers, closers }

    private enum State {
        case opening(Expected)
        case inside(Tag, isBlank: Bool)
        /// Behind the closer; this many line ends may still be dropped.
        case closed(lineEnds: Int)
        case plain
    }

    private var state: State
    /// Bytes before `start` have left.
    private var held: [UInt8] = []
    private var start = 0
    /// The tag that opened the reasoning, and the space behind it.
    private var opening: [UInt8] = []
    /// A closer came.
    private var hasClosed = false

    init(_ mode: ConversionSettings.ThinkTags) {
        state =
            switch mode {
            case .auto: .opening(.openersAndClosers)
            case .implicit: .inside(Self.think, isBlank: true)
            case .off: .plain
            }
    }

    /// Whether text passes untouched from here on.
    var isPlain: Bool { if case .plain = state { true } else { false } }

    private var rest: ArraySlice<UInt8> { held[start...] }

    private mutating func drop(_ count: Int) { start += count }

    /// What opened reasoning that has not ended; empty if a template did, and behind the first end.
    var unclosed: [UInt8] { if case .inside = state, isUnclosed { opening } else { [] } }
    var isUnclosed: Bool { !opening.isEmpty && !hasClosed }

    mutating func split(_ text: ArraySlice<UInt8>) -> Split {
        guard !isPlain else { return Split(text: text) }
        defer {
            held.removeFirst(start)
            start = 0
        }
        if case .opening = state, held.isEmpty, let first = text.first, !Self.mayOpen(first) {
            state = .plain
            return Split(text: text)
        }
        held.append(contentsOf: Self.unescaped(text))
        var found = Split()
        var isSettled = false
        while !isSettled {
            switch state {
            case .opening(let expected): isSettled = open(expected)
            case .inside(let tag, let isBlank): isSettled = readInside(tag, isBlank, &found)
            case .closed(let lineEnds): isSettled = skipLineEnds(lineEnds)
            case .plain:
                found.text = take(rest.count)
                isSettled = true
            }
        }
        return found
    }

    /// Whether a tag, or space or an escape before one, may begin with this byte.
    private static func mayOpen(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "<"), UInt8(ascii: "["), 0xE2, 0x20, 0xC2, UInt8(ascii: "\\"): true
        default: false
        }
    }

    /// Whether reasoning in a field of its own came before and no text yet.
    var isBehindField: Bool { if case .opening(.closers) = state { held.isEmpty } else { false } }

    /// The answer ends, goes on with something else, or marks its reasoning otherwise: tags mean nothing
    /// more.
    /// - Parameter isField: reasoning came in a field of its own; the closer alone may still leak into the
    ///   text.
    mutating func flush(isField: Bool = false) -> Split {
        let isBeginning = if case .plain = state { false } else { isField }
        defer { state = isBeginning ? .opening(.closers) : .plain }
        switch state {
        case .inside(_, let isBlank):
            let rest = takeAll()
            return isBlank && Self.leadingSpace(rest) == rest.count ? Split() : Split(reasoning: rest)
        case .opening, .closed, .plain: return Split(text: takeAll())
        }
    }

    private mutating func takeAll() -> ArraySlice<UInt8> {
        defer { held = [] }
        return held[...]
    }

    /// - Returns: whether more text is needed.
    private mutating func open(_ expected: Expected) -> Bool {
        let space = Self.leadingSpace(rest)
        let rest = rest.dropFirst(space)
        guard !rest.isEmpty else {
            if space > Self.spaceLimit { state = .plain }
            return space <= Self.spaceLimit
        }
        for tag in Self.tags {
            if expected != .closers, rest.starts(with: tag.opener) {
                drop(space + tag.opener.count)
                opening = tag.opener
                state = .inside(tag, isBlank: true)
                return false
            }
            // A closer as the first word: the template opened the reasoning and it was empty.
            if expected != .openers, tag.closer != Array("<|end|>".utf8), rest.starts(with: tag.closer) {
                drop(space + tag.closer.count)
                state = .closed(lineEnds: 2)
                return false
            }
        }
        let mayFollow = Self.tags.contains { tag in
            expected != .closers && tag.opener.starts(with: rest)
                || expected != .openers && tag.closer.starts(with: rest)
        }
        if mayFollow { return true }
        state = .plain
        return false
    }

    private mutating func readInside(_ tag: Tag, _ isBlank: Bool, _ found: inout Split) -> Bool {
        if isBlank {
            let space = Self.leadingSpace(rest)
            if !opening.isEmpty, opening.count < Self.spaceLimit { opening += rest.prefix(space) }
            drop(space)
            // The template said the tag, and the model says it again.
            if rest.starts(with: tag.opener) {
                drop(tag.opener.count)
                return false
            }
            if !rest.isEmpty, tag.opener.starts(with: rest) { return true }
        }
        if let end = ByteSearch.first(tag.closer, in: rest, from: start) {
            found.reasoning += Self.trimmed(held[start..<end])
            start = end + tag.closer.count
            hasClosed = true
            state = .closed(lineEnds: 2)
            return false
        }
        let sure = Self.trimmed(rest.dropLast(Self.overlap(rest, tag.closer))).count
        if sure > 0 {
            found.reasoning += take(sure)
            state = .inside(tag, isBlank: false)
        }
        if rest.count > Self.spaceLimit { found.reasoning += take(rest.count) }
        return true
    }

    private mutating func skipLineEnds(_ count: Int) -> Bool {
        var left = count
        while left > 0 {
            if rest.starts(with: "\\n".utf8) {
                drop(2)
                left -= 1
            } else if rest.starts(with: "\\r\\n".utf8) {
                drop(4)
                left -= 1
            } else if "\\r\\n".utf8.starts(with: rest) {
                state = .closed(lineEnds: left)
                return true
            } else {
                break
            }
        }
        // Some think again, directly behind the first time.
        state = .opening(.openers)
        return false
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8> {
        defer { drop(count) }
        return Array(rest.prefix(count))[...]
    }

    // MARK: escaped text

    /// Angle brackets, no-break spaces and slashes as themselves: some servers escape them.
    private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
        guard text.contains(UInt8(ascii: "\\")) else { return Array(text) }
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var at = text.startIndex
        while at < text.endIndex {
            guard text[at] == UInt8(ascii: "\\") else {
                out.append(text[at])
                at += 1
                continue
            }
            let escape = text[at...].prefix(6)
            if escape.dropFirst().first == UInt8(ascii: "/") {
                out.append(UInt8(ascii: "/"))
                at += 2
            } else if let plain = special(escape) {
                if plain == 0xA0 { out.append(0xC2) }
                out.append(plain)
                at += 6
            } else {
                out.append(contentsOf: escape.prefix(2))
                at += 2
            }
        }
        return out
    }

    /// The character behind one of the numbers that servers write for it.
    private static func special(_ escape: ArraySlice<UInt8>) -> UInt8? {
        guard escape.count == 6, escape.starts(with: "\\u00".utf8) else { return nil }
        switch (escape[escape.startIndex + 4], escape[escape.startIndex + 5] | 0x20) {
        case (UInt8(ascii: "3"), UInt8(ascii: "c")): return UInt8(ascii: "<")
        case (UInt8(ascii: "3"), UInt8(ascii: "e")): return UInt8(ascii: ">")
        case (UInt8(ascii: "a"), UInt8(ascii: "0")), (UInt8(ascii: "A"), UInt8(ascii: "0")): return 0xA0
        default: return nil
        }
    }

    /// Bytes of space at the start: blanks, no-break spaces, escaped line ends and tabs.
    static func leadingSpace(_ text: ArraySlice<UInt8>) -> Int {
        var at = text.startIndex
        while at < text.endIndex {
            if text[at] == 0x20 {
                at += 1
            } else if at + 1 < text.endIndex, isSpace(text[at], text[at + 1]) {
                at += 2
            } else {
                break
            }
        }
        return at - text.startIndex
    }

    /// Bytes of the lines at the start that have nothing but space.
    static func blankLines(_ text: ArraySlice<UInt8>) -> Int {
        let space = text.prefix(leadingSpace(text))
        guard let end = space.lastIndex(of: UInt8(ascii: "n")) else { return 0 }
        return end + 1 - text.startIndex
    }

    private static func isSpace(_ first: UInt8, _ second: UInt8) -> Bool {
        switch (first, second) {
        case (UInt8(ascii: "\\"), UInt8(ascii: "n")), (UInt8(ascii: "\\"), UInt8(ascii: "r")),
            (UInt8(ascii: "\\"), UInt8(ascii: "t")), (0xC2, 0xA0):
            true
        default: false
        }
    }

    /// Without escaped line ends and blanks at the end.
    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text
        while true {
            if text.last == 0x20 {
                text = text.dropLast()
            } else if text.count >= 2, isSpace(text[text.endIndex - 2], text[text.endIndex - 1]),
                !endsEscaped(text.dropLast(2))
            {
                text = text.dropLast(2)
            } else {
                return text
            }
        }
    }

    /// Whether the text ends with a backslash that escapes what follows, as in `\\n`.
    private static func endsEscaped(_ text: ArraySlice<UInt8>) -> Bool {
        var count = 0
        for byte in text.reversed() {
            guard byte == UInt8(ascii: "\\") else { break }
            count += 1
        }
        return count % 2 == 1
    }

    /// Bytes at the end of `text` that `needle` may begin with.
    private static func overlap(_ text: ArraySlice<UInt8>, _ needle: [UInt8]) -> Int {
        var count = min(text.count, needle.count - 1)
        while count > 0, !text.suffix(count).elementsEqual(needle.prefix(count)) { count -= 1 }
        return count
    }
}
