// From JSON to tools and tool_choice. Tells apart who carries a tool out: the client with its own schema,
// the client with one of Anthropic's, or Anthropic's servers, which are not here.

import JSON

struct ToolReader {
    private(set) var omissions: [Omission] = []

    /// Tools of one request. The API names no limit but that of its tool search, 10,000; each costs memory
    /// and time in proportion to more than its bytes.
    static let limit = 16_384

    mutating func tools(_ array: JSONNode?) throws(Failure) -> [Tool] {
        guard let array else { return [] }
        var tools: [Tool] = []
        var names: Set<String> = []
        for (index, element) in array.elements.enumerated() {
            guard index < Self.limit else { throw .invalid("tools: at most \(Self.limit) are allowed") }
            guard let tool = try tool(element, FieldPath("tools") / index, shown: "tools[\(index)]", index)
            else {
                continue
            }
            guard names.insert(tool.name).inserted else {
                omissions.append(
                    Omission(
                        path: "tools[\(index)]",
                        reason: "tool name \"\(Excerpt.shown(tool.name))\" is used twice"))
                continue
            }
            tools.append(tool)
        }
        return tools
    }

    /// Reads the tools that messages define into the list, and gives the events by name.
    mutating func events(
        _ events: [ToolEvent], _ inline: [InlineTool], _ tools: inout [Tool]
    ) throws(Failure) -> [ToolEvent] {
        guard !inline.isEmpty else { return events }
        var named: [ToolEvent] = []
        var places: [String: Int] = [:]
        for (index, tool) in tools.enumerated() { places[tool.name] = index }
        for event in events {
            guard case .defined(let index) = event, inline.indices.contains(index) else {
                named.append(event)
                continue
            }
            let shown = inline[index].path.description
            guard var tool = try tool(inline[index].definition, inline[index].path, shown: shown, tools.count)
            else { continue }
            guard tools.count < Self.limit else {
                throw .invalid("messages: at most \(Self.limit) tools may be defined")
            }
            if let place = places[tool.name] {
                tool.isDeferred = tools[place].isDeferred
                tools[place] = tool
            } else {
                tool.isDeferred = true
                places[tool.name] = tools.count
                tools.append(tool)
            }
            named.append(.added(tool.name))
        }
        return named
    }

    /// nil for what is left out.
    private mutating func tool(
        _ node: JSONNode, _ place: FieldPath, shown: String, _ index: Int
    ) throws(Failure) -> Tool? {
        let path = { place }
        var fields = try EnvelopeFields(node, at: path)
        let type = try fields.string("type")?.string
        var tool = Tool(
            name: "", kind: .custom(schema: nil), description: try fields.string("description"),
            isDeferred: try fields.bool("defer_loading") ?? false,
            isStrict: try fields.bool("strict") ?? false,
            index: index)
        if let type, type != "custom" {
            tool.name = try fields.string("name")?.string ?? ""
            if let client = ClientTool(type: type) {
                tool.kind = .client(client)
                if tool.name.isEmpty { tool.name = client.name }
                return tool
            }
            guard let schema = try fields.object("input_schema") else {
                tool.kind = .server(type: type)
                if tool.name.isEmpty { tool.name = type }
                omissions.append(
                    Omission(path: shown, reason: "\(Excerpt.shown(type)) is not available here"))
                return tool
            }
            // Of a kind not known, but described like a custom one.
            tool.kind = .custom(schema: schema)
        } else {
            tool.name = try fields.requiredNamed("name", path() / "custom")
            tool.kind = .custom(schema: try fields.object("input_schema"))
        }
        if case .custom(let schema?) = tool.kind, let type = schema["type"]?.string, type != "object" {
            throw .invalid("\(path() / "custom" / "input_schema" / "type"): Input should be 'object'")
        }
        guard tool.name.utf8.count <= 128, !tool.name.isEmpty,
            tool.name.utf8.allSatisfy(UpstreamToolNames.isAllowed)
        else {
            throw .invalid(
                "\(path() / "custom" / "name"): String should match pattern '^[a-zA-Z0-9_-]{1,128}$'")
        }
        // A client's stand-in for tools that are not loaded yet; nothing to call.
        return tool.name == "DeferredToolPlaceholder" ? nil : tool
    }

