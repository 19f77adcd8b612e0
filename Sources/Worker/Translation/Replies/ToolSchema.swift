// What a tool's input schema says about the top level of its arguments: names, types, what is required. Reads only
// what decides whether arguments can be right; whatever it does not understand allows anything.

import JSON

struct ToolSchema: Sendable {
    struct Types: OptionSet, Sendable {
        let rawValue: UInt8
        static let null = Types(rawValue: 1)
        static let boolean = Types(rawValue: 2)
        static let integer = Types(rawValue: 4)
        static let number = Types(rawValue: 8)
        static let string = Types(rawValue: 16)
        static let array = Types(rawValue: 32)
        static let object = Types(rawValue: 64)
        static let any = Types(rawValue: 127)
    }

    struct Property: Sendable {
        let name: String
        let types: Types
        /// Types of an array's elements.
        let items: Types
        /// An empty string is as wrong as a wrong type.
        let refusesEmpty: Bool
    }

    let properties: [Property]
    let required: Set<String>
    /// Names beside the properties are wrong.
    let isClosed: Bool

    /// Optional texts that clients refuse when empty although their schemas do not say so.
    private static let refusedWhenEmpty: Set<String> = ["pages"]
    /// Alternatives inside alternatives.
    private static let depthLimit = 8

    /// nil if the schema names no properties.
    init?(_ schema: [UInt8]) {
        guard let root = (try? JSONDocument(parsing: schema))?.root, let properties = root["properties"],
            properties.isObject, !properties.isEmpty
        else { return nil }
        self.properties = properties.members.compactMap { member in
            member.name.string.map { Self.property($0, member.value) }
        }
        let known = Set(self.properties.map(\.name))
        required = Set(root["required"]?.elements.compactMap(\.string) ?? []).intersection(known)
        // Alternatives at the top may bring properties of their own.
        let isPlain = root["anyOf"] == nil && root["oneOf"] == nil && root["allOf"] == nil
        isClosed = isPlain && root["additionalProperties"]?.bool == false
    }

    subscript(name: String) -> Property? { properties.first { $0.name == name } }

    func accepts(_ arguments: JSONNode) -> Bool {
        var missing = required
        for member in arguments.members {
            let name = member.name.string ?? ""
            missing.remove(name)
            if let property = self[name] {
                guard accepts(member.value, for: property) else { return false }
            } else if isClosed {
                return false
            }
        }
        return missing.isEmpty
    }

    func accepts(_ value: JSONNode, for property: Property) -> Bool {
        if property.refusesEmpty, value.isString, value.stringRange.isEmpty, !required.contains(property.name)
        {
            return false
        }
        return property.types.accepts(value)
    }

    // MARK: reading

    private static func property(_ name: String, _ schema: JSONNode) -> Property {
        let isEnumerated = schema["enum"].map { values in
            !values.elements.contains { $0.isString && $0.stringRange.isEmpty }
        }
        return Property(
            name: name, types: types(schema, 0), items: schema["items"].map { types($0, 0) } ?? .any,
            refusesEmpty: isEnumerated == true || schema["minLength"]?.int ?? 0 > 0
                || schema["format"] != nil || refusedWhenEmpty.contains(name))
    }

    private static func types(_ schema: JSONNode, _ depth: Int) -> Types {
        guard schema.isObject, depth < depthLimit, schema["$ref"] == nil, schema["allOf"] == nil else {
            return .any
        }
        var types: Types
        if let type = schema["type"] {
            types =
                type.isArray
                ? type.elements.reduce(into: []) { $0.formUnion(named($1)) } : named(type)
        } else if let options = schema["anyOf"] ?? schema["oneOf"] {
            types = options.elements.reduce(into: []) { $0.formUnion(Self.types($1, depth + 1)) }
        } else if let values = schema["enum"] {
            types = values.elements.reduce(into: []) { $0.formUnion(Types(of: $1)) }
        } else if let value = schema["const"] {
            types = Types(of: value)
        } else {
            types = .any
        }
        if schema["nullable"]?.bool == true { types.insert(.null) }
        return types.isEmpty ? .any : types
    }

    private static func named(_ type: JSONNode) -> Types {
        switch type.string {
        case "null": .null
        case "boolean": .boolean
        case "integer": .integer
        case "number": .number
        case "string": .string
        case "array": .array
        case "object": .object
        default: .any
        }
    }
}

extension ToolSchema.Types {
    /// The one type of a value; whole numbers are integers too.
    init(of value: JSONNode) {
        switch value.kind {
        case .null: self = .null
        case .bool: self = .boolean
        case .number:
            // 1.0 is an integer (JSON Schema, draft 6 and later).
            let isWhole = value.double.map { $0.isFinite && $0 == $0.rounded() } ?? false
            self = isWhole ? [.integer, .number] : .number
        case .string: self = .string
        case .array: self = .array
        case .object: self = .object
        }
    }

    func accepts(_ value: JSONNode) -> Bool { !isDisjoint(with: Self(of: value)) }
}
