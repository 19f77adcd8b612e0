// The conversation in the words of OpenAI chat completions: roles, parts, calls and their ids.

import JSON

extension OpenAIRequest {
    mutating func writeMessage(_ role: StaticString, content: (inout JSONWriter) -> Void) {
        writer.beginObject()
        writer.name("role")
        writer.value(TextRope(role))
        writer.name("content")
        content(&writer)
        writer.endObject()
    }

    mutating func write(_ message: UpstreamMessage, isPrefill: Bool) {
        switch message {
        case .system(let text): writeMessage("system") { $0.value(text) }
        case .user(let parts):
            writeMessage("user") { writer in
                if let text = ConversationBuilder.onlyText(parts) {
                    writer.value(text)
                } else {
                    writer.value(parts)
                }
            }
            let hasImage = parts.contains { if case .image = $0 { true } else { false } }
            if hasImage { features.insert(.images) }
        case .tool(let call, let text, _):
            writer.beginObject()
            writer.name("role")
            writer.value("tool")
            writer.name("tool_call_id")
            writer.value(builder.ids.upstream(call.id))
            writer.name("content")
            writer.value(text)
            writer.endObject()
        case .assistant(let turn): write(turn, isPrefill)
        }
    }

    private mutating func write(_ turn: AssistantTurn, _ isPrefill: Bool) {
        writer.beginObject()
        writer.name("role")
        writer.value("assistant")
        writer.name("content")
        var text = turn.text
        if profile.reasoningEcho == .thinkTags, !turn.reasoning.isEmpty {
            var tagged = TextRope("<think>" as StaticString)
            tagged.add(turn.reasoning, boundary: "")
            tagged.add(TextRope("</think>\n" as StaticString), boundary: "")
            tagged.add(text, boundary: "")
            text = tagged
        }
        if text.isEmpty, !turn.calls.isEmpty, case .null = profile.contentOfCalls {
            writer.null()
        } else {
            writer.value(text)
        }
        let reasoning =
            turn.reasoning.isEmpty ? reasoningFiller.map { TextRope($0) } : turn.reasoning
        if profile.reasoningEcho != .none, let reasoning {
            features.insert(.thinking)
            switch profile.reasoningEcho {
            case .reasoningContent:
                writer.name("reasoning_content")
                writer.value(reasoning)
            case .reasoning:
                writer.name("reasoning")
                writer.value(reasoning)
            case .none, .thinkTags, .thinking: break
            }
        }
        if isPrefill, case .prefixFlag = profile.prefill {
            writer.name("prefix")
            writer.value(true)
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
            writer.name("type")
            writer.value("function")
            writer.name("function")
            writer.beginObject()
            writer.name("name")
            writer.value(builder.names.upstream(call.name))
            writer.name("arguments")
            if let input = call.input { writer.value(TextRope([.json(input)])) } else { writer.value("{}") }
            writer.endObject()
            writer.endObject()
        }
        writer.endArray()
    }
}

extension JSONWriter {
    mutating func value(_ text: TextRope) { string { text.write(to: &$0) } }

    /// Content parts.
    mutating func value(_ parts: [ContentPart]) {
        beginArray()
        for part in parts {
            beginObject()
            name("type")
            switch part {
            case .text(let text):
                value("text")
                name("text")
                value(text)
            case .image(let source):
                value("image_url")
                name("image_url")
                beginObject()
                name("url")
                value(Self.address(of: source))
                endObject()
            case .pdf(let data, let title):
                value("file")
                name("file")
                beginObject()
                name("filename")
                if let title { raw(title) } else { value("document.pdf") }
                name("file_data")
                value(TextRope([.words("data:application/pdf;base64,"), .slice(data)]))
                endObject()
            }
            endObject()
        }
        endArray()
    }

    private static func address(of source: ImageSource) -> TextRope {
        switch source {
        case .base64(let mediaType, let data):
            var type: [TextRope.Piece] = [.words("image/png")]
            if let mediaType { type = [.slice(TextSlice(mediaType))] }
            return TextRope([.words("data:")] + type + [.words(";base64,"), .slice(data)])
        case .url(let url): return TextRope(url)
        case .unreachable: return TextRope()
        }
    }
}
