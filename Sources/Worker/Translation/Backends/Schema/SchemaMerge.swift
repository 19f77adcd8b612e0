// `allOf` for backends that do not know it: one schema that says what all of them say. Pure; the members are
// copied as they were received.

import JSON

enum SchemaMerge {
    /// Alternatives merged into one schema at most.
    private static let partLimit = 32

    /// The schema with its `allOf` taken in: properties and required names of all parts, of every other
    /// keyword the first. What parts have in `allOf` of their own stands in the result's, for the next turn.
    /// - Parameter resolve: what a part that is a reference stands for; nil = unknown, it says nothing.
    /// - Returns: nil when there is nothing to merge.
    static func merged(_ schema: JSONNode, resolve: (JSONNode) -> JSONNode?) -> JSONNode? {
        guard let list = schema["allOf"], list.isArray else { return nil }
        let parts = list.elements.prefix(partLimit).compactMap { part in
            part["$ref"].map(resolve) ?? part
        }.filter(\.isObject)
        var writer = JSONWriter()
        var written: Set<String> = ["allOf"]
        writer.beginObject()
        for (number, source) in ([schema] + parts).enumerated() {
            for member in source.members {
                let name = member.name.string ?? ""
                guard written.insert(name).inserted else { continue }
                writer.name(raw: member.name)
                switch name {
                case "properties": write(propertiesOf: [schema] + parts, to: &writer)
                case "required": write(requiredOf: [schema] + parts, to: &writer)
                default: writer.raw(member.value)
                }
            }
            if number == 0 { write(allOfOf: parts, to: &writer) }
        }
        writer.endObject()
        return (try? JSONDocument(parsing: writer.bytes))?.root
    }

    private static func write(propertiesOf sources: [JSONNode], to writer: inout JSONWriter) {
        var names: Set<String> = []
        writer.beginObject()
        for source in sources {
            for property in (source["properties"]?.members).map(Array.init) ?? []
            where names.insert(property.name.string ?? "").inserted {
                writer.name(raw: property.name)
                writer.raw(property.value)
            }
        }
        writer.endObject()
    }

    private static func write(requiredOf sources: [JSONNode], to writer: inout JSONWriter) {
        var names: Set<String> = []
        writer.beginArray()
        for source in sources {
            for name in (source["required"]?.elements).map(Array.init) ?? []
            where name.isString && names.insert(name.string ?? "").inserted {
                writer.raw(name)
            }
        }
        writer.endArray()
    }

    private static func write(allOfOf parts: [JSONNode], to writer: inout JSONWriter) {
        let inner = parts.flatMap { ($0["allOf"]?.elements).map(Array.init) ?? [] }
        guard !inner.isEmpty else { return }
        writer.name("allOf")
        writer.beginArray()
        for part in inner.prefix(partLimit) { writer.raw(part) }
        writer.endArray()
    }
}
