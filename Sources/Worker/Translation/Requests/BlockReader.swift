// From JSON to messages and their content blocks. Blocks that are not known become `unsupported` and are
// named, so that a newer client never loses its session to an older gateway.

import JSON

struct BlockReader {
    private(set) var omissions: [Omission] = []
    private var count = 0
    /// Messages and blocks together; each costs some hundred bytes of memory. The API takes 100,000 messages.
    private static let limit = 200_000

    private mutating func countOne() throws(ClientError) {
        count += 1
        guard count <= Self.limit else {
            throw .invalid("messages: at most \(Self.limit) messages and content blocks are allowed")
        }
    }

    mutating func messages(_ array: JSONNode) throws(ClientError) -> [Message] {
        var messages: [Message] = []
        for (index, element) in array.elements.enumerated() {
            let path = { Path("messages") / index }
            try countOne()
            var fields = try EnvelopeFields(element, at: path)
            let role = try role(try fields.requiredString("role"), index)
            guard let content = fields.take("content") else { throw .missing(path() / "content") }
            var blocks: [Block] = []
            if content.isString {
                if !content.stringRange.isEmpty { blocks.append(.text(content)) }
            } else {
                guard content.isArray else {
                    throw .invalid("\(path() / "content"): Input should be a valid string or array")
                }
                blocks = try self.blocks(content) { path() / "content" }
            }
            // A message's own settings and marks say nothing to a backend.
            fields.ignore("id", "type", "output_config", "cache_control")
            for name in fields.rest { omit(path() / name, "unknown field") }
            messages.append(Message(role: role, blocks: blocks, index: index))
        }
        return messages
    }

    private mutating func role(_ node: JSONNode, _ index: Int) throws(ClientError) -> Message.Role {
        if node.stringEquals("user") { return .user }
        if node.stringEquals("assistant") { return .assistant }
        if node.stringEquals("system") { return .system }
        omit(
            Path("messages") / index / "role",
            "unknown role \"\(Quoted.shown(node.string ?? ""))\", taken as user")
        return .user
    }

    private mutating func blocks(_ array: JSONNode, _ path: @escaping () -> Path) throws(ClientError)
        -> [Block]
    {
        var blocks: [Block] = []
        for (index, element) in array.elements.enumerated() {
            try countOne()
            // A bare string in a list of blocks is meant as text.
            if element.isString {
                if !element.stringRange.isEmpty { blocks.append(.text(element)) }
                continue
            }
            let place = { path() / index }
            var fields = try EnvelopeFields(element, at: place)
            let type = try fields.requiredString("type").string ?? ""
            if let block = try block(type, &fields, element, place) { blocks.append(block) }
        }
        return blocks
    }

    /// nil for a text without text.
    private mutating func block(
        _ type: String, _ fields: inout EnvelopeFields, _ node: JSONNode, _ path: @escaping () -> Path
    ) throws(ClientError) -> Block? {
        switch type {
        case "text":
            let text = try fields.requiredString("text")
            return text.stringRange.isEmpty ? nil : .text(text)
        case "image": return .image(try image(&fields, path))
        case "document": return try document(&fields, path)
        case "search_result":
            let texts = fields.take("content").map(Self.texts).orEmpty
            return .searchResult(
                title: try fields.string("title"), source: try fields.string("source"), content: texts)
        case "thinking":
            let text = try fields.string("thinking")
            return .thinking(
                text?.stringRange.isEmpty == false ? text : nil, signature: try fields.string("signature"))
        case "redacted_thinking": return .redactedThinking
        case "tool_use": return .toolUse(try toolUse(&fields, path))
        case "tool_result": return .toolResult(try toolResult(&fields, path))
        case "tool_reference": return .toolReference(name: try fields.requiredString("tool_name"))
        case "compaction":
            guard let content = try fields.string("content"), !content.stringRange.isEmpty else { return nil }
            return .summary(content)
        default:
            if let block = ServerToolHistory.block(type, node) { return block }
            omit(path(), "unsupported block type \"\(Quoted.shown(type))\"")
            return .unsupported
        }
    }

