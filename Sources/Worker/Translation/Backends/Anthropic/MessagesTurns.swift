// The conversation in the words of the Messages API: users and assistants by turns, a user first, no blank
// texts.

import JSON

extension MessagesWriter {
    /// What the first message of all says when the client's is an assistant's.
    private static let opening = "[The conversation begins with the assistant.]"
    /// What stands for a last message of the user's that says nothing.
    private static let silence = "[empty message]"

    /// Users and assistants by turns; instructions go into what the user says, as reminders.
    mutating func turns() throws(Failure) -> [Message] {
        var turns: [Message] = []
        for var message in speakingMessages() {
            if message.role == .system {
                message.role = .user
                message.blocks = [.text(JSONNode(text: Self.reminder(message.blocks)))]
            }
            let index = message.index
            if message.blocks.contains(where: \.isUnsaid) {
                message.blocks.removeAll { isLeftOut($0, index) }
            }
            guard !message.isEmpty else { continue }
            if turns.last?.role == message.role {
                turns[turns.count - 1].blocks += message.blocks
            } else {
                turns.append(message)
            }
        }
        guard let first = turns.first else { throw request.vocabulary.emptyConversation }
        if first.role == .assistant {
            turns.insert(Message(role: .user, blocks: [.text(JSONNode(text: Self.opening))], index: 0), at: 0)
        }
        return turns
    }

    /// The messages; without the user's last word the model would go on with its own.
    private func speakingMessages() -> [Message] {
        var messages = request.messages
        // Results stand before what was said in their place: where they came after it, they are the last
        // word.
        if let last = messages.last, last.role == .user, last.blocks.allSatisfy(\.isBlank),
            messages.allSatisfy({ $0.index <= last.index })
        {
            messages[messages.count - 1].blocks = [.text(JSONNode(text: Self.silence))]
        }
        return messages
    }

    private mutating func isLeftOut(_ block: Block, _ message: Int) -> Bool {
        if case .thinking = block, block.isUnsaid {
            omit(.reasoning(message: message), "reasoning is taken back only with its signature")
        }
        return block.isUnsaid
    }

    private static func reminder(_ blocks: [Block]) -> String {
        let texts = blocks.compactMap { if case .text(let node) = $0 { node.string } else { nil } }
        return "<system-reminder>\n\(texts.joined(separator: "\n\n"))\n</system-reminder>"
    }

    // MARK: Writing

    mutating func write(_ turn: Message, isLast: Bool) {
        writer.beginObject()
        writer.name("role")
        writer.value(turn.role == .assistant ? "assistant" : "user")
        writer.name("content")
        writer.beginArray()
        for (index, block) in turn.blocks.enumerated() {
            // The API refuses an answer to be continued that ends in white space.
            let isEnd = isLast && turn.role == .assistant && index == turn.blocks.count - 1
            if isEnd, case .text(let node) = block {
                write(text: JSONNode(text: Self.trimmed(node)))
            } else {
                write(block, turn, index)
            }
        }
        writer.endArray()
        writer.endObject()
    }

    mutating func write(text node: JSONNode) {
        begin("text")
        writer.name("text")
        writer.raw(node)
        writer.endObject()
    }

    private mutating func begin(_ type: StaticString) {
        writer.beginObject()
        writer.name("type")
        writer.value(TextRope(type))
    }

    private mutating func write(_ block: Block, _ turn: Message, _ index: Int) {
        switch block {
        case .text(let node): write(text: node)
        case .thinking(let text, let signature):
            begin("thinking")
            writer.name("thinking")
            if let text { writer.raw(text) } else { writer.value("") }
            if let signature {
                writer.name("signature")
                writer.raw(signature)
            }
            writer.endObject()
        case .image(.base64(let mediaType, let data)):
            begin("image")
            writer.name("source")
            writeSource(mediaType, data)
            writer.endObject()
        case .image(.url(let url)):
            begin("image")
            writer.name("source")
            begin("url")
            writer.name("url")
            writer.raw(url)
            writer.endObject()
            writer.endObject()
        case .document(let document): write(document, turn, index)
        case .toolUse(let call):
            begin("tool_use")
            writer.name("id")
            writer.value(call.id)
            writer.name("name")
            writer.value(call.name)
            writer.name("input")
            if let input = call.input { writer.raw(input) } else { writer.raw("{}") }
            writer.endObject()
        case .toolResult(let result): write(result, turn, index)
        case .image(.unreachable), .searchResult, .redactedThinking, .toolReference, .serverTool, .summary,
            .unsupported:
            tell(block, turn, index)
        }
    }

    private mutating func write(_ document: Document, _ turn: Message, _ index: Int) {
        guard case .pdf(let number) = document.source, request.pdfs.indices.contains(number) else {
            return tell(.document(document), turn, index)
        }
        begin("document")
        if let title = document.title {
            writer.name("title")
            writer.raw(title)
        }
        writer.name("source")
        begin("base64")
        writer.name("media_type")
        writer.value("application/pdf")
        writer.name("data")
        writer.value(TextRope(request.pdfs[number].data))
        writer.endObject()
        writer.endObject()
    }

    private mutating func write(_ result: ToolResult, _ turn: Message, _ index: Int) {
        begin("tool_result")
        defer { writer.endObject() }
        writer.name("tool_use_id")
        writer.value(result.id)
        if result.isError {
            writer.name("is_error")
            writer.value(true)
        }
        guard !result.blocks.isEmpty else { return }
        writer.name("content")
        // A text of ours stays a block, as it is in prompts that were cached.
        if result.blocks.count == 1, case .text(let node)? = result.blocks.first, !node.isRoot {
            return writer.raw(node)
        }
        writer.beginArray()
        for block in result.blocks { write(block, turn, index) }
        writer.endArray()
    }

    /// As text, what clients of other APIs have no block for.
    private mutating func tell(_ block: Block, _ turn: Message, _ index: Int) {
        for case .text(let text) in conversion.parts(block, turn, index) {
            begin("text")
            writer.name("text")
            writer.value(text)
            writer.endObject()
        }
    }

    private mutating func writeSource(_ mediaType: JSONNode?, _ data: TextSlice) {
        begin("base64")
        writer.name("media_type")
        if let mediaType { writer.raw(mediaType) } else { writer.value("image/png") }
        writer.name("data")
        writer.value(TextRope(data))
        writer.endObject()
    }

    private static func trimmed(_ node: JSONNode) -> String {
        var text = (node.string ?? "")[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

extension Block {
    /// What the API would refuse: blank texts, and reasoning without its signature.
    fileprivate var isUnsaid: Bool {
        switch self {
        case .text: isBlank
        case .thinking(_, let signature): signature?.stringRange.isEmpty != false
        case .redactedThinking: true
        default: false
        }
    }

    /// A text of nothing but white space.
    fileprivate var isBlank: Bool {
        guard case .text(let node) = self else { return false }
        // Nearly always the first byte tells.
        if let first = node.stringRaw.first, first > UInt8(ascii: " "), first < 0x80,
            first != UInt8(ascii: "\\")
        {
            return false
        }
        return node.string?.allSatisfy(\.isWhitespace) ?? true
    }
}
