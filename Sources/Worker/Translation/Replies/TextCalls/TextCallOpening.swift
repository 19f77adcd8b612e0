// The first bytes behind a mark: whether a call to a declared tool may follow, told as early as possible, so
// that an answer that only speaks of such marks is not held back. Pure.

enum TextCallOpening {
    enum Verdict: Equatable {
        /// More has to come.
        case open
        /// A call may follow.
        case call
        /// Text.
        case other
        /// Harmony: text for the user behind this many bytes of header.
        case final(Int)
        /// Harmony: reasoning behind this many bytes of header.
        case analysis(Int)
    }

    /// - Parameter held: from the opener on.
    static func verdict(_ held: ArraySlice<UInt8>, _ marker: TextCallMarker, _ tools: TextCallTools)
        -> Verdict
    {
        let rest = held.dropFirst(marker.opener.count).drop(while: Ascii.isSpace)
        let isJSON = rest.first == UInt8(ascii: "{") || rest.first == UInt8(ascii: "[")
        switch marker.body {
        case .tagged:
            guard let first = rest.first else { return .open }
            if isJSON { return TextCallJSON.verdict(rest, tools, isSure: true) }
            guard first != UInt8(ascii: "<") else {
                return name(rest, behind: "<function=", upTo: ">{\n", tools)
            }
            return name(rest, behind: "", upTo: "<\n \r\t", tools)
        case .function: return name(rest, behind: "", upTo: ">{\n", tools)
        case .invoke: return name(rest, behind: "", upTo: "\"", tools)
        case .gemma: return name(rest, behind: "call:", upTo: "{", tools)
        case .invokes(let prefix): return name(rest, behind: "<\(prefix)invoke name=\"", upTo: "\"", tools)
        case .mistral:
            return isJSON
                ? TextCallJSON.verdict(rest, tools, isSure: true) : name(rest, behind: "", upTo: "[{", tools)
        case .bare: return bare(held, tools)
        case .fenced: return TextCallJSON.verdict(rest, tools, isSure: false)
        case .json:
            let json = isJSON ? TextCallJSON.verdict(rest, tools, isSure: true) : .other
            return json == .other ? python(rest, tools) : json
        case .kimi: return name(rest, behind: "<|tool_call_begin|>", upTo: "<", tools)
        case .kimiCall: return name(rest, behind: "", upTo: "<", tools)
        case .deepSeek: return name(rest, behind: "<｜tool▁call▁begin｜>", upTo: "<", tools, or: "function")
        case .deepSeekCall: return name(rest, behind: "", upTo: "<", tools, or: "function")
        case .harmony, .crumb: return .other
        }
    }

    /// - Parameter other: what may stand in the name's place, with the name behind it.
    private static func name(
        _ text: ArraySlice<UInt8>, behind opener: String, upTo stops: String, _ tools: TextCallTools,
        or other: String? = nil
    ) -> Verdict {
        guard text.starts(with: opener.utf8) else { return opener.utf8.starts(with: text) ? .open : .other }
        let name = text.dropFirst(opener.utf8.count)
        guard let end = name.firstIndex(where: { stops.utf8.contains($0) }) else {
            return name.count > 256 ? .other : .open
        }
        if let other, name[..<end].elementsEqual(other.utf8) { return .call }
        return tools.declared(TextCallReader.unquoted(name[..<end])) != nil ? .call : .other
    }

    private static func bare(_ text: ArraySlice<UInt8>, _ tools: TextCallTools) -> Verdict {
        let json = TextCallJSON.verdict(text, tools, isSure: false)
        return json == .other && text.first == UInt8(ascii: "[") ? python(text, tools) : json
    }

    /// Calls in Python's words begin with a name and a parenthesis, in a list or printed.
    private static func python(_ text: ArraySlice<UInt8>, _ tools: TextCallTools) -> Verdict {
        var rest = text.drop { Ascii.isSpace($0) || $0 == UInt8(ascii: "[") }
        if rest.first == UInt8(ascii: "#") { return .call }
        if rest.starts(with: "print(".utf8) { rest = rest.dropFirst("print(".utf8.count) }
        let name = rest.prefix(while: TextCallReader.isNameByte)
        guard name.endIndex < rest.endIndex else { return name.count > 256 ? .other : .open }
        guard rest[name.endIndex] == UInt8(ascii: "(") else { return .other }
        return tools.declared(TextCallReader.withoutModule(name)) != nil ? .call : .other
    }

    private static let message = Array("<|message|>".utf8)

    /// The header of a Harmony message, up to `<|message|>`.
    /// - Parameter isKnown: headers may be taken for what they are even if they announce no call.
    static func header(_ text: ArraySlice<UInt8>, _ tools: TextCallTools, isKnown: Bool) -> Verdict {
        guard let end = ByteSearch.first(message, in: text, from: text.startIndex) else { return .open }
        let header = text[..<end]
        let length = end + message.count - text.startIndex
        if header.contains(UInt8(ascii: "\n")) { return .other }
        if let name = recipient(header) { return tools.declared(name) != nil ? .call : .other }
        guard isKnown else { return .other }
        let words = String(decoding: header, as: UTF8.self)
        return words.contains("analysis") ? .analysis(length) : .final(length)
    }

    /// Whom a Harmony message is for: ` to=functions.NAME`.
    static func recipient(_ header: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let mark = ByteSearch.first(Array("to=".utf8), in: header, from: header.startIndex) else {
            return nil
        }
        return header[(mark + 3)...].prefix { !Ascii.isSpace($0) && $0 != UInt8(ascii: "<") }
    }
}
