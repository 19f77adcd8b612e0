// A whole completion told as the stream that the client asked for, for backends that do not stream: what was
// said in one chunk, why it stopped in another.

import JSON

enum CompletionChunks {
    /// Appends the chunks of a `chat.completion`: what was said, why it stopped, what was counted.
    static func append(_ completion: JSONNode, model: String, to out: inout [UInt8]) {
        let choices = (completion["choices"]?.elements).map(Array.init).orEmpty
        chunk(completion, model, &out) { writer in
            for choice in choices { self.choice(choice, finishes: false, &writer) }
        }
        chunk(completion, model, &out) { writer in
            for choice in choices { self.choice(choice, finishes: true, &writer) }
        }
        if let usage = completion["usage"], usage.isObject {
            chunk(completion, model, &out, usage: usage) { _ in }
        }
        out.append(ascii: "data: [DONE]\n\n")
    }

    private static func chunk(
        _ completion: JSONNode, _ model: String, _ out: inout [UInt8], usage: JSONNode? = nil,
        _ choices: (inout JSONWriter) -> Void
    ) {
        var writer = JSONWriter()
        writer.beginObject()
        for name in ["id", "created", "system_fingerprint"] as [StaticString] {
            guard let node = completion[name] else { continue }
            writer.name(name)
            writer.raw(node)
        }
        writer.name("object")
        writer.value("chat.completion.chunk")
        writer.name("model")
        writer.value(model)
        writer.name("choices")
        writer.beginArray()
        choices(&writer)
        writer.endArray()
        if let usage {
            writer.name("usage")
            writer.raw(usage)
        }
        writer.endObject()
        out.append(ascii: "data: ")
        out.append(oneLine: writer.bytes)
        out.append(ascii: "\n\n")
    }

    private static func choice(_ choice: JSONNode, finishes: Bool, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("index")
        writer.value(choice["index"]?.int ?? 0)
        writer.name("delta")
        writer.beginObject()
        if !finishes { message(choice["message"], &writer) }
        writer.endObject()
        writer.name("finish_reason")
        if finishes, let reason = choice["finish_reason"] { writer.raw(reason) } else { writer.null() }
        writer.endObject()
    }

    /// The members of the message; calls get the number that deltas have.
    private static func message(_ message: JSONNode?, _ writer: inout JSONWriter) {
        guard let message else { return }
        for member in message.members {
            writer.name(raw: member.name)
            guard member.name.stringEquals("tool_calls"), member.value.isArray else {
                writer.raw(member.value)
                continue
            }
            writer.beginArray()
            for (index, call) in member.value.elements.enumerated() {
                writer.beginObject()
                writer.name("index")
                writer.value(index)
                for part in call.members where !part.name.stringEquals("index") {
                    writer.name(raw: part.name)
                    writer.raw(part.value)
                }
                writer.endObject()
            }
            writer.endArray()
        }
    }
}
