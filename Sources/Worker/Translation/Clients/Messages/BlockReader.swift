// From JSON to messages and their content blocks. Blocks that are not known become `unsupported` and are
// named, so that a newer client never loses its session to an older gateway.

import JSON

struct BlockReader {
    private(set) var omissions: [Omission] = []
    private(set) var pdfs: [AttachedPDF] = []
    /// What messages say about tools coming and going, in their order.
    private(set) var toolEvents: [ToolEvent] = []
    /// Tools defined inside messages, not read yet.
    private(set) var inlineTools: [InlineTool] = []
    /// Asked for by a system message of the current turn.
    private(set) var effort: Effort?
    private var count = 0
    /// Messages and blocks together; each costs some hundred bytes of memory. The API takes 100,000 messages.
    private static let limit = 200_000

    /// Messages of one request, as in the API (docs: Messages, "Create a message", `messages`). A request of
    /// more small ones would hold the worker for longer than a large body may.
    static let messageLimit = 100_000

    private mutating func countOne() throws(Failure) {
        count += 1
        guard count <= Self.limit else {
            throw .invalid("messages: at most \(Self.limit) messages and content blocks are allowed")
        }
    }

    mutating func messages(_ array: JSONNode) throws(Failure) -> [Message] {
        var messages: [Message] = []
        /// System messages that the next user message takes back.
        var transient: [Int] = []
        for (index, element) in array.elements.enumerated() {
            let path = { FieldPath("messages") / index }
            guard index < Self.messageLimit else {
                throw .invalid("messages: at most \(Self.messageLimit) messages are allowed")
            }
            try countOne()
            var fields = try EnvelopeFields(element, at: path)
            var role = try role(try fields.requiredString("role"), index)
            let eventsBefore = toolEvents.count
            let blocks = try content(&fields, role, path)
            switch role {
            // Instructions that only change the tools or the settings of a turn have no words.
            case .user where blocks.isEmpty && toolEvents.count > eventsBefore: role = .system
            case .user where blocks.contains { !$0.isToolResult }: effort = nil
            case .user, .assistant: break
            case .system: try settings(&fields, path)
            }
            let isTransient = fields.take("clear_at")?.stringEquals("next_user_message") == true
            // What is left of a message's settings and marks says nothing to a backend.
            fields.ignore("id", "type", "output_config", "cache_control")
            for name in fields.rest { omit(path() / name, "unknown field") }
            if role == .user {
                for place in transient { messages[place].blocks = [] }
                transient = []
            }
            if role == .system, isTransient { transient.append(messages.count) }
            if role == .assistant, let at = blocks.lastIndex(where: \.isSummary) {
                // What stands for earlier messages is said to the model, not by it.
                let parts = [(role, blocks[..<at]), (.user, blocks[at...at]), (role, blocks[(at + 1)...])]
                for (role, part) in parts where !part.isEmpty {
                    messages.append(Message(role: role, blocks: Array(part), index: index))
                }
            } else {
                messages.append(Message(role: role, blocks: blocks, index: index))
            }
        }
        return messages
    }

    private mutating func content(
        _ fields: inout EnvelopeFields, _ role: Message.Role, _ path: @escaping () -> FieldPath
    ) throws(Failure) -> [Block] {
        guard let content = fields.take("content") else {
            // Messages of settings only.
            if role == .system { return [] }
            throw .missing(path() / "content")
        }
        if content.isString { return content.stringRange.isEmpty ? [] : [.text(content)] }
        guard content.isArray else {
            throw .invalid("\(path() / "content"): Input should be a valid string or array")
        }
        return try blocks(content) { path() / "content" }
    }

    /// What a system message sets for its turn.
    private mutating func settings(
        _ fields: inout EnvelopeFields, _ path: @escaping () -> FieldPath
    ) throws(Failure) {
        let place = { path() / "output_config" }
        guard let node = try fields.object("output_config") else { return }
        var inner = try EnvelopeFields(node, at: place)
        if let word = try inner.string("effort")?.string {
            if let level = Effort(rawValue: word) {
                effort = level
            } else {
                omit(place() / "effort", "unknown")
            }
        }
        for name in inner.rest { omit(place() / name, "unknown field") }
    }

    private mutating func role(_ node: JSONNode, _ index: Int) throws(Failure) -> Message.Role {
        if node.stringEquals("user") { return .user }
        if node.stringEquals("assistant") { return .assistant }
        if node.stringEquals("system") { return .system }
        omit(
            FieldPath("messages") / index / "role",
            "unknown role \"\(Excerpt.shown(node.string ?? ""))\", taken as user")
        return .user
    }

