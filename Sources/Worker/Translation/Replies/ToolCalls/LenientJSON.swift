// Reads what was meant to be a JSON object and writes it as one: single quotes, bare names, trailing commas,
// comments, Python's words, raw control characters, objects one after the other, ends that are missing.
// Holds: what comes out is valid JSON (the caller's strict parser has the last word); numbers and strings
// keep their text; bounded depth; never more output than a few times the input.

import JSON

struct LenientJSON {
    private static let depthLimit = 128

    private let text: ArraySlice<UInt8>
    private var at: Int
    private var out: [UInt8] = []
    private let mayClose: Bool
    private var wasClosed = false
    /// Where the last number ended: at the end of the text, digits may be missing.
    private var numberEnd = -1

    struct Found {
        var bytes: [UInt8]
        var wasClosed: Bool
        /// Empty objects stood before it.
        var isBehindEmpty: Bool
        /// What follows begins here.
        var end: Int
    }

    /// The first object in `text`; of an empty one with others behind it, the first that is not empty.
    /// - Parameter mayClose: brackets missing at the end may be added, right behind a whole value. An open
    ///   string is never closed, nor is anything that more was to follow: half a file must not be written.
    static func object(in text: ArraySlice<UInt8>, mayClose: Bool) -> Found? {
        var found: Found?
        var rest = text
        while let start = rest.firstIndex(of: UInt8(ascii: "{")) {
            var reader = LenientJSON(text: rest, at: start, mayClose: mayClose)
            guard reader.value(depth: 0), let valid = ToolArguments.exact(reader.out) else { return nil }
            found = Found(
                bytes: valid, wasClosed: reader.wasClosed, isBehindEmpty: found != nil, end: reader.at)
            guard valid.count == 2 else { break }
            rest = rest[reader.at...]
        }
        return found
    }

    /// The value at the start of `text`, byte for byte if it is valid as it stands, and where it ends.
    static func value(in text: ArraySlice<UInt8>, mayClose: Bool) -> (bytes: [UInt8], end: Int)? {
        var reader = LenientJSON(text: text, at: text.startIndex, mayClose: mayClose)
        reader.skipSpace()
        let start = reader.at
        guard reader.value(depth: 0) else { return nil }
        let source = Array(text[start..<reader.at])
        if (try? JSONDocument(parsing: source)) != nil { return (source, reader.at) }
        guard (try? JSONDocument(parsing: reader.out)) != nil else { return nil }
        return (reader.out, reader.at)
    }

    private init(text: ArraySlice<UInt8>, at: Int, mayClose: Bool) {
        self.text = text
        self.at = at
        self.mayClose = mayClose
    }

    private var current: UInt8? { at < text.endIndex ? text[at] : nil }

    private mutating func skipSpace() {
        while let byte = current {
            if Ascii.isSpace(byte) {
                at += 1
            } else if byte == UInt8(ascii: "/"), at + 1 < text.endIndex, text[at + 1] == UInt8(ascii: "/") {
                while let byte = current, byte != Ascii.lineFeed { at += 1 }
            } else {
                return
            }
        }
    }

    private mutating func value(depth: Int) -> Bool {
        guard depth < Self.depthLimit else { return false }
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return container(depth, close: UInt8(ascii: "}"))
        case UInt8(ascii: "["): return container(depth, close: UInt8(ascii: "]"))
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return string()
        case nil: return false
        default: return word()
        }
    }

    private mutating func container(_ depth: Int, close: UInt8) -> Bool {
        guard let open = current else { return false }
        out.append(open)
        at += 1
        var isFirst = true
        while true {
            skipSpace()
            var isComplete = !isFirst && numberEnd != text.endIndex
            while current == UInt8(ascii: ",") {
                isComplete = false
                at += 1
                skipSpace()
            }
            guard let byte = current else {
                guard mayClose, isComplete else { return false }
                wasClosed = true
                out.append(close)
                return true
            }
            if byte == close {
                at += 1
                out.append(close)
                return true
            }
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            if close == UInt8(ascii: "}"), !name() || !colon() { return false }
            guard value(depth: depth + 1) else { return false }
        }
    }

    private mutating func name() -> Bool {
        if current == UInt8(ascii: "\"") || current == UInt8(ascii: "'") { return string() }
        let start = at
        while let byte = current, Self.isNameByte(byte) { at += 1 }
        guard at > start else { return false }
        out.append(UInt8(ascii: "\""))
        out.append(contentsOf: text[start..<at])
        out.append(UInt8(ascii: "\""))
        return true
    }

    private mutating func colon() -> Bool {
        skipSpace()
        guard current == UInt8(ascii: ":") else { return false }
        at += 1
        out.append(UInt8(ascii: ":"))
        return true
    }

    /// A string in either kind of quotes. Control characters are escaped; a backslash that begins no escape
    /// stands for itself.
    private mutating func string() -> Bool {
        guard let quote = current else { return false }
        at += 1
        out.append(UInt8(ascii: "\""))
        while let byte = current {
            at += 1
            if byte == quote {
                out.append(UInt8(ascii: "\""))
                return true
            }
            switch byte {
            case UInt8(ascii: "\\"): escape()
            case UInt8(ascii: "\""): out.append(ascii: "\\\"")
            case 0..<0x20: out.appendJSONEscaped([byte][...])
            default: out.append(byte)
            }
        }
        return false
    }

    private mutating func escape() {
        guard let byte = current else { return }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            out.append(UInt8(ascii: "\\"))
            out.append(byte)
            at += 1
        case UInt8(ascii: "'"):
            out.append(byte)
            at += 1
        case UInt8(ascii: "u") where isUnicodeEscape:
            out.append(ascii: "\\u")
            at += 1
        default:
            out.append(ascii: "\\\\")
        }
    }

    private var isUnicodeEscape: Bool {
        guard at + 5 <= text.endIndex else { return false }
        return text[at + 1..<at + 5].allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
    }

    /// A number or one of the words of JSON, JavaScript and Python.
    private mutating func word() -> Bool {
        let start = at
        while let byte = current, Self.isNameByte(byte) || byte == UInt8(ascii: "+") { at += 1 }
        let word = text[start..<at]
        switch String(decoding: word, as: UTF8.self) {
        case "true", "True", "TRUE": out.append(ascii: "true")
        case "false", "False", "FALSE": out.append(ascii: "false")
        case "null", "None", "undefined", "NaN": out.append(ascii: "null")
        default:
            guard let document = try? JSONDocument(parsing: Array(word)), document.root.kind == .number else {
                return false
            }
            out.append(contentsOf: word)
            numberEnd = at
        }
        return true
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "$"), 0x80...:
            true
        default: false
        }
    }
}
