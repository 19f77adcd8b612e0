// Arguments of a tool call: valid ones pass byte for byte, others are put right where it is plain what was
// meant. Nothing is ever invented: a call whose arguments cannot be read is none, and the answer ends in an
// error.

import JSON

enum ToolArguments {
    enum Reading: Equatable {
        /// One JSON object, as received.
        case exact([UInt8])
        /// One JSON object after the named repair.
        case repaired([UInt8], String)
        case unreadable
    }

    /// Times that a JSON text may be wrapped in a string.
    private static let encodingLimit = 3

    /// `text` without the space around it, if it is one JSON object.
    static func exact(_ text: [UInt8]) -> [UInt8]? {
        guard let document = try? JSONDocument(parsing: text), document.root.isObject else { return nil }
        // A surrogate without its partner inside would make the whole reply unreadable for some clients.
        guard document.root.hasLoneSurrogate || document.root.rawRange.count != text.count else {
            return text
        }
        var out: [UInt8] = []
        out.append(raw: document.root)
        return out
    }

    /// - Parameters:
    ///   - isCut: the reply was cut off in this call, so that nothing missing may be added.
    ///   - schema: the tool's input schema, for values that are no object.
    ///   - restated: the last of pieces that each said everything before it again.
    static func read(
        _ text: [UInt8], isCut: Bool, schema: [UInt8]?, restated: @autoclosure () -> [UInt8] = []
    ) -> Reading {
        if let text = exact(text) { return .exact(text) }
        let trimmed = trimmed(text[...])
        if trimmed.isEmpty || trimmed.elementsEqual("null".utf8) {
            return isCut ? .unreadable : .exact(Array("{}".utf8))
        }
        if !isCut, let last = exact(restated()), last.count > 2 {
            return .repaired(last, "repeated-arguments")
        }
        if let found = unwrapped(Array(trimmed), isCut: isCut, schema: schema) { return found }
        return only(in: unfenced(trimmed), mayClose: !isCut)
    }

    /// The object that `text` is, or has something around it. Several that differ are several calls, or one
    /// that cannot be told from the others.
    private static func only(in text: ArraySlice<UInt8>, mayClose: Bool) -> Reading {
        guard let found = LenientJSON.object(in: text, mayClose: mayClose) else { return .unreadable }
        var isRepeated = found.isBehindEmpty
        var rest = text[found.end...]
        while rest.contains(UInt8(ascii: "{")) {
            guard let next = LenientJSON.object(in: rest, mayClose: false) else { return .unreadable }
            guard next.bytes.count == 2 || next.bytes == found.bytes else { return .unreadable }
            isRepeated = true
            rest = rest[next.end...]
        }
        if found.wasClosed { return .repaired(found.bytes, "unclosed-arguments") }
        return .repaired(found.bytes, isRepeated ? "repeated-arguments" : "malformed-arguments")
    }

    /// Values that are JSON but no object: a string with the object in it, or the one argument of a tool
    /// that takes only one of this type.
    private static func unwrapped(_ text: [UInt8], isCut: Bool, schema: [UInt8]?) -> Reading? {
        var text = text
        for _ in 0..<encodingLimit {
            guard let root = (try? JSONDocument(parsing: text))?.root else { return nil }
            guard root.isString else {
                guard let wrapped = wrapped(root, schema) else { return nil }
                return .repaired(wrapped, "bare-argument")
            }
            var inner: [UInt8] = []
            root.appendDecoded(to: &inner)
            if let object = exact(inner) { return .repaired(object, "double-encoded-arguments") }
            guard (try? JSONDocument(parsing: inner)) != nil else {
                if case .repaired(let object, _) = only(in: inner[...], mayClose: !isCut) {
                    return .repaired(object, "double-encoded-arguments")
                }
                return wrapped(root, schema).map { .repaired($0, "bare-argument") }
            }
            text = inner
        }
        return nil
    }

    private static func wrapped(_ value: JSONNode, _ schema: [UInt8]?) -> [UInt8]? {
        guard let schema, let document = try? JSONDocument(parsing: schema),
            let properties = document.root["properties"]
        else { return nil }
        var members = properties.members
        guard let only = members.next(), members.next() == nil, let type = only.value["type"] else {
            return nil
        }
        let fits =
            switch value.kind {
            case .string: type.stringEquals("string")
            case .array: type.stringEquals("array")
            case .bool: type.stringEquals("boolean")
            case .number: type.stringEquals("number") || type.stringEquals("integer") && value.int != nil
            case .null, .object: false
            }
        guard fits else { return nil }
        var out: [UInt8] = [UInt8(ascii: "{")]
        out.append(raw: only.name)
        out.append(UInt8(ascii: ":"))
        out.append(raw: value)
        out.append(UInt8(ascii: "}"))
        return out
    }

    /// The inside of a Markdown code fence, if the text is one.
    private static func unfenced(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard text.starts(with: "```".utf8), let end = text.firstIndex(of: 0x0A) else { return text }
        return text[(end + 1)...]
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text.drop(while: Ascii.isSpace)
        while let last = text.last, Ascii.isSpace(last) { text.removeLast() }
        return text
    }
}
