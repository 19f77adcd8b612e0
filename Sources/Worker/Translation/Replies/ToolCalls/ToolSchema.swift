// What a tool's input schema says about the top level of its arguments: names, types, what is required. Reads
// only what decides whether arguments can be right; whatever it does not understand allows anything.

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
        /// True, false, and perhaps null.
        var isSwitch: Bool { types.subtracting(.null) == .boolean }
    }

    let properties: [Property]
    let required: Set<String>
    /// Names beside the properties are wrong.
    let isClosed: Bool
    /// Any name that is no property's is none that the schema means otherwise.
    let takesNames: Bool
    private let byName: [String: Int]

    /// Formats that no empty text has.
    private static let formatsWithText: Set<String> = [
        "date", "date-time", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4",
        "ipv6",
        "uri", "iri", "url", "uuid",
    ]
    /// Alternatives inside alternatives.
    private static let depthLimit = 8

    /// nil if the schema names no properties.
    init?(_ schema: [UInt8]) {
        guard let root = (try? JSONDocument(parsing: schema))?.root, let properties = root["properties"],
            properties.isObject, !properties.isEmpty
        else { return nil }
        let isReading = properties["file_path"] != nil && properties["limit"] != nil
        let known = properties.members.compactMap { member in
            member.name.string.map { name in
                // Claude Code refuses this one of its own tool when it is empty, and its schema does not say
                // so.
                Self.property(name, member.value, refusesEmpty: isReading && name == "pages")
            }
        }
        byName = Dictionary(
            known.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.properties = known
        required = Set(root["required"]?.elements.compactMap(\.string) ?? []).intersection(byName.keys)
        let patterns = root["patternProperties"]
        takesNames = patterns == nil || patterns?.isEmpty == true
        // Alternatives at the top may bring properties of their own.
        let isPlain =
            root["anyOf"] == nil && root["oneOf"] == nil && root["allOf"] == nil && root["$ref"] == nil
            && root["if"] == nil && root["dependentSchemas"] == nil && root["dependencies"] == nil
        isClosed = isPlain && takesNames && root["additionalProperties"]?.bool == false
    }

    subscript(name: String) -> Property? { byName[name].map { properties[$0] } }

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

    private static func property(_ name: String, _ schema: JSONNode, refusesEmpty: Bool) -> Property {
        let isEnumerated = schema["enum"].map { values in
            !values.elements.contains { $0.isString && $0.stringRange.isEmpty }
        }
        return Property(
            name: name, types: types(schema, 0), items: schema["items"].map { types($0, 0) } ?? .any,
            refusesEmpty: isEnumerated == true || schema["minLength"]?.int ?? 0 > 0
                || refusesEmpty || schema["format"]?.string.map(formatsWithText.contains) ?? false)
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
