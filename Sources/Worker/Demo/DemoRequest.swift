// What the demo makes of a request: the end of the conversation, and a sample for each argument of a tool.

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

    private static let longestSample = 20

    /// - Parameter api: in whose words the body is.
    init(_ body: [UInt8], _ api: ClientAPI) {
        let root: JSONNode
        do throws(JSONError) {
            root = try JSONDocument(parsing: body).root
        } catch {
            return
        }
        let outline = api.outline(of: root)
        lastText = outline.lastText
        toolResult = outline.toolResult
        tools = outline.tools.map(Self.tool)
        maxTokens = outline.maxTokens
        stopSequences = outline.stopSequences
        switch outline.forcedCall {
        case .any: forced = DemoWish.Call(name: nil, arguments: nil)
        case .tool(let name): forced = DemoWish.Call(name: name, arguments: nil)
        case nil: break
        }
    }

    private static func tool(_ tool: RequestOutline.Tool) -> Tool {
        let schema = tool.schema
        var writer = JSONWriter()
        writer.beginObject()
        for required in (schema["required"]?.elements.prefix(longestSample)).map(Array.init) ?? [] {
            guard let key = required.string else { continue }
            let property = schema["properties"]?.members.first { $0.name.string == key }?.value
            writer.name(key)
            sample(of: property, key, &writer)
        }
        writer.endObject()
        return Tool(name: tool.name, sample: String(decoding: writer.bytes, as: UTF8.self))
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
