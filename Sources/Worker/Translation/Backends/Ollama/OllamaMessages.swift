// The conversation in the words of Ollama's /api/chat: every content is one string, images stand beside it,
// arguments are objects, results name their tool.

import JSON

extension OllamaRequest {
    mutating func writeMessage(_ role: StaticString, _ content: TextRope) {
        beginMessage(role, content)
        writer.endObject()
    }

    private mutating func beginMessage(_ role: StaticString, _ content: TextRope) {
        writer.beginObject()
        writer.name("role")
        writer.value(TextRope(role))
        writer.name("content")
        writer.value(content)
    }

    mutating func write(_ message: UpstreamMessage) {
        switch message {
        case .system(let text): writeMessage("system", text)
        case .user(let parts):
            var text = TextRope()
            var images: [TextSlice] = []
            for part in parts { gather(part, &text, &images) }
            beginMessage("user", text)
            write(images)
            writer.endObject()
        case .assistant(let turn): write(turn)
        case .tool(let call, let text, let pictures): write(resultOf: call, text, pictures)
        }
    }

    /// All texts as one; what is not text, apart.
    private mutating func gather(_ part: ContentPart, _ text: inout TextRope, _ images: inout [TextSlice]) {
        switch part {
        case .text(let more): text.add(more, boundary: "\n\n")
        case .image(let source):
            if let data = Self.data(of: source) { return images.append(data) }
            builder.omit(.messages, "an image's address holds no base64 data")
            text.add(
                TextRope("[image omitted: its address holds no base64 data]" as StaticString),
                boundary: "\n\n")
        case .pdf: break
        }
    }

    /// The base64 text alone, also of a `data:` address (RFC 2397).
    private static func data(of source: ImageSource) -> TextSlice? {
        switch source {
        case .base64(_, let data): return data
        case .url(let address):
            var slice = TextSlice(address)
            let mark = Array(";base64,".utf8)
            guard let comma = slice.bytes.firstIndex(of: UInt8(ascii: ",")),
                slice.bytes[...comma].suffix(mark.count).elementsEqual(mark)
            else { return nil }
            slice.range = comma + 1..<slice.range.upperBound
            return slice.isEmpty ? nil : slice
        case .unreachable: return nil
        }
    }

    private mutating func write(_ images: [TextSlice]) {
        guard !images.isEmpty else { return }
        features.insert(.images)
        writer.name("images")
        writer.beginArray()
        for image in images { writer.value(TextRope(image)) }
        writer.endArray()
    }

    private mutating func write(_ turn: AssistantTurn) {
        beginMessage("assistant", turn.text)
        if profile.reasoningEcho == .thinking, !turn.reasoning.isEmpty {
            features.insert(.thinking)
            writer.name("thinking")
            writer.value(turn.reasoning)
        }
        if !turn.calls.isEmpty { write(turn.calls) }
        writer.endObject()
    }

    private mutating func write(_ calls: [ToolUse]) {
        features.insert(.tools)
        writer.name("tool_calls")
        writer.beginArray()
        builder.ids.begin(calls)
        for call in calls {
            writer.beginObject()
            writer.name("id")
            writer.value(builder.ids.upstream(call.id))
            writer.name("function")
            writer.beginObject()
            writer.name("name")
            writer.value(builder.names.upstream(call.name))
            writer.name("arguments")
            if let input = call.input { writer.raw(input) } else { writer.raw("{}") }
            writer.endObject()
            writer.endObject()
        }
        writer.endArray()
    }

    private mutating func write(resultOf call: ToolUse, _ text: TextRope, _ pictures: [ImageSource]) {
        var content = text
        var images: [TextSlice] = []
        for picture in pictures { gather(.image(picture), &content, &images) }
        beginMessage("tool", content)
        write(images)
        writer.name("tool_name")
        writer.value(builder.names.upstream(call.name))
        writer.name("tool_call_id")
        writer.value(builder.ids.upstream(call.id))
        writer.endObject()
    }
}
