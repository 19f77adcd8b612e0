// The functions of a chat request as tools, and which of them may or must be called.

import JSON

struct ChatTools {
    enum Choice: Equatable {
        case unsaid, auto, never, any
        case function(String)
    }

    private(set) var functions: [Tool] = []
    private var names: Set<String> = []
    private var choice = Choice.unsaid
    private var isSequential = false
    private(set) var omissions: [Omission] = []

    /// - Parameter inOlderWords: the reply has room for one call.
    init(_ fields: inout ChatFields, inOlderWords: Bool) throws(Failure) {
        if let tools = try fields.array("tools") {
            for (index, tool) in tools.elements.enumerated() {
                let path = "tools[\(index)]"
                guard index < ToolReader.limit else { throw Self.tooMany }
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

    /// Which tools may or must be called; nil = nothing was said, or there are none.
    var offeredChoice: ToolChoice? {
        guard !functions.isEmpty else { return nil }
        switch choice {
        case .unsaid: return isSequential ? .auto : nil
        case .auto: return .auto
        case .never: return .never
        case .any: return .any
        case .function(let name): return .tool(name)
        }
    }

    /// Nothing is to be said of several calls where none may be made.
    var forbidsParallelCalls: Bool { isSequential && !functions.isEmpty && choice != .never }

    private static let tooMany = Failure.chat(
        "'tools' may hold at most \(ToolReader.limit) entries.", "tools")

    private mutating func add(_ node: JSONNode, _ path: String) throws(Failure) {
        var fields = try ChatFields(node, path)
        let name = try fields.requiredString("name").string ?? ""
        guard FunctionName.isValid(name) else { throw FunctionName.invalid("\(path).name") }
        guard names.insert(name).inserted else {
            return omissions.append(
                Omission(path: path, reason: "function \(Excerpt.shown(name)) stands twice"))
        }
        guard functions.count < ToolReader.limit else { throw Self.tooMany }
        let parameters = try fields.object("parameters")
        if let type = parameters?["type"], !type.stringEquals("object") {
            let found = Excerpt.shown(String(decoding: type.raw.prefix(Self.shownType), as: UTF8.self))
            throw .chat(
                "Invalid schema for function '\(Excerpt.shown(name))': schema must be a JSON Schema of 'type: "
                    + "\"object\"', got 'type: \(found)'.", "\(path).parameters",
                "invalid_function_parameters")
        }
        functions.append(
            Tool(
                name: name, kind: .custom(schema: Self.schema(parameters)),
                description: try fields.string("description"), isDeferred: false,
                isStrict: try fields.bool("strict") ?? false, index: functions.count))
    }

    private static let noParameters = JSONNode(object: #"{"type":"object","properties":{}}"#)

    /// A JSON Schema of an object.
    private static func schema(_ parameters: JSONNode?) -> JSONNode? {
        guard let parameters, !parameters.isEmpty else { return noParameters }
        guard parameters["type"] == nil else { return parameters }
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("type")
        writer.value("object")
        for member in parameters.members {
            writer.name(raw: member.name)
            writer.raw(member.value)
        }
        writer.endObject()
        return (try? JSONDocument(parsing: writer.bytes))?.root ?? noParameters
    }

    /// Bytes of a wrong type that are repeated to the client.
    private static let shownType = 60

    private mutating func read(_ node: JSONNode) throws(Failure) {
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

    private mutating func readLegacy(_ node: JSONNode) throws(Failure) {
        if let word = node.string { return try read(word: word, "function_call") }
        try demand(node["name"]?.string ?? "", "function_call.name")
    }

    private mutating func read(word: String, _ path: String) throws(Failure) {
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

    private mutating func demand(_ name: String, _ path: String) throws(Failure) {
        guard functions.contains(where: { $0.name == name }) else {
            throw .chat(
                "Invalid value: '\(path)'. Function '\(Excerpt.shown(name))' is not among the tools.", path,
                "invalid_value")
        }
        choice = .function(name)
    }
}
