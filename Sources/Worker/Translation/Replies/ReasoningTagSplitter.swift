// Reasoning that stands in the text, between tags. Only a tag at the very start of an answer opens it, so that
// an answer about `<think>` keeps its text.
// Holds: split tags are found however the text was cut; what is held back comes out at the end; once the text
// is plain, nothing is looked at again.

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
    private var held: [UInt8] = []

    init(_ mode: ThinkTagMode) {
        state =
            switch mode {
            case .auto: .opening(.openersAndClosers)
            case .implicit: .inside(Self.think, isBlank: true)
            case .off: .plain
            }
    }

    /// Whether text passes untouched from here on.
    var isPlain: Bool { if case .plain = state { true } else { false } }

    mutating func split(_ text: ArraySlice<UInt8>) -> Split {
        guard !isPlain else { return Split(text: text) }
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
                found.text = take(held.count)
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

    /// The answer ends, goes on with something else, or marks its reasoning otherwise: tags mean nothing more.
    /// - Parameter isField: reasoning came in a field of its own; the closer alone may still leak into the text.
    mutating func flush(isField: Bool = false) -> Split {
        let isBeginning = if case .plain = state { false } else { isField }
        defer { state = isBeginning ? .opening(.closers) : .plain }
        switch state {
        case .inside(_, let isBlank):
            let rest = take(held.count)
            return isBlank && Self.leadingSpace(rest) == rest.count ? Split() : Split(reasoning: rest)
        case .opening, .closed, .plain: return Split(text: take(held.count))
        }
    }

    /// - Returns: whether more text is needed.
    private mutating func open(_ expected: Expected) -> Bool {
        let start = Self.leadingSpace(held[...])
        let rest = held[start...]
        guard !rest.isEmpty else {
            if held.count > Self.spaceLimit { state = .plain }
            return held.count <= Self.spaceLimit
        }
        for tag in Self.tags {
            if expected != .closers, rest.starts(with: tag.opener) {
                held.removeFirst(start + tag.opener.count)
                state = .inside(tag, isBlank: true)
                return false
            }
            // A closer as the first word: the template opened the reasoning and it was empty.
            if expected != .openers, tag.closer != Array("<|end|>".utf8), rest.starts(with: tag.closer) {
                held.removeFirst(start + tag.closer.count)
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
            held.removeFirst(Self.leadingSpace(held[...]))
            // The template said the tag, and the model says it again.
            if held.starts(with: tag.opener) {
                held.removeFirst(tag.opener.count)
                return false
            }
            if !held.isEmpty, tag.opener.starts(with: held) { return true }
        }
        if let end = Self.index(of: tag.closer, in: held) {
            found.reasoning += Self.trimmed(held[..<end])
            held.removeFirst(end + tag.closer.count)
            state = .closed(lineEnds: 2)
            return false
        }
        let sure = Self.trimmed(held[..<(held.count - Self.overlap(held, tag.closer))]).count
        if sure > 0 {
            found.reasoning += take(sure)
            state = .inside(tag, isBlank: false)
        }
        if held.count > Self.spaceLimit { found.reasoning += take(held.count) }
        return true
    }

    private mutating func skipLineEnds(_ count: Int) -> Bool {
        var left = count
        while left > 0 {
            if held.starts(with: "\\n".utf8) {
                held.removeFirst(2)
                left -= 1
            } else if held.starts(with: "\\r\\n".utf8) {
                held.removeFirst(4)
                left -= 1
            } else if "\\r\\n".utf8.starts(with: held) {
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
        let taken = Array(held[..<count])
        held.removeFirst(count)
        return taken[...]
    }

    // MARK: escaped text

    /// Angle brackets, no-break spaces and slashes as themselves: some servers escape them.
    private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
        guard text.contains(UInt8(ascii: "\\")) else { return Array(text) }
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.first {
            guard byte == UInt8(ascii: "\\") else {
                out.append(byte)
                rest = rest.dropFirst()
                continue
            }
            var length = 2
            switch String(decoding: rest.prefix(6), as: UTF8.self).lowercased() {
            case "\\u003c": (length, _) = (6, out.append(UInt8(ascii: "<")))
            case "\\u003e": (length, _) = (6, out.append(UInt8(ascii: ">")))
            case "\\u00a0": (length, _) = (6, out.append(contentsOf: [0xC2, 0xA0]))
            case let escape where escape.hasPrefix("\\/"): out.append(UInt8(ascii: "/"))
            default: out.append(contentsOf: rest.prefix(2))
            }
            rest = rest.dropFirst(length)
        }
        return out
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

    private static func index(of needle: [UInt8], in text: [UInt8]) -> Int? {
        guard let first = needle.first, text.count >= needle.count else { return nil }
        for at in 0...(text.count - needle.count)
        where text[at] == first && text[at..<at + needle.count].elementsEqual(needle) {
            return at
        }
        return nil
    }

    /// Bytes at the end of `text` that `needle` may begin with.
    private static func overlap(_ text: [UInt8], _ needle: [UInt8]) -> Int {
        var count = min(text.count, needle.count - 1)
        while count > 0, !text.suffix(count).elementsEqual(needle.prefix(count)) { count -= 1 }
        return count
    }
}
