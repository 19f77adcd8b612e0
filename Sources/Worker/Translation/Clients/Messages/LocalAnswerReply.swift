// The gateway's own answers as the client's bytes. A stream is made of the same message.

import JSON

extension LocalAnswer {
    /// The whole body: SSE events when `streaming`, else one JSON message.
    public func body(messageID: String, model: String, streaming: Bool, inputTokens: Int) -> [UInt8] {
        let message = message(messageID, model, inputTokens)
        guard streaming, let root = (try? JSONDocument(parsing: message))?.root else { return message }
        var events: [UInt8] = []
        MessageEvents.append(root, model: model, to: &events)
        return events
    }

    private enum Block {
        case search(id: String, query: String)
        case failure(id: String)
        case text(String)
    }

    private func blocks(_ messageID: String) -> [Block] {
        guard case .webSearchUnavailable(let query) = self else { return [] }
        let id = "srvtoolu_" + messageID.drop { $0 != "_" }.dropFirst()
        return [
            .search(id: id, query: query), .failure(id: id),
            .text("Web search is not available here: no search was made and there are no results."),
        ]
    }

    private var stopReason: StaticString {
        switch self {
        case .nothing: "max_tokens"
        case .webSearchUnavailable: "end_turn"
        }
    }

    private func message(_ id: String, _ model: String, _ inputTokens: Int) -> [UInt8] {
        var writer = JSONWriter(capacity: 1024)
        writer.beginObject()
        writer.name("id")
        writer.value(id)
        writer.name("type")
        writer.value("message")
        writer.name("role")
        writer.value("assistant")
        writer.name("model")
        writer.value(model)
        writer.name("content")
        writer.beginArray()
        for block in blocks(id) { Self.write(block, &writer) }
        writer.endArray()
        writer.name("stop_reason")
        writer.value(TextRope(stopReason))
        writer.name("stop_sequence")
        writer.null()
        writeUsage(inputTokens, &writer)
        writer.endObject()
        return writer.bytes
    }

    private func writeUsage(_ inputTokens: Int, _ writer: inout JSONWriter) {
        writer.name("usage")
        writer.beginObject()
        writer.name("input_tokens")
        writer.value(inputTokens)
        writer.name("cache_creation_input_tokens")
        writer.value(0)
        writer.name("cache_read_input_tokens")
        writer.value(0)
        writer.name("output_tokens")
        writer.value(0)
        writer.endObject()
    }

    private static func write(_ block: Block, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("type")
        switch block {
        case .search(let id, let query):
            writer.value("server_tool_use")
            writer.name("id")
            writer.value(id)
            writer.name("name")
            writer.value("web_search")
            writer.name("input")
            writer.beginObject()
            writer.name("query")
            writer.value(query)
            writer.endObject()
        case .failure(let id):
            writer.value("web_search_tool_result")
            writer.name("tool_use_id")
            writer.value(id)
            writer.name("content")
            writer.raw(#"{"type":"web_search_tool_result_error","error_code":"unavailable"}"#)
        case .text(let text):
            writer.value("text")
            writer.name("text")
            writer.value(text)
        }
        writer.endObject()
    }
}
