// Whether a tool's schema is one that a backend can hold its model to (`function.strict`). Sent with one that
// is not, the whole request would be refused.

import JSON

/// The subset of JSON Schema that OpenAI's structured outputs take (guide "Structured model outputs",
/// section "Supported schemas").
enum StrictSchema {
    private static let maxDepth = 10
    /// Properties in all, and keywords looked at before the search is given up.
    private static let maxProperties = 5000

    private static let keywords: Set<String> = [
        "$schema", "type", "title", "description", "properties", "required", "additionalProperties", "items",
        "anyOf",
        "enum", "const", "$ref", "$defs", "definitions", "pattern", "format", "multipleOf", "minimum",
        "maximum",
        "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems",
    ]

    /// Every object closed, every property required, no keyword outside of the subset.
    static func takes(_ schema: JSONNode?) -> Bool {
        guard let schema, schema["type"]?.stringEquals("object") == true, schema["anyOf"] == nil else {
            return false
        }
        var properties = 0
        return takes(schema, 0, &properties)
    }

    private static func takes(_ schema: JSONNode, _ depth: Int, _ properties: inout Int) -> Bool {
        guard schema.isObject, depth <= maxDepth else { return false }
        var required: Set<String>?
        var names: Set<String>?
        var isClosed = false
        for member in schema.members {
            let name = member.name.string ?? ""
            let value = member.value
            guard keywords.contains(name) else { return false }
            switch name {
            case "properties", "$defs", "definitions":
                if name == "properties" { names = Set(value.members.compactMap(\.name.string)) }
                for property in value.members {
                    properties += 1
                    guard properties <= maxProperties, takes(property.value, depth + 1, &properties) else {
                        return false
                    }
                }
            case "items": guard takes(value, depth + 1, &properties) else { return false }
            case "anyOf":
                for choice in value.elements {
                    guard takes(choice, depth + 1, &properties) else { return false }
                }
            case "required": required = Set(value.elements.compactMap(\.string))
            case "additionalProperties": isClosed = value.bool == false
            default: break
            }
        }
        guard names != nil || isObject(schema["type"]) else { return true }
        return isClosed && required ?? [] == names ?? []
    }

    private static func isObject(_ type: JSONNode?) -> Bool {
        guard let type else { return false }
        return type.stringEquals("object") || type.elements.contains { $0.stringEquals("object") }
    }
}
