// The turns of a chat as messages and content blocks of the Messages API.

import JSON

extension ChatMessagesBody {
    mutating func write(_ turn: ChatTurn, isLast: Bool) {
        writer.beginObject()
        writer.name("role")
        switch turn.role {
        case .user: writer.value("user")
        case .assistant: writer.value("assistant")
        case .system: writer.value("system")
        }
        writer.name("content")
        writer.beginArray()
        for (index, block) in turn.blocks.enumerated() {
            // The API refuses an answer to be continued that ends in white space.
            let isEnd = isStrict && isLast && turn.role == .assistant && index == turn.blocks.count - 1
            write(block, trimmed: isEnd)
        }
        writer.endArray()
        writer.endObject()
    }

    mutating func write(_ block: ChatBlock, trimmed: Bool = false) {
        writer.beginObject()
        defer { writer.endObject() }
        writer.name("type")
        switch block {
        case .text(let text):
            writer.value("text")
            writer.name("text")
            switch text {
            case .received(let node) where trimmed: writer.value(Self.trimmed(node))
            case .received(let node): writer.raw(node)
            case .words(let words): writer.value(words)
            }
        case .thinking(let text):
            writer.value("thinking")
            writer.name("thinking")
            writer.raw(text)
            writer.name("signature")
            writer.value("")
        case .image(let image):
            writer.value("image")
            writer.name("source")
            write(image)
        case .pdf(let data, let name):
            writer.value("document")
            if let name {
                writer.name("title")
                writer.raw(name)
            }
            writer.name("source")
            writeSource("application/pdf", data)
        case .call(let id, let name, let input):
            writer.value("tool_use")
            writer.name("id")
            writer.value(id)
            writer.name("name")
            writer.value(name)
            writer.name("input")
            writer.raw(input[...])
        case .result(let id, let blocks):
            writer.value("tool_result")
            writer.name("tool_use_id")
            writer.value(id)
            guard !blocks.isEmpty else { return }
            writer.name("content")
            if blocks.count == 1, case .text(.received(let node))? = blocks.first { return writer.raw(node) }
            writer.beginArray()
            for block in blocks { write(block) }
            writer.endArray()
        }
    }

    private mutating func write(_ image: ChatImage) {
        switch image {
        case .base64(let mediaType, let data): writeSource(mediaType, data)
        case .url(let url):
            writer.beginObject()
            writer.name("type")
            writer.value("url")
            writer.name("url")
            writer.raw(url)
            writer.endObject()
        }
    }

    private mutating func writeSource(_ mediaType: String, _ data: ArraySlice<UInt8>) {
        writer.beginObject()
        writer.name("type")
        writer.value("base64")
        writer.name("media_type")
        writer.value(mediaType)
        writer.name("data")
        writer.string { $0.append(contentsOf: data) }
        writer.endObject()
    }

    private static func trimmed(_ node: JSONNode) -> String {
        var text = (node.string ?? "")[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
