// Tool schemas for backends whose parser or grammar knows less of JSON Schema. Where no rule bites the
// received bytes are copied; where one does, keys keep their order and numbers their text.

import JSON

struct SchemaWriter {
    private let rules: SchemaRules
    /// Deeper schemas become `{}`; also what ends a schema that refers to itself.
    private static let maxDepth = 48
    /// References inlined within one another at most; each can repeat a large part of the schema.
    private static let maxReferences = 6
    /// References followed in one schema; each is a search.
    private static let maxLookups = 256
    /// Bytes that one schema may grow to by inlining; larger ones are not looked into at all.
    private static let maxBytes = 256 << 10

    private let isIdentityInside: Bool
    private var lookups = 0

    init(_ rules: SchemaRules) {
        self.rules = rules
        var inside = rules
        inside.plainTop = false
        isIdentityInside = inside.isIdentity
    }

    /// The `parameters` of a function: always an object with `type` and `properties`.
    mutating func writeParameters(_ schema: JSONNode?, to writer: inout JSONWriter) {
        guard let schema, schema.isObject, !schema.isEmpty else {
            return writer.raw(#"{"type":"object","properties":{}}"#)
        }
        let isComplete =
            schema["type"]?.stringEquals("object") == true && schema["properties"]?.isObject == true
        let unions =
            rules.plainTop ? schema.members.filter { Self.unions.contains($0.name.string ?? "") } : []
        if isIdentityInside, isComplete, unions.isEmpty { return writer.raw(schema) }
        guard schema.rawRange.count <= Self.maxBytes else { return writer.raw(schema) }
        let context = Context(root: schema, start: writer.bytes.count)
        writer.beginObject()
        if !isString(schema["type"]) {
            writer.name("type")
            writer.value("object")
        }
        for member in schema.members {
            if member.name.stringEquals("type"), !isString(member.value) { continue }
            if !unions.isEmpty, Self.unions.contains(member.name.string ?? "") { continue }
            write(member, of: schema, context, 0, &writer)
        }
        if schema["properties"] == nil { writeMerged(unions, context, &writer) }
        writer.endObject()
    }

    /// The schema of an answer, which may be of any type.
    mutating func write(_ schema: JSONNode, to writer: inout JSONWriter) {
        guard schema.rawRange.count <= Self.maxBytes else { return writer.raw(schema) }
        writeSchema(schema, Context(root: schema, start: writer.bytes.count), 0, &writer)
    }

    private static let unions: Set<String> = ["anyOf", "oneOf", "allOf", "not", "enum"]

    /// The properties of all alternatives, each name once; none of them is required.
    private mutating func writeMerged(_ unions: [JSONMember], _ context: Context, _ writer: inout JSONWriter)
    {
        var names: Set<String> = []
        writer.name("properties")
        writer.beginObject()
        for alternative in unions.flatMap({ Array($0.value.elements) }) {
            for property in (alternative["properties"]?.members).map(Array.init) ?? []
            where names.insert(property.name.string ?? "").inserted {
                writer.name(raw: property.name)
                writeSchema(property.value, context, 1, &writer)
            }
        }
        writer.endObject()
    }

    private func isString(_ node: JSONNode?) -> Bool { node?.isString == true }

    struct Context {
        let root: JSONNode
        let start: Int
        var references = 0
    }

    /// A schema somewhere inside.
    private mutating func writeSchema(
        _ node: JSONNode, _ context: Context, _ depth: Int, _ writer: inout JSONWriter
    ) {
        if isIdentityInside { return writer.raw(node) }
        guard depth < Self.maxDepth, writer.bytes.count - context.start < Self.maxBytes else {
            return writer.raw("{}")
        }
        guard node.isObject else {
            // A boolean schema.
            return node.kind == .bool && rules.noEmptySchemas
                ? writer.raw(#"{"type":"string"}"#) : writer.raw(node)
        }
        if node.isEmpty, rules.noEmptySchemas { return writer.raw(#"{"type":"string"}"#) }
        if rules.inlineReferences, let reference = node["$ref"] {
            lookups += 1
            guard context.references < Self.maxReferences, lookups <= Self.maxLookups,
                let target = resolve(reference, in: context.root)
            else {
                return writer.raw(#"{"type":"object"}"#)
            }
            var inner = context
            inner.references += 1
            return writeSchema(target, inner, depth + 1, &writer)
        }
        if rules.plainUnions, let merged = merged(node, context) {
            return writeSchema(merged, context, depth + 1, &writer)
        }
        writer.beginObject()
        for member in node.members { write(member, of: node, context, depth, &writer) }
        writer.endObject()
    }

    /// Without `allOf`; a part that refers to another place is looked up within the same bounds as others.
    private mutating func merged(_ node: JSONNode, _ context: Context) -> JSONNode? {
        SchemaMerge.merged(node) { reference in
            lookups += 1
            guard rules.inlineReferences, lookups <= Self.maxLookups else { return nil }
            return resolve(reference, in: context.root)
        }
    }

    /// `#/a/b` only; RFC 6901 escapes are undone.
    private func resolve(_ reference: JSONNode, in root: JSONNode) -> JSONNode? {
        guard let text = reference.string, text == "#" || text.hasPrefix("#/") else { return nil }
        var node = root
        for part in text.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false)
        where text != "#" {
            let name = Self.unescaped(part)
            guard let next = node.members.first(where: { $0.name.string == name })?.value else { return nil }
            node = next
        }
        return node
    }

    private static func unescaped(_ part: Substring) -> String {
        var name = ""
        var rest = part[...]
        while let first = rest.first {
            if rest.hasPrefix("~1") || rest.hasPrefix("~0") {
                name += rest.hasPrefix("~1") ? "/" : "~"
                rest = rest.dropFirst(2)
            } else {
                name.append(first)
                rest = rest.dropFirst()
            }
        }
        return name
    }

    private mutating func write(
        _ member: JSONMember, of schema: JSONNode, _ context: Context, _ depth: Int,
        _ writer: inout JSONWriter
    ) {
        let name = member.name.string ?? ""
        let value = member.value
        if rules.dropped.contains(name) { return }
        switch name {
        case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
            if rules.inlineReferences, name == "$defs" || name == "definitions" { return }
            writer.name(name)
            guard value.isObject else { return writer.raw("{}") }
            writer.beginObject()
            for property in value.members {
                writer.name(raw: property.name)
                writeSchema(property.value, context, depth + 1, &writer)
            }
            writer.endObject()
        case "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
            "unevaluatedProperties", "additionalItems", "unevaluatedItems":
            writer.name(name)
            if value.isArray {
                list(value, context, depth, &writer)
            } else if value.kind == .bool, name != "items" {
                writer.raw(value)
            } else {
                writeSchema(value, context, depth + 1, &writer)
            }
        case "anyOf", "allOf", "oneOf", "prefixItems":
            writer.name(rules.plainUnions && name == "oneOf" ? "anyOf" : name)
            list(value, context, depth, &writer)
        default: keyword(name, value, of: schema, &writer)
        }
    }

    private mutating func list(
        _ value: JSONNode, _ context: Context, _ depth: Int, _ writer: inout JSONWriter
    ) {
        writer.beginArray()
        for element in value.elements { writeSchema(element, context, depth + 1, &writer) }
        writer.endArray()
    }

    private func keyword(_ name: String, _ value: JSONNode, of schema: JSONNode, _ writer: inout JSONWriter) {
        switch name {
        case "format":
            if let formats = rules.formats, !formats.contains(value.string ?? "") { return }
        case "pattern":
            if rules.simplePatterns, !Self.isSimple(value.string ?? "") { return }
        case "maxLength", "minLength", "maxItems", "minItems":
            if let limit = rules.maxCount, value.int.map({ $0 > limit }) ?? true { return }
        case "type" where rules.nullableTypes && value.isArray:
            let types = value.elements.filter { !$0.stringEquals("null") }
            writer.name("type")
            if let first = types.first { writer.raw(first) } else { writer.value("string") }
            if types.count < Array(value.elements).count { writer.name("nullable"); writer.value(true) }
            return
        case "const" where rules.plainUnions:
            if schema["type"] == nil, value.isString {
                writer.name("type")
                writer.value("string")
            }
            writer.name("enum")
            writer.beginArray()
            writer.raw(value)
            return writer.endArray()
        case "exclusiveMinimum" where rules.inclusiveBounds, "exclusiveMaximum" where rules.inclusiveBounds:
            return inclusive(name, value, of: schema, &writer)
        case "required":
            return required(value, of: schema, &writer)
        default: break
        }
        writer.name(name)
        writer.raw(value)
    }

    private func inclusive(_ name: String, _ value: JSONNode, of schema: JSONNode, _ writer: inout JSONWriter)
    {
        let isMinimum = name == "exclusiveMinimum"
        guard schema[isMinimum ? "minimum" : "maximum"] == nil else { return }
        let step = schema["type"]?.stringEquals("integer") == true ? 1 : 0
        guard value.kind == .number else { return }
        writer.name(isMinimum ? "minimum" : "maximum" as StaticString)
        guard step == 1, let bound = value.int else { return writer.raw(value) }
        writer.value(isMinimum ? bound &+ 1 : bound &- 1)
    }

    /// Without names that no property has, which grammars and strict parsers refuse.
    private func required(_ value: JSONNode, of schema: JSONNode, _ writer: inout JSONWriter) {
        let names = Set((schema["properties"]?.members).map { $0.compactMap(\.name.string) } ?? [])
        let kept = value.elements.filter { names.contains($0.string ?? "") }
        guard !kept.isEmpty else { return }
        writer.name("required")
        writer.beginArray()
        for name in kept { writer.raw(name) }
        writer.endArray()
    }

    /// Anchored, and nothing in it that grammar converters do not know.
    private static func isSimple(_ pattern: String) -> Bool {
        guard pattern.hasPrefix("^"), pattern.hasSuffix("$"), !pattern.hasSuffix("\\$") else { return false }
        var rest = pattern[...]
        while let first = rest.popFirst() {
            if first == "\\", let next = rest.popFirst(), next.isLetter || next.isNumber { return false }
            if first == "(", rest.first == "?" { return false }
            if "*+?}".contains(first), rest.first == "?" || rest.first == "+" { return false }
        }
        return true
    }
}