    private mutating func blocks(_ array: JSONNode, _ path: @escaping () -> FieldPath) throws(Failure)
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
        _ type: String, _ fields: inout EnvelopeFields, _ node: JSONNode, _ path: @escaping () -> FieldPath
    ) throws(Failure) -> Block? {
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
        case "tool_reference":
            let name = try fields.requiredString("tool_name")
            toolEvents.append(.loaded(name.string ?? ""))
            return .toolReference(name: name)
        case "tool_addition", "tool_removal":
            try toolChange(type, &fields, path)
            return nil
        case "compaction":
            for (index, change) in (fields.take("tool_changes")?.elements).map(Array.init).orEmpty
                .enumerated()
            {
                let place = { path() / "tool_changes" / index }
                try countOne()
                var entry = try EnvelopeFields(change, at: place)
                try toolChange(try entry.requiredString("type").string ?? "", &entry, place)
            }
            guard let content = try fields.string("content"), !content.stringRange.isEmpty else { return nil }
            return .summary(content)
        // Where one model took over from another: the API renders nothing for it either.
        case "fallback": return nil
        case "mcp_tool_listing":
            omit(path(), "MCP servers are not asked from here")
            return nil
        case "container_upload": return .document(Document(source: .unreachable))
        case "browser_state": return BrowserState.told(node)
        default:
            if let block = ServerToolHistory.block(type, node) { return block }
            omit(path(), "unsupported block type \"\(Excerpt.shown(type))\"")
            return .unsupported
        }
    }

    /// `tool_addition` and `tool_removal`: a name, or a definition that stands in the message itself.
    private mutating func toolChange(
        _ type: String, _ fields: inout EnvelopeFields, _ path: @escaping () -> FieldPath
    ) throws(Failure) {
        let place = { path() / "tool" }
        guard let node = try fields.object("tool") else { throw .missing(place()) }
        var tool = try EnvelopeFields(node, at: place)
        let kind = try tool.requiredString("type")
        if kind.stringEquals("tool_reference") {
            let name = try tool.requiredString("name").string ?? ""
            toolEvents.append(type == "tool_removal" ? .removed(name) : .added(name))
        } else if kind.stringEquals("tool_definition"), type == "tool_addition" {
            guard let definition = try tool.object("definition") else {
                throw .missing(place() / "definition")
            }
            inlineTools.append(InlineTool(definition: definition, path: place() / "definition"))
            toolEvents.append(.defined(inlineTools.count - 1))
        } else if type == "tool_addition" {
            omit(place(), "\(Excerpt.shown(kind.string ?? "")) is not available here")
        }
    }

    private mutating func image(_ fields: inout EnvelopeFields, _ path: @escaping () -> FieldPath)
        throws(Failure)
        -> ImageSource
    {
        guard let node = try fields.object("source") else { throw .missing(path() / "image" / "source") }
        let place = { path() / "image" / "source" }
        var source = try EnvelopeFields(node, at: place)
        let type = try source.requiredString("type")
        if type.stringEquals("base64") {
            let mediaType = try source.string("media_type")
            return .base64(mediaType: mediaType, data: TextSlice(try source.requiredString("data")))
        }
        if type.stringEquals("url") { return .url(try source.requiredString("url")) }
        return .unreachable
    }

    private mutating func document(_ fields: inout EnvelopeFields, _ path: @escaping () -> FieldPath)
        throws(Failure) -> Block
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
            let data = try source.requiredString("data")
            pdfs.append(AttachedPDF(data: TextSlice(data)))
            return .document(Document(source: .pdf(pdfs.count - 1), title: title))
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

    private mutating func toolUse(_ fields: inout EnvelopeFields, _ path: @escaping () -> FieldPath)
        throws(Failure)
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

    private mutating func toolResult(_ fields: inout EnvelopeFields, _ path: @escaping () -> FieldPath)
        throws(Failure) -> ToolResult
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

    private mutating func omit(_ path: FieldPath, _ reason: String) {
        guard omissions.count < 64 else { return }
        omissions.append(Omission(path: path.description, reason: reason))
    }
}

extension Block {
    fileprivate var isSummary: Bool {
        if case .summary = self { true } else { false }
    }

    fileprivate var isToolResult: Bool {
        if case .toolResult = self { true } else { false }
    }
}
