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
    /// Bytes that all schemas of one request together may grow by.
    private static let maxGrowth = 1 << 20

    /// Nothing below the top is changed.
    private var isIdentityInside: Bool
    private var lookups = 0
    private var growthLeft = SchemaWriter.maxGrowth
    private var references: SchemaReferences?

    init(_ rules: SchemaRules) {
        self.rules = rules
        var inside = rules
        inside.plainTop = false
        isIdentityInside = inside.isIdentity
    }

    /// Whether the rules bite anywhere in this schema.
    private func isIdentity(for schema: JSONNode) -> Bool {
        var rest = rules
        rest.plainTop = false
        rest.prefixItems = false
        return rest.isIdentity && !(rules.prefixItems && Self.hasListOfItems(schema))
    }

    /// Whether anything in it is called `items` and is a list.
    private static func hasListOfItems(_ schema: JSONNode) -> Bool {
        let raw = schema.raw
        var at = raw.startIndex
        while let bracket = raw[at...].firstIndex(of: UInt8(ascii: "[")) {
            at = bracket + 1
            let before = raw[..<bracket].droppingSpaces()
            guard before.last == UInt8(ascii: ":") else { continue }
            if before.dropLast().droppingSpaces().suffix(7).elementsEqual(#""items""#.utf8) { return true }
        }
        return false
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
        isIdentityInside = isIdentity(for: schema)
        if isIdentityInside, isComplete, unions.isEmpty { return writer.raw(schema) }
        guard schema.rawRange.count <= Self.maxBytes else { return writer.raw(schema) }
        var context = context(schema, writer)
        var top = top(schema, &context)
        if rules.mergedParts { for _ in 0..<Self.maxReferences { top = merged(top, context) ?? top } }
        writer.beginObject()
        if !isString(top["type"]) {
            writer.name("type")
            writer.value("object")
        }
        for member in top.members {
            if member.name.stringEquals("type"), !isString(member.value) { continue }
            // What could be followed was; functions have an object's schema, not a reference to one.
            if rules.inlineReferences, member.name.stringEquals("$ref") { continue }
            if !unions.isEmpty, Self.unions.contains(member.name.string ?? "") { continue }
            write(member, of: top, context, 0, &writer)
        }
        if top["properties"] == nil { writeMerged(unions, context, &writer) }
        // The top is what was referred to; what it refers to itself stays behind it.
        if context.references > 0 { writeDefinitions(of: schema, context, &writer) }
        writer.endObject()
        written(schema, context, writer)
    }

    private mutating func writeDefinitions(
        of schema: JSONNode, _ context: Context, _ writer: inout JSONWriter
    ) {
        guard context.keepsReferences else { return }
        for member in schema.members where Self.definitions.contains(member.name.string ?? "") {
            write(member, of: schema, context, 0, &writer)
        }
    }

    private mutating func context(_ root: JSONNode, _ writer: JSONWriter) -> Context {
        lookups = 0
        var references = SchemaReferences(root)
        let most = min(root.rawRange.count &+ growthLeft, Self.maxBytes)
        var context = Context(start: writer.bytes.count, end: writer.bytes.count &+ most)
        context.keepsReferences =
            rules.inlineReferences && rules.recursiveReferences && references.areRecursive()
        self.references = references
        return context
    }

    private mutating func written(_ root: JSONNode, _ context: Context, _ writer: JSONWriter) {
        growthLeft -= max(writer.bytes.count - context.start - root.rawRange.count, 0)
        growthLeft = max(growthLeft, 0)
        references = nil
    }

    /// What the parameters are: where they are a reference, what it refers to.
    private mutating func top(_ schema: JSONNode, _ context: inout Context) -> JSONNode {
        var top = schema
        while rules.inlineReferences, let reference = top["$ref"], top["properties"] == nil {
            lookups += 1
            guard context.references < Self.maxReferences,
                let target = references?.resolve(reference), target.isObject
            else { break }
            context.references += 1
            top = target
        }
        return top
    }

    /// The schema of an answer, which may be of any type.
    mutating func write(_ schema: JSONNode, to writer: inout JSONWriter) {
        guard schema.rawRange.count <= Self.maxBytes else { return writer.raw(schema) }
        isIdentityInside = isIdentity(for: schema)
        let context = context(schema, writer)
        if context.keepsReferences, let reference = schema["$ref"] {
            writer.beginObject()
            writer.name("$ref")
            writer.raw(reference)
            writeDefinitions(of: schema, context, &writer)
            writer.endObject()
        } else {
            writeSchema(schema, context, 0, &writer)
        }
        written(schema, context, writer)
    }

    private static let definitions: Set<String> = ["$defs", "definitions"]
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
        let start: Int
        /// Nothing is inlined behind it.
        let end: Int
        var references = 0
        /// References and definitions stay.
        var keepsReferences = false
    }

    /// A schema somewhere inside.
    private mutating func writeSchema(
        _ node: JSONNode, _ context: Context, _ depth: Int, _ writer: inout JSONWriter
    ) {
        if isIdentityInside { return writer.raw(node) }
        guard depth < Self.maxDepth, writer.bytes.count < context.end else {
            return writer.raw("{}")
        }
        guard node.isObject else {
            guard node.kind == .bool, rules.noEmptySchemas || rules.noBooleanSchemas else {
                return writer.raw(node)
            }
            return writer.raw(rules.noEmptySchemas ? #"{"type":"string"}"# : "{}" as StaticString)
        }
        if node.isEmpty, rules.noEmptySchemas { return writer.raw(#"{"type":"string"}"#) }
        if rules.inlineReferences, let reference = node["$ref"] {
            lookups += 1
            if context.keepsReferences, references?.resolve(reference) != nil {
                writer.beginObject()
                writer.name("$ref")
                writer.raw(reference)
                return writer.endObject()
            }
            guard context.references < Self.maxReferences, lookups <= Self.maxLookups,
                let target = references?.resolve(reference)
            else {
                return writer.raw(#"{"type":"object"}"#)
            }
            var inner = context
            inner.references += 1
            return writeSchema(target, inner, depth + 1, &writer)
        }
        if rules.mergedParts, let merged = merged(node, context) {
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
            return references?.resolve(reference)
        }
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
            if rules.inlineReferences, !context.keepsReferences, Self.definitions.contains(name) { return }
            writer.name(name)
            guard value.isObject else { return writer.raw("{}") }
            writer.beginObject()
            for property in value.members where !isForbidden(property.value) {
                writer.name(raw: property.name)
                writeSchema(property.value, context, depth + 1, &writer)
            }
            writer.endObject()
        case "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
            "unevaluatedProperties", "additionalItems", "unevaluatedItems":
            if value.kind == .bool, rules.noBooleanSchemas, Self.needsSchema(name, value) { return }
            writer.name(arrayWord(name, of: schema))
            if value.isArray {
                list(value, context, depth, &writer)
            } else if value.kind == .bool, name != "items" {
                writer.raw(value)
            } else {
                writeSchema(value, context, depth + 1, &writer)
            }
        case "anyOf", "allOf", "oneOf", "prefixItems":
            writer.name(rules.plainUnions && name == "oneOf" ? "anyOf" : name)
            list(value, context, depth, &writer, isChoice: name == "anyOf" || name == "oneOf")
        default: keyword(name, value, of: schema, &writer)
        }
    }

    private mutating func list(
        _ value: JSONNode, _ context: Context, _ depth: Int, _ writer: inout JSONWriter,
        isChoice: Bool = false
    ) {
        writer.beginArray()
        for element in value.elements where !isChoice || !isForbidden(element) {
            writeSchema(element, context, depth + 1, &writer)
        }
        writer.endArray()
    }

    /// `false`: nothing is valid here, and where booleans are no schemas, nothing stands here.
    private func isForbidden(_ node: JSONNode) -> Bool { rules.noBooleanSchemas && node.bool == false }

    /// Keywords whose value may not be a boolean where booleans are no schemas, and that say nothing then
    /// which a grammar could hold a model to.
    private static func needsSchema(_ name: String, _ value: JSONNode) -> Bool {
        switch name {
        case "items": value.bool == false
        case "not", "if", "then", "else", "contains", "propertyNames": true
        default: false
        }
    }

    /// The newer drafts' words for lists of schemas (JSON Schema 2020-12, 10.3.1.1 and 10.3.1.2).
    private func arrayWord(_ name: String, of schema: JSONNode) -> String {
        guard rules.prefixItems, schema["items"]?.isArray == true, schema["prefixItems"] == nil else {
            return name
        }
        switch name {
        case "items": return "prefixItems"
        case "additionalItems": return "items"
        default: return name
        }
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
        let properties = (schema["properties"]?.members).map(Array.init) ?? []
        let names = Set(properties.filter { !isForbidden($0.value) }.compactMap(\.name.string))
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

extension ArraySlice<UInt8> {
    fileprivate func droppingSpaces() -> ArraySlice<UInt8> {
        var end = endIndex
        while end > startIndex, Ascii.isSpace(self[end - 1]) { end -= 1 }
        return self[startIndex..<end]
    }
}
