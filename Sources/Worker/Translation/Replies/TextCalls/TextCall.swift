// A tool call that stands in the text, what of the request decides whether a text is one, and how its
// arguments come about where a family of models writes each value as a text of its own. Pure.

import JSON

/// A call that stood in the text.
struct TextCall: Equatable, Sendable {
    /// As the client declared it.
    let name: String
    /// The text of one JSON object.
    let arguments: [UInt8]
}

/// What of the request decides whether a text is a call.
struct TextCallTools: Sendable {
    private let names: ToolNames
    private let schemas: [String: [UInt8]]
    let isEmpty: Bool

    init(_ plan: ReplyPlan) {
        var plan = plan
        if !plan.recoversTextCalls { (plan.toolNames, plan.renamedTools) = ([], [:]) }
        names = ToolNames(plan)
        schemas = plan.toolSchemas
        isEmpty = plan.toolNames.isEmpty
    }

    func declared(_ name: ArraySlice<UInt8>) -> String? {
        let text = ArgumentValue.trimmed(name)
        guard !text.isEmpty, text.count <= 256 else { return nil }
        return names.declaredName(for: String(decoding: text, as: UTF8.self))
    }

    func schema(of name: String) -> ToolSchema? { schemas[name].flatMap { ToolSchema($0) } }
}

/// Arguments whose values are texts without a type: the schema has the types.
struct TextCallArguments {
    let schema: ToolSchema?
    private var writer = JSONWriter()
    private var keys: Set<String> = []
    private var isAmbiguous = false

    init(schema: ToolSchema?) {
        self.schema = schema
        writer.beginObject()
    }

    mutating func add(_ key: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>, isText: Bool = false) {
        let key = String(decoding: key, as: UTF8.self)
        if !keys.insert(key).inserted { isAmbiguous = true }
        writer.name(key)
        let types = schema?[key]?.types ?? .any
        if !isText, !types.contains(.string), let value = ArgumentValue.read(value, as: types) {
            writer.raw(value[...])
        } else {
            writer.string { $0.appendJSONEscaped(value) }
        }
    }

    /// nil where a key stands twice: a value may have shown a call, and nobody can tell where it ends.
    var bytes: [UInt8]? {
        guard !isAmbiguous else { return nil }
        var writer = writer
        writer.endObject()
        return writer.bytes
    }
}
