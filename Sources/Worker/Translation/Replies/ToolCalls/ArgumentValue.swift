// A value that the schema refuses, as one that it takes. Pure.

import JSON

/// A value of the wrong type as one of the right type, if it says the same.
enum ArgumentValue {
    static func coerced(_ value: JSONNode, _ property: ToolSchema.Property) -> [UInt8]? {
        coerced(value, to: property.types, items: property.items)
    }

    private static func coerced(
        _ value: JSONNode, to types: ToolSchema.Types, items: ToolSchema.Types
    ) -> [UInt8]? {
        switch value.kind {
        case .string:
            var text: [UInt8] = []
            value.appendDecoded(to: &text)
            if let found = read(text[...], as: types) { return found }
            guard !text.isEmpty else { return nil }
        case .number, .bool:
            if types.contains(.string) { return quoted(value) }
        case .array:
            var elements = value.elements
            guard let only = elements.next(), elements.next() == nil, types.accepts(only) else { return nil }
            return raw(only)
        case .object: break
        case .null: return nil
        }
        guard types.contains(.array) else { return nil }
        guard
            let element = items.accepts(value)
                ? raw(value) : coerced(value, to: items.subtracting(.array), items: [])
        else { return nil }
        return [UInt8(ascii: "[")] + element + [UInt8(ascii: "]")]
    }

    /// The value that a text without quotes around it stands for, of one of these types; nil if it is none
    /// but a string.
    static func read(_ text: ArraySlice<UInt8>, as types: ToolSchema.Types) -> [UInt8]? {
        let word = trimmed(text)
        guard let first = word.first else { return nil }
        switch String(decoding: word.prefix(6), as: UTF8.self).lowercased() {
        case "true" where types.contains(.boolean): return Array("true".utf8)
        case "false" where types.contains(.boolean): return Array("false".utf8)
        case "null" where types.contains(.null), "none" where types.contains(.null): return Array("null".utf8)
        default: break
        }
        let isContainer = first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
        guard isContainer else {
            guard let value = (try? JSONDocument(parsing: Array(word)))?.root, value.kind == .number,
                types.accepts(value)
            else { return nil }
            return Array(word)
        }
        guard !types.isDisjoint(with: [.array, .object]) else { return nil }
        if let value = (try? JSONDocument(parsing: Array(word)))?.root {
            return types.accepts(value) ? Array(word) : nil
        }
        // Quotes and words of Python and JavaScript.
        let lenient = LenientJSON.object(
            in: (Array("{\"v\":".utf8) + word + [UInt8(ascii: "}")])[...], mayClose: false)
        guard let bytes = lenient?.bytes, let value = (try? JSONDocument(parsing: bytes))?.root["v"],
            types.accepts(value)
        else { return nil }
        return raw(value)
    }

    private static func raw(_ value: JSONNode) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(raw: value)
        return bytes
    }

    private static func quoted(_ value: JSONNode) -> [UInt8] {
        [UInt8(ascii: "\"")] + value.raw + [UInt8(ascii: "\"")]
    }

    static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text.drop(while: Ascii.isSpace)
        while let last = text.last, Ascii.isSpace(last) { text.removeLast() }
        return text
    }
}