    mutating func choice(_ node: JSONNode?, into request: inout RequestContent) throws(Failure) {
        guard let node else { return }
        var fields = try EnvelopeFields(node) { FieldPath("tool_choice") }
        let type = try fields.requiredString("type").string ?? ""
        request.disableParallelToolUse = try fields.bool("disable_parallel_tool_use") ?? false
        switch type {
        case "auto": request.toolChoice = .auto
        case "any": request.toolChoice = .any
        case "none": request.toolChoice = .never
        case "tool":
            let name = try fields.requiredString("name").string ?? ""
            guard request.tools.contains(where: { $0.name == name }) else {
                throw .invalid("tool_choice: Tool '\(Excerpt.shown(name))' not found in provided tools")
            }
            request.toolChoice = .tool(name)
        default:
            throw .invalid(
                "tool_choice: Input tag '\(Excerpt.shown(type))' found using 'type' does not match any of the expected tags: "
                    + "'auto', 'any', 'tool', 'none'")
        }
    }
}

extension EnvelopeFields {
    fileprivate mutating func requiredNamed(_ name: StaticString, _ path: FieldPath) throws(Failure)
        -> String
    {
        guard let value = take(name) else { throw .missing(path / String(describing: name)) }
        guard let text = value.string else {
            throw .invalid("\(path / String(describing: name)): Input should be a valid string")
        }
        return text
    }
}

/// Tools that Anthropic defines and the client carries out. The wire has no schema for them, since the
/// models behind the real API know them by heart; other models need it told.
enum ClientTool: Sendable {
    case bash, textEditor, memory, computer

    init?(type: String) {
        let families: [(String, ClientTool)] = [
            ("bash_", .bash), ("text_editor_", .textEditor), ("memory_", .memory), ("computer_2", .computer),
        ]
        guard let family = families.first(where: { type.hasPrefix($0.0) }) else { return nil }
        self = family.1
    }

    var name: String {
        switch self {
        case .bash: "bash"
        case .textEditor: "str_replace_based_edit_tool"
        case .memory: "memory"
        case .computer: "computer"
        }
    }

    var description: StaticString {
        switch self {
        case .bash: "Run a command in a persistent bash shell."
        case .textEditor: "View, create and edit text files."
        case .memory: "Read and keep notes in files under /memories that last beyond this conversation."
        case .computer: "Use the screen, mouse and keyboard of a computer."
        }
    }

    var schema: StaticString {
        switch self {
        case .bash:
            #"{"type":"object","properties":{"command":{"type":"string","description":"The command to run."},"restart":{"type":"boolean","description":"Restart the shell instead of running a command."}}}"#
        case .textEditor:
            #"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},"path":{"type":"string","description":"Absolute path of a file or directory."},"file_text":{"type":"string","description":"For create: the content of the file."},"old_str":{"type":"string","description":"For str_replace: the text to replace; must occur exactly once."},"new_str":{"type":"string","description":"For str_replace and insert: the new text."},"insert_line":{"type":"integer","description":"For insert: the line after which the text goes; 0 is the beginning."},"insert_text":{"type":"string","description":"For insert: the text."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: first and last line; -1 is the end of the file."}},"required":["command","path"]}"#
        case .memory:
            #"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string","description":"Path under /memories."},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"}},"old_path":{"type":"string"},"new_path":{"type":"string"}},"required":["command"]}"#
        case .computer:
            #"{"type":"object","properties":{"action":{"type":"string","enum":["key","type","mouse_move","left_click","left_click_drag","right_click","middle_click","double_click","triple_click","left_mouse_down","left_mouse_up","scroll","hold_key","wait","screenshot","cursor_position","zoom"]},"coordinate":{"type":"array","items":{"type":"integer"},"description":"x and y in pixels."},"start_coordinate":{"type":"array","items":{"type":"integer"}},"text":{"type":"string"},"scroll_direction":{"type":"string","enum":["up","down","left","right"]},"scroll_amount":{"type":"integer"},"duration":{"type":"number","description":"Seconds."},"region":{"type":"array","items":{"type":"integer"}}},"required":["action"]}"#
        }
    }
}
