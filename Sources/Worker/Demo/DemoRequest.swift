// What the demo reads of a request: the end of the conversation and the tools. Lenient; what it does not
// understand it passes over, since the request itself was judged before.

internal import JSON
internal import Translation

struct DemoRequest: Sendable, Equatable {
    struct Tool: Sendable, Equatable {
        var name: String
        /// Required arguments with a sample value each, as one JSON object.
        var sample: String
    }

    /// What the last message says, its last text block.
    var lastText = ""
    /// Set when the last message answers tool calls: the first result's text.
    var toolResult: String?
    var tools: [Tool] = []
    /// `tool_choice` leaves no way but a call: of this tool, or of any (nil).
    var forced: DemoWish.Call?
    var maxTokens: Int?
    var stopSequences: [String] = []

    /// Longest text that is looked at or repeated, in characters.
    static let longestText = 2000
    private static let longestSample = 20

    /// - Parameter api: in whose words the body is.
    init(_ body: [UInt8], _ api: ClientAPI) {
        let root: JSONNode
        do throws(JSONError) {
            root = try JSONDocument(parsing: body).root
        } catch {
            return
        }
        maxTokens = root["max_completion_tokens"]?.int ?? root["max_tokens"]?.int
        let stops = root["stop_sequences"] ?? root["stop"]
        stopSequences = (stops?.string.map { [$0] } ?? stops?.elements.compactMap(\.string) ?? [])
            .filter { !$0.isEmpty }
        tools = root["tools"]?.elements.compactMap(Self.tool) ?? []
        switch api {
        case .messages: readMessages(root)
        case .chat: readChat(root)
        }
    }

    private mutating func readMessages(_ root: JSONNode) {
        let choice = root["tool_choice"]
        switch choice?["type"]?.string {
        case "any": forced = DemoWish.Call(name: nil, arguments: nil)
        case "tool": forced = DemoWish.Call(name: choice?["name"]?.string, arguments: nil)
        default: break
        }
        var last: JSONNode?
        for message in messages(root) where message["role"]?.stringEquals("user") == true { last = message }
        read(last?["content"])
    }

    private mutating func readChat(_ root: JSONNode) {
        let choice = root["tool_choice"]
        if choice?.stringEquals("required") == true {
            forced = DemoWish.Call(name: nil, arguments: nil)
        } else if let name = choice?["function"]?["name"]?.string {
            forced = DemoWish.Call(name: name, arguments: nil)
        }
        for message in messages(root) {
            switch message["role"]?.string {
            case "user":
                (lastText, toolResult) = ("", nil)
                read(message["content"])
            case "tool" where toolResult == nil: toolResult = Self.text(of: message["content"])
            case "assistant": toolResult = nil
            default: break
            }
        }
    }

    private func messages(_ root: JSONNode) -> [JSONNode] {
        root["messages"].map { Array($0.elements) } ?? []
    }

    private mutating func read(_ content: JSONNode?) {
        guard let content else { return }
        if let text = content.string {
            lastText = String(text.prefix(Self.longestText))
            return
        }
        for block in content.elements {
            if let text = block["text"]?.string {
                lastText = String(text.prefix(Self.longestText))
            } else if block["type"]?.stringEquals("tool_result") == true, toolResult == nil {
                toolResult = Self.text(of: block["content"])
            }
        }
    }

    private static func text(of content: JSONNode?) -> String {
        let text =
            content?.string ?? content?.elements.compactMap { $0["text"]?.string }.joined(separator: "\n")
        return String((text ?? "").prefix(longestText))
    }

    /// Tools that the client executes; those of the API's own side have no schema.
    private static func tool(_ node: JSONNode) -> Tool? {
        let function = node["function"]
        guard let name = (function ?? node)["name"]?.string,
            let schema = function.map({ $0["parameters"] ?? $0 }) ?? node["input_schema"]
        else { return nil }
        var writer = JSONWriter()
        writer.beginObject()
        for required in (schema["required"]?.elements.prefix(longestSample)).map(Array.init) ?? [] {
            guard let key = required.string else { continue }
            let property = schema["properties"]?.members.first { $0.name.string == key }?.value
            writer.name(key)
            sample(of: property, key, &writer)
        }
        writer.endObject()
        return Tool(name: name, sample: String(decoding: writer.bytes, as: UTF8.self))
    }

    private static func sample(of property: JSONNode?, _ key: String, _ writer: inout JSONWriter) {
        if let choice = property?["enum"]?.first { return writer.raw(choice) }
        switch property?["type"]?.string {
        case "integer", "number": writer.value(1)
        case "boolean": writer.value(false)
        case "array": writer.raw("[]")
        case "object": writer.raw("{}")
        case "null": writer.null()
        default: writer.value(key == "command" ? "echo 'called by the demo'" : "demo")
        }
    }
}
