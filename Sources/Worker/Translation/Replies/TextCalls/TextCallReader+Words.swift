// Calls that models write in words of their own rather than in JSON: Python's calls, Gemma's `call:NAME{…}`.
// Pure. Holds: values are read, never computed; what is no literal makes the whole no call.

import JSON

extension TextCallReader {
    /// Lists inside lists.
    private static let depthLimit = 64

    static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// A function's name without what Gemma and others put around it.
    static func withoutModule(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var name = name
        for prefix in ["default_api.", "tools."] where name.starts(with: prefix.utf8) {
            name = name.dropFirst(prefix.utf8.count)
        }
        return name.suffix(5).elementsEqual(".call".utf8) ? name.dropLast(5) : name
    }

    // MARK: Python

    /// Calls in Python's words, one behind the other or in a list; `print(…)` around them means nothing.
    mutating func python() -> [TextCall]? {
        var calls: [TextCall] = []
        skipComments()
        let isList = take("[")
        skipComments()
        while at < text.endIndex, Self.isNameByte(text[at]) {
            let isPrinted = take("print(")
            let name = text[at...].prefix(while: Self.isNameByte)
            at = name.endIndex
            guard let declared = tools.declared(Self.withoutModule(name)), take("("),
                let call = keywords(declared)
            else { return nil }
            calls.append(call)
            skipSpace()
            if isPrinted, !take(")") { return nil }
            skipComments()
            if !isList { _ = take(";") }
            guard isList, !take(",") else {
                skipComments()
                continue
            }
            break
        }
        if isList {
            guard take("]") else { return nil }
            skipComments()
        }
        return calls
    }

    private mutating func skipComments() {
        skipSpace()
        while peek("#") {
            at = text[at...].firstIndex(of: Ascii.lineFeed) ?? text.endIndex
            skipSpace()
        }
    }

    /// `key=value, …)`.
    private mutating func keywords(_ name: String) -> TextCall? {
        var writer = JSONWriter()
        writer.beginObject()
        skipSpace()
        while !take(")") {
            guard let key = word(until: "= )\n"), !key.isEmpty else { return nil }
            skipSpace()
            guard take("="), let value = literal() else { return nil }
            writer.name(String(decoding: key, as: UTF8.self))
            writer.raw(value[...])
            skipSpace()
            guard take(",") || peek(")") else { return nil }
            skipSpace()
        }
        writer.endObject()
        return TextCall(name: name, arguments: writer.bytes)
    }

    /// One of Python's literals as JSON. Long strings keep their line ends; raw ones their backslashes.
    private mutating func literal() -> [UInt8]? {
        skipSpace()
        for quotes in ["\"\"\"", "'''"] {
            if take("r" + quotes) { return upTo(quotes).map(Self.string) }
            if take(quotes) { return longString(quotes) }
        }
        return value()
    }

    private mutating func longString(_ quotes: String) -> [UInt8]? {
        var plain: [UInt8] = []
        while at < text.endIndex {
            if take(quotes) { return Self.string(plain[...]) }
            let byte = text[at]
            at += 1
            guard byte == UInt8(ascii: "\\"), at < text.endIndex else {
                plain.append(byte)
                continue
            }
            switch text[at] {
            case UInt8(ascii: "n"): plain.append(Ascii.lineFeed)
            case UInt8(ascii: "t"): plain.append(0x09)
            case UInt8(ascii: "r"): plain.append(Ascii.carriageReturn)
            case Ascii.lineFeed: break
            case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): plain.append(text[at])
            default: plain += [byte, text[at]]
            }
            at += 1
        }
        return nil
    }

    private static func string(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var json: [UInt8] = [UInt8(ascii: "\"")]
        json.appendJSONEscaped(text)
        json.append(UInt8(ascii: "\""))
        return json
    }

    // MARK: Gemma

    /// `call:NAME{key:value, …}`, texts between `quote`s.
    mutating func gemma(_ quote: String) -> TextCall? {
        skipSpace()
        guard take("call:"), let name = word(until: "{"), let declared = tools.declared(name),
            let object = gemmaValue(quote, depth: 0), let arguments = ToolArguments.exact(object)
        else { return nil }
        return TextCall(name: declared, arguments: arguments)
    }

    private mutating func gemmaValue(_ quote: String, depth: Int) -> [UInt8]? {
        guard depth < Self.depthLimit else { return nil }
        skipSpace()
        if take(quote) { return upTo(quote).map(Self.string) }
        if take("{") { return gemmaContainer(quote, depth, "}") }
        if take("[") { return gemmaContainer(quote, depth, "]") }
        if peek("\"") { return value() }
        guard let word = word(until: ",}]") else { return nil }
        let text = ArgumentValue.trimmed(word)
        return ArgumentValue.read(text, as: [.number, .boolean, .null]) ?? Self.string(text)
    }

    private mutating func gemmaContainer(_ quote: String, _ depth: Int, _ closer: String) -> [UInt8]? {
        let isObject = closer == "}"
        var json: [UInt8] = [UInt8(ascii: isObject ? "{" : "[")]
        skipSpace()
        while !take(closer) {
            if json.count > 1 { json.append(UInt8(ascii: ",")) }
            if isObject {
                let isQuoted = take(quote)
                guard let key = isQuoted ? upTo(quote) : word(until: ":}") else { return nil }
                skipSpace()
                guard take(":") else { return nil }
                json += Self.string(Self.unquoted(key))
                json.append(UInt8(ascii: ":"))
            }
            guard let value = gemmaValue(quote, depth: depth + 1) else { return nil }
            json += value
            skipSpace()
            guard take(",") || peek(closer) else { return nil }
            skipSpace()
        }
        json.append(UInt8(ascii: isObject ? "}" : "]"))
        return json
    }
}
