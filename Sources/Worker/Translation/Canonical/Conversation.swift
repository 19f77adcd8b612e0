// The conversation as chat backends want it: system, user, assistant, tool, in an order that they accept.
// Between the Messages API's blocks and a dialect's JSON; every text is still a list of received slices.

import JSON

/// A text put together from received slices and words of ours; written once, into one JSON string.
struct TextRope: Sendable {
    enum Piece: Sendable {
        /// As received, still escaped.
        case slice(TextSlice)
        case words(StaticString)
        /// Not escaped yet.
        case plain(String)
        /// A received value as its JSON text.
        case json(JSONNode)
        /// UTF-8, not escaped yet.
        case bytes([UInt8])
    }

    private(set) var pieces: [Piece] = []

    init() {}
    init(_ node: JSONNode) { pieces = node.stringRange.isEmpty ? [] : [.slice(TextSlice(node))] }
    init(_ slice: TextSlice) { pieces = slice.isEmpty ? [] : [.slice(slice)] }
    init(_ words: StaticString) { pieces = [.words(words)] }
    init(_ plain: String) { pieces = plain.isEmpty ? [] : [.plain(plain)] }
    init(_ pieces: [Piece]) { self.pieces = pieces }

    var isEmpty: Bool { pieces.isEmpty }

    /// Appends another text, with a boundary unless one is there.
    mutating func add(_ other: TextRope, boundary: StaticString) {
        guard !other.isEmpty else { return }
        if !isEmpty, !endsInNewline { pieces.append(.words(boundary)) }
        pieces += other.pieces
    }

    mutating func prepend(_ words: StaticString) { pieces.insert(.words(words), at: 0) }

    private var endsInNewline: Bool {
        switch pieces.last {
        case .slice(let slice): EscapedText.endsInNewline(slice.bytes)
        case .words(let words):
            words.withUTF8Buffer { $0.last == 0x0A }
        case .plain(let text): text.utf8.last == 0x0A
        case .bytes(let bytes): bytes.last == 0x0A
        case .json, nil: false
        }
    }

    /// Without spaces and newlines at its end.
    func trimmedEnd() -> TextRope {
        var result = self
        while case .slice(var slice)? = result.pieces.last {
            slice.range = slice.range.lowerBound..<EscapedText.trimmedEnd(slice.bytes)
            result.pieces.removeLast()
            guard slice.isEmpty else {
                result.pieces.append(.slice(slice))
                break
            }
        }
        return result
    }

    /// Whether the text starts with these ASCII letters, whatever their case.
    func starts(withAnyCase word: StaticString) -> Bool {
        guard case .slice(let slice)? = pieces.first else { return false }
        return word.withUTF8Buffer { word in
            slice.bytes.count >= word.count && zip(slice.bytes, word).allSatisfy { $0 | 0x20 == $1 | 0x20 }
        }
    }

    /// Appends the text, escaped, for the inside of a JSON string.
    func write(to out: inout [UInt8]) {
        for piece in pieces {
            switch piece {
            case .slice(let slice): out.append(stringRaw: slice.node, range: slice.range)
            case .words(let words): words.withUTF8Buffer { out.appendJSONEscaped($0.span) }
            case .plain(let text): out.appendJSONEscaped(ArraySlice(text.utf8))
            case .json(let node): out.appendJSONEscaped(raw: node)
            case .bytes(let bytes): out.appendJSONEscaped(bytes[...])
            }
        }
    }
}

/// Looking at a string's text while it is escaped.
enum EscapedText {
    private static let slash = UInt8(ascii: "\\")

    /// Where the last escape starts, if the text ends in one of one letter.
    private static func lastEscape(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 2, bytes[bytes.endIndex - 2] == slash else { return nil }
        let slashes = bytes.dropLast().reversed().prefix { $0 == slash }.count
        return slashes.isMultiple(of: 2) ? nil : bytes.endIndex - 2
    }

    static func endsInNewline(_ bytes: ArraySlice<UInt8>) -> Bool {
        lastEscape(bytes).map { bytes[$0 + 1] == UInt8(ascii: "n") } ?? false
    }

    /// The end of the text without spaces, tabs and newlines behind it.
    static func trimmedEnd(_ bytes: ArraySlice<UInt8>) -> Int {
        var rest = bytes
        while let last = rest.last {
            if let at = lastEscape(rest) {
                guard Array("nrt".utf8).contains(rest[at + 1]) else { break }
                rest = rest[..<at]
            } else if last == UInt8(ascii: " ") {
                rest = rest.dropLast()
            } else {
                break
            }
        }
        return rest.endIndex
    }
}

enum ContentPart: Sendable {
    case text(TextRope)
    case image(ImageSource)
    case pdf(data: TextSlice, title: JSONNode?)

    var image: ImageSource? {
        if case .image(let source) = self { source } else { nil }
    }
}

struct AssistantTurn: Sendable {
    var text = TextRope()
    var reasoning = TextRope()
    var calls: [ToolUse] = []

    var isEmpty: Bool { text.isEmpty && calls.isEmpty }
}

enum UpstreamMessage: Sendable {
    case system(TextRope)
    case user([ContentPart])
    case assistant(AssistantTurn)
    /// The result of the call with this id; with images only where a backend takes them here.
    case tool(call: ToolUse, TextRope, images: [ImageSource] = [])
}
