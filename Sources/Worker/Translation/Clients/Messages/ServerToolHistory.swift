// Tools that ran elsewhere, as text: backends know no such blocks.

import JSON

/// Blocks about tools that ran on Anthropic's servers in an earlier turn. Backends know no such tools: what
/// happened is told as text, so that no call is left without its result.
enum ServerToolHistory {
    static func block(_ type: String, _ node: JSONNode) -> Block? {
        switch type {
        case "server_tool_use", "mcp_tool_use":
            let name = node["name"]?.string ?? "tool"
            return .serverTool(label: name, input: node["input"], lines: [])
        case "mcp_tool_result":
            return .serverTool(
                label: "tool result", input: nil,
                lines: node["content"].map { BlockReader.texts($0).map { [$0] } }.orEmpty)
        default:
            guard type.hasSuffix("_tool_result") else { return nil }
            let label = String(type.dropLast("_tool_result".count)) + " result"
            return .serverTool(label: label, input: nil, lines: lines(node["content"]))
        }
    }

    /// What a person would read of a result: titles, addresses, texts, outputs, error codes.
    private static func lines(_ content: JSONNode?) -> [[JSONNode]] {
        guard let content else { return [] }
        let items = content.isArray ? Array(content.elements) : [content]
        return items.compactMap { item in
            let inner = item["content"] ?? item
            let keys: [StaticString] = [
                "title", "url", "text", "stdout", "stderr", "error_code", "tool_name",
            ]
            var line = keys.compactMap { inner[$0] ?? item[$0] }.filter { !$0.stringRange.isEmpty }
            // What a search for tools found.
            line += (inner["tool_references"]?.elements).map { $0.compactMap { $0["tool_name"] } } ?? []
            if let data = inner["source"]?["data"], inner["source"]?["type"]?.stringEquals("text") == true {
                line.append(data)
            }
            return line.isEmpty ? nil : line
        }
    }
}
