// Arguments that the tool's schema refuses, put right where it is plain what was meant: wrong names, values of the
// wrong type, empty and null options. Pure.
// Holds: what the schema accepts is not touched; no value is made up; a name is changed only if one property
// alone can be meant and is not there yet; what cannot be put right stays for the tool to complain about.

import JSON

struct ArgumentHealing {
    private struct Member {
        let name: JSONNode
        var key: String
        let value: JSONNode
        var isRenamed = false
        var replacement: [UInt8]?
        var isDropped = false
    }

    private let schema: ToolSchema
    private var members: [Member] = []
    private var repairs: [String] = []

    /// The arguments after the named repairs; nil if there is nothing to put right, or no way to.
    static func healed(_ arguments: [UInt8], schema: [UInt8]?) -> (bytes: [UInt8], repairs: [String])? {
        guard let schema, let root = (try? JSONDocument(parsing: arguments))?.root, root.isObject,
            let schema = ToolSchema(schema), !schema.accepts(root)
        else { return nil }
        var healing = ArgumentHealing(schema: schema)
        if let inner = healing.wrapped(root) {
            healing.note("wrapped-arguments")
            healing.read(inner)
        } else {
            healing.read(root)
        }
        healing.rename()
        healing.correctValues()
        return healing.repairs.isEmpty ? nil : (healing.written(), healing.repairs)
    }

    private init(schema: ToolSchema) { self.schema = schema }

    private mutating func read(_ root: JSONNode) {
        members = root.members.map { Member(name: $0.name, key: $0.name.string ?? "", value: $0.value) }
    }

    private mutating func note(_ repair: String) {
        if !repairs.contains(repair) { repairs.append(repair) }
    }

    private func written() -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        for member in members where !member.isDropped {
            member.isRenamed ? writer.name(member.key) : writer.name(raw: member.name)
            if let bytes = member.replacement { writer.raw(bytes[...]) } else { writer.raw(member.value) }
        }
        writer.endObject()
        return writer.bytes
    }

    // MARK: names

    private static let wrappers: Set<String> = [
        "arguments", "parameters", "input", "args", "params", "kwargs",
    ]

    /// The arguments inside an object that only wraps them.
    private func wrapped(_ root: JSONNode) -> JSONNode? {
        var outer = root.members
        guard let only = outer.next(), outer.next() == nil, let name = only.name.string,
            Self.wrappers.contains(name), schema[name] == nil
        else { return nil }
        var inner = only.value
        if inner.isString {
            var text: [UInt8] = []
            inner.appendDecoded(to: &text)
            guard let root = (try? JSONDocument(parsing: text))?.root else { return nil }
            inner = root
        }
        guard inner.isObject, !inner.isEmpty else { return nil }
        return inner.members.allSatisfy { schema[$0.name.string ?? ""] != nil } ? inner : nil
    }

    private enum Likeness: CaseIterable { case spelling, alias, part }

    /// The surest likeness decides first, over all names.
    private mutating func rename() {
        for likeness in Likeness.allCases {
            var targets: [(member: Int, property: String)] = []
            for at in members.indices where !members[at].isRenamed && schema[members[at].key] == nil {
                if let name = target(of: members[at], likeness) { targets.append((at, name)) }
            }
            for (at, name) in targets where targets.count(where: { $0.property == name }) == 1 {
                members[at].key = name
                members[at].isRenamed = true
                note("argument-name")
            }
        }
    }

    /// The one property that `member` can mean: absent, of a type that fits, alike.
    private func target(of member: Member, _ likeness: Likeness) -> String? {
        let name = Self.normalised(member.key)
        guard !name.isEmpty else { return nil }
        let found = schema.properties.filter { property in
            // Where other names are allowed, only what is missed can be what was meant.
            (schema.isClosed || schema.required.contains(property.name))
                && !members.contains { $0.key == property.name }
                && Self.isAlike(name, Self.normalised(property.name), likeness)
                && (property.types.accepts(member.value)
                    || ArgumentValue.coerced(member.value, property) != nil)
        }
        return found.count == 1 ? found.first?.name : nil
    }

    private static func isAlike(_ name: String, _ property: String, _ likeness: Likeness) -> Bool {
        switch likeness {
        case .spelling: name == property
        case .alias: aliases[property]?.contains(name) ?? false
        case .part:
            min(name.utf8.count, property.utf8.count) >= 3
                && (property.contains(name) || name.contains(property))
        }
    }

    /// Letters and digits in lower case.
    private static func normalised(_ name: String) -> String {
        String(name.lowercased().filter { $0.isLetter || $0.isNumber })
    }

    /// What models call the parameters of common tools; both sides normalised.
    private static let aliases: [String: Set<String>] = [
        "filepath": ["path", "file", "filename", "absolutepath", "targetfile", "filepathname", "target"],
        "notebookpath": ["path", "file", "filename", "filepath"],
        "path": ["directory", "dir", "folder", "filepath", "file", "filename", "root"],
        "command": ["cmd", "shell", "bash", "script", "commandline", "code"],
        "oldstring": ["old", "oldstr", "oldtext", "search", "find", "original"],
        "newstring": ["new", "newstr", "newtext", "replace", "replacement", "updated"],
        "replaceall": ["all", "global", "everywhere"],
        "content": ["contents", "text", "body", "data", "filecontent", "filetext"],
        "pattern": ["query", "regex", "regexp", "search", "glob", "expression"],
        "query": ["q", "search", "searchterm", "text", "question"],
        "url": ["uri", "link", "href", "address"],
        "prompt": ["instructions", "instruction", "task", "message", "question"],
        "offset": ["start", "startline", "from", "line"],
        "limit": ["lines", "count", "maxlines", "numlines", "max"],
        "timeout": ["timeoutms", "timeoutmilliseconds"],
        "todos": ["items", "tasks", "list"],
        "description": ["desc", "summary", "title"],
    ]

    // MARK: values

    private mutating func correctValues() {
        for at in members.indices {
            let member = members[at]
            guard let property = schema[member.key], !schema.accepts(member.value, for: property) else {
                continue
            }
            let isOptional = !schema.required.contains(property.name)
            if isOptional, member.value.isString, member.value.stringRange.isEmpty {
                members[at].isDropped = true
                note("empty-argument")
            } else if isOptional, member.value.isNull {
                members[at].isDropped = true
                note("null-argument")
            } else if let bytes = ArgumentValue.coerced(member.value, property) {
                members[at].replacement = bytes
                note("argument-type")
            }
        }
    }
}

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
