// The functions of a chat request as tools of the Messages API, and which of them may or must be called.

import JSON

struct ChatTools {
    struct Function {
        var name: String
        var description: JSONNode?
        /// nil = none was given.
        var parameters: JSONNode?
        var isStrict = false

        /// A JSON Schema of an object, as the Messages API wants it.
        var schema: [UInt8] {
            guard let parameters, !parameters.isEmpty else {
                return Array(#"{"type":"object","properties":{}}"#.utf8)
            }
            guard parameters["type"] == nil else {
                var bytes: [UInt8] = []
                bytes.append(raw: parameters)
                return bytes
            }
            var writer = JSONWriter()
            writer.beginObject()
            writer.name("type")
            writer.value("object")
            for member in parameters.members {
                writer.name(raw: member.name)
                writer.raw(member.value)
            }
            writer.endObject()
            return writer.bytes
        }
    }

    enum Choice: Equatable {
        case unsaid, auto, never, any
        case function(String)

        var isForced: Bool {
            switch self {
            case .any, .function: true
            case .unsaid, .auto, .never: false
            }
        }
    }

    private(set) var functions: [Function] = []
    private(set) var choice = Choice.unsaid
    private(set) var isSequential = false
    private(set) var omissions: [Omission] = []

    /// - Parameter inOlderWords: the reply has room for one call.
    init(_ fields: inout ChatFields, inOlderWords: Bool) throws(ClientError) {
        if let tools = try fields.array("tools") {
            for (index, tool) in tools.elements.enumerated() {
                let path = "tools[\(index)]"
                guard index < ToolReader.limit else {
                    throw .chat("'tools' may hold at most \(ToolReader.limit) entries.", "tools")
                }
                var inner = try ChatFields(tool, path)
                let type = try inner.requiredString("type").string ?? ""
                guard type == "function" else {
                    omissions.append(
                        Omission(path: path, reason: "\(Excerpt.shown(type)) is not available here"))
                    continue
                }
                guard let function = try inner.object("function") else {
                    throw .chatMissing("\(path).function")
                }
                try add(function, "\(path).function")
            }
        }
        if let legacy = try fields.array("functions") {
            for (index, function) in legacy.elements.enumerated() {
                try add(function, "functions[\(index)]")
            }
        }
        let isParallel = try fields.bool("parallel_tool_calls") ?? true
        isSequential = !isParallel || inOlderWords
        if let choice = fields.take("tool_choice") { try read(choice) }
        if let choice = fields.take("function_call") { try readLegacy(choice) }
    }

    /// Functions that earlier turns called are declared although none may be called now: the Messages API
    /// takes no calls of tools that it does not know.
    mutating func declare(called names: [String]) {
        guard functions.isEmpty, !names.isEmpty else { return }
        functions = names.map { Function(name: $0) }
        choice = .never
    }

    private mutating func add(_ node: JSONNode, _ path: String) throws(ClientError) {
        var fields = try ChatFields(node, path)
        let name = try fields.requiredString("name").string ?? ""
        guard FunctionName.isValid(name) else { throw FunctionName.invalid("\(path).name") }
        guard !functions.contains(where: { $0.name == name }) else {
            return omissions.append(
                Omission(path: path, reason: "function \(Excerpt.shown(name)) stands twice"))
        }
        let parameters = try fields.object("parameters")
        if let type = parameters?["type"], !type.stringEquals("object") {
            let found = Excerpt.shown(String(decoding: type.raw.prefix(Self.shownType), as: UTF8.self))
            throw .chat(
                "Invalid schema for function '\(Excerpt.shown(name))': schema must be a JSON Schema of 'type: "
                    + "\"object\"', got 'type: \(found)'.", "\(path).parameters",
                "invalid_function_parameters")
        }
        functions.append(
            Function(
                name: name, description: try fields.string("description"),
                parameters: parameters, isStrict: try fields.bool("strict") ?? false))
    }

    /// Bytes of a wrong type that are repeated to the client.
    private static let shownType = 60

    private mutating func read(_ node: JSONNode) throws(ClientError) {
        if let word = node.string { return try read(word: word, "tool_choice") }
        var fields = try ChatFields(node, "tool_choice")
        let type = try fields.requiredString("type").string ?? ""
        switch type {
        case "function":
            guard let function = try fields.object("function") else {
                throw .chatMissing("tool_choice.function")
            }
            try demand(function["name"]?.string ?? "", "tool_choice.function.name")
        case "allowed_tools":
            let allowed = try fields.object("allowed_tools") ?? node
            let names = allowed["tools"]?.elements.compactMap { tool in
                (tool["function"]?["name"] ?? tool["name"])?.string
            }
            functions.removeAll { names?.contains($0.name) != true }
            if let mode = allowed["mode"]?.string { try read(word: mode, "tool_choice.allowed_tools.mode") }
        default:
            throw .chatValue(
                "tool_choice.type", type, supported: "'function', 'allowed_tools', and 'custom'")
        }
    }

    private mutating func readLegacy(_ node: JSONNode) throws(ClientError) {
        if let word = node.string { return try read(word: word, "function_call") }
        try demand(node["name"]?.string ?? "", "function_call.name")
    }

    private mutating func read(word: String, _ path: String) throws(ClientError) {
        switch word {
        case "auto": choice = .auto
        case "none": choice = .never
        case "required":
            guard !functions.isEmpty else {
                throw .chat("'\(path)' is only allowed when 'tools' are specified.", path)
            }
            choice = .any
        default: throw .chatValue(path, word, supported: "'none', 'auto', and 'required'")
        }
    }

    private mutating func demand(_ name: String, _ path: String) throws(ClientError) {
        guard functions.contains(where: { $0.name == name }) else {
            throw .chat(
                "Invalid value: '\(path)'. Function '\(Excerpt.shown(name))' is not among the tools.", path,
                "invalid_value")
        }
        choice = .function(name)
    }

    // MARK: Writing

    func write(to writer: inout JSONWriter) {
        guard !functions.isEmpty else { return }
        writer.name("tools")
        writer.beginArray()
        for function in functions {
            writer.beginObject()
            writer.name("name")
            writer.value(function.name)
            if let description = function.description {
                writer.name("description")
                writer.raw(description)
            }
            writer.name("input_schema")
            writer.raw(function.schema[...])
            if function.isStrict {
                writer.name("strict")
                writer.value(true)
            }
            writer.endObject()
        }
        writer.endArray()
        guard choice != .unsaid || isSequential else { return }
        writer.name("tool_choice")
        writer.beginObject()
        writer.name("type")
        switch choice {
        case .unsaid, .auto: writer.value("auto")
        case .never: writer.value("none")
        case .any: writer.value("any")
        case .function(let name):
            writer.value("tool")
            writer.name("name")
            writer.value(name)
        }
        if isSequential, choice != .never {
            writer.name("disable_parallel_tool_use")
            writer.value(true)
        }
        writer.endObject()
    }
}
