// The gateway's own answers as the client's bytes, streamed or not: the same blocks either way.

import JSON

extension LocalAnswer {
    /// The whole body: SSE events when `streaming`, else one JSON message.
    public func body(messageID: String, model: String, streaming: Bool, inputTokens: Int) -> [UInt8] {
        streaming ? events(messageID, model, inputTokens) : message(messageID, model, inputTokens)
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

    private func message(_ messageID: String, _ model: String, _ inputTokens: Int) -> [UInt8] {
        var writer = JSONWriter(capacity: 1024)
        writeMessage(messageID, model, inputTokens, stopReason, &writer) { writer in
            for block in blocks(messageID) { Self.write(block, isComplete: true, &writer) }
        }
        return writer.bytes
    }

    private func writeMessage(
        _ id: String, _ model: String, _ inputTokens: Int, _ stopReason: StaticString?,
        _ writer: inout JSONWriter, content: (inout JSONWriter) -> Void
    ) {
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
        content(&writer)
        writer.endArray()
        writeStop(stopReason, &writer)
        writeUsage(inputTokens, &writer)
        writer.endObject()
    }

    private func writeStop(_ reason: StaticString?, _ writer: inout JSONWriter) {
        writer.name("stop_reason")
        if let reason { writer.value(TextRope(reason)) } else { writer.null() }
        writer.name("stop_sequence")
        writer.null()
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

    private static func write(_ block: Block, isComplete: Bool, _ writer: inout JSONWriter) {
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
            if isComplete { writeInput(query, &writer) } else { writer.raw("{}") }
        case .failure(let id):
            writer.value("web_search_tool_result")
            writer.name("tool_use_id")
            writer.value(id)
            writer.name("content")
            writer.raw(#"{"type":"web_search_tool_result_error","error_code":"unavailable"}"#)
        case .text(let text):
            writer.value("text")
            writer.name("text")
            writer.value(isComplete ? text : "")
        }
        writer.endObject()
    }

    private static func writeInput(_ query: String, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("query")
        writer.value(query)
        writer.endObject()
    }

    private func events(_ messageID: String, _ model: String, _ inputTokens: Int) -> [UInt8] {
        var out: [UInt8] = []
        Self.event("message_start", nil, &out) { writer in
            writer.name("message")
            writeMessage(messageID, model, inputTokens, nil, &writer) { _ in }
        }
        for (index, block) in blocks(messageID).enumerated() {
            Self.event("content_block_start", index, &out) { writer in
                writer.name("content_block")
                Self.write(block, isComplete: false, &writer)
            }
            Self.delta(block, index, &out)
            Self.event("content_block_stop", index, &out) { _ in }
        }
        Self.event("message_delta", nil, &out) { writer in
            writer.name("delta")
            writer.beginObject()
            writeStop(stopReason, &writer)
            writer.endObject()
            writeUsage(inputTokens, &writer)
        }
        Self.event("message_stop", nil, &out) { _ in }
        return out
    }

    private static func delta(_ block: Block, _ index: Int, _ out: inout [UInt8]) {
        let delta: (type: StaticString, name: StaticString, text: [UInt8])
        switch block {
        case .search(_, let query):
            var input = JSONWriter()
            writeInput(query, &input)
            delta = ("input_json_delta", "partial_json", input.bytes)
        case .text(let text): delta = ("text_delta", "text", Array(text.utf8))
        case .failure: return
        }
        event("content_block_delta", index, &out) { writer in
            writer.name("delta")
            writer.beginObject()
            writer.name("type")
            writer.value(TextRope(delta.type))
            writer.name(delta.name)
            writer.string { $0.appendJSONEscaped(delta.text[...]) }
            writer.endObject()
        }
    }

    private static func event(
        _ name: StaticString, _ index: Int?, _ out: inout [UInt8], members: (inout JSONWriter) -> Void
    ) {
        out.append(ascii: "event: ")
        out.append(ascii: name)
        out.append(ascii: "\ndata: ")
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        writer.name("type")
        writer.value(TextRope(name))
        if let index {
            writer.name("index")
            writer.value(index)
        }
        members(&writer)
        writer.endObject()
        out += writer.bytes
        out.append(ascii: "\n\n")
    }
}