    private mutating func image(_ fields: inout EnvelopeFields, _ path: @escaping () -> Path)
        throws(ClientError)
        -> ImageSource
    {
        guard let node = try fields.object("source") else { throw .missing(path() / "image" / "source") }
        let place = { path() / "image" / "source" }
        var source = try EnvelopeFields(node, at: place)
        let type = try source.requiredString("type")
        if type.stringEquals("base64") {
            let mediaType = try source.string("media_type")
            return .base64(mediaType: mediaType, data: try source.requiredString("data"))
        }
        if type.stringEquals("url") { return .url(try source.requiredString("url")) }
        return .unreachable
    }

    private mutating func document(_ fields: inout EnvelopeFields, _ path: @escaping () -> Path)
        throws(ClientError) -> Block
    {
        guard let node = try fields.object("source") else { throw .missing(path() / "document" / "source") }
        let title = try fields.string("title")
        let place = { path() / "document" / "source" }
        var source = try EnvelopeFields(node, at: place)
        let type = try source.requiredString("type")
        if type.stringEquals("text") {
            return .document(Document(source: .text([try source.requiredString("data")]), title: title))
        }
        if type.stringEquals("base64") {
            return .document(Document(source: .pdf(data: try source.requiredString("data")), title: title))
        }
        if type.stringEquals("content"), let content = source.take("content") {
            var document = Document(source: .text(Self.texts(content)), title: title)
            for element in content.elements where element["type"]?.stringEquals("image") == true {
                var image = try EnvelopeFields(element, at: place)
                document.images.append(try self.image(&image, place))
            }
            return .document(document)
        }
        return .document(Document(source: .unreachable, title: title))
    }

    private mutating func toolUse(_ fields: inout EnvelopeFields, _ path: @escaping () -> Path)
        throws(ClientError)
        -> ToolUse
    {
        let id = try fields.requiredString("id").string ?? ""
        let name = try fields.requiredString("name").string ?? ""
        let input = fields.take("input")
        guard input?.isObject != false else {
            throw .invalid("\(path() / "tool_use" / "input"): Input should be a valid dictionary")
        }
        return ToolUse(id: id, name: name, input: input)
    }

    private mutating func toolResult(_ fields: inout EnvelopeFields, _ path: @escaping () -> Path)
        throws(ClientError) -> ToolResult
    {
        let id = try fields.requiredString("tool_use_id").string ?? ""
        let isError = try fields.bool("is_error") ?? false
        var result = ToolResult(id: id, blocks: [], isError: isError)
        guard let content = fields.take("content") else { return result }
        if content.isString {
            if !content.stringRange.isEmpty { result.blocks = [.text(content)] }
            return result
        }
        guard content.isArray else {
            throw .invalid("\(path() / "tool_result" / "content"): Input should be a valid string or array")
        }
        result.blocks = try blocks(content) { path() / "tool_result" / "content" }
        return result
    }

    /// The texts of a string or of a list of blocks.
    static func texts(_ content: JSONNode) -> [JSONNode] {
        if content.isString { return content.stringRange.isEmpty ? [] : [content] }
        return content.elements.compactMap { element in
            let text = element.isString ? element : element["text"]
            return text?.stringRange.isEmpty == false ? text : nil
        }
    }

    private mutating func omit(_ path: Path, _ reason: String) {
        guard omissions.count < 64 else { return }
        omissions.append(Omission(path: path.description, reason: reason))
    }
}

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
        case "fallback", "tool_addition", "tool_removal", "mcp_tool_listing", "browser_state",
            "container_upload":
            return nil
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
            if let data = inner["source"]?["data"], inner["source"]?["type"]?.stringEquals("text") == true {
                line.append(data)
            }
            return line.isEmpty ? nil : line
        }
    }
}
