// What a request comes down to, for answers that no model gives: the end of the conversation and the tools.
// Read leniently: the request itself was judged before, and what is not understood is passed over.

public import JSON

public struct RequestOutline: Sendable {
    public struct Tool: Sendable {
        public var name: String
        public var schema: JSONNode
    }

    /// `tool_choice` leaves no way but a call.
    public enum ForcedCall: Sendable {
        case any
        case tool(String)

        /// - Parameter name: nil = any.
        init(_ name: String?) { self = name.map(Self.tool) ?? .any }
    }

    /// What the last message says, its last text block.
    public var lastText = ""
    /// Set when the last message answers tool calls: the first result's text.
    public var toolResult: String?
    public var tools: [Tool] = []
    public var forcedCall: ForcedCall?
    public var maxTokens: Int?
    public var stopSequences: [String] = []

    /// Longest text that is kept, in characters.
    public static let longestText = 2000

    init() {}

    /// What stands beside the conversation, under any name that an API has for it.
    init(_ root: JSONNode) {
        maxTokens = root["max_completion_tokens"]?.int ?? root["max_tokens"]?.int
        let stops = root["stop_sequences"] ?? root["stop"]
        stopSequences = (stops?.string.map { [$0] } ?? stops?.elements.compactMap(\.string) ?? [])
            .filter { !$0.isEmpty }
        tools = root["tools"]?.elements.compactMap(Self.tool) ?? []
    }

    /// Takes over the texts of one message.
    mutating func read(_ content: JSONNode?) {
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

    static func text(of content: JSONNode?) -> String {
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
        return Tool(name: name, schema: schema)
    }
}
