// A whole message as the stream that the client asked for, for backends that do not stream and for the
// gateway's own answers: the same events as if it had come piece by piece, with one delta per block.

import JSON

enum MessageEvents {
    /// Appends the events of a `message`.
    /// - Parameter isStarted: without the first of them.
    static func append(_ message: JSONNode, model: String, isStarted: Bool = false, to out: inout [UInt8]) {
        if !isStarted { start(message, model, &out) }
        for (index, block) in (message["content"]?.elements).map(Array.init).orEmpty.enumerated() {
            append(block: block, index, &out)
        }
        end(message, &out)
    }

    private static func start(_ message: JSONNode, _ model: String, _ out: inout [UInt8]) {
        event("message_start", &out) { writer in
            writer.name("message")
            writer.beginObject()
            for member in message.members {
                writer.name(raw: member.name)
                switch member.name {
                case let name where name.stringEquals("content"): writer.raw("[]")
                case let name where name.stringEquals("model"): writer.value(model)
                case let name where name.stringEquals("stop_reason") || name.stringEquals("stop_sequence"):
                    writer.null()
                default: writer.raw(member.value)
                }
            }
            writer.endObject()
        }
    }

    private static func end(_ message: JSONNode, _ out: inout [UInt8]) {
        event("message_delta", &out) { writer in
            writer.name("delta")
            writer.beginObject()
            for (name, node) in [
                ("stop_reason" as StaticString, message["stop_reason"]),
                ("stop_sequence", message["stop_sequence"]),
            ] {
                writer.name(name)
                if let node { writer.raw(node) } else { writer.null() }
            }
            writer.endObject()
            if let usage = message["usage"] {
                writer.name("usage")
                writer.raw(usage)
            }
        }
        event("message_stop", &out) { _ in }
    }

    private static func append(block: JSONNode, _ index: Int, _ out: inout [UInt8]) {
        event("content_block_start", &out) { writer in
            writer.name("index")
            writer.value(index)
            writer.name("content_block")
            start(block, &writer)
        }
        for (kind, field, source) in deltas {
            guard let node = block[source], !node.isNull else { continue }
            if field == "citation" {
                for element in node.elements { delta(kind, field, index, &out) { $0.raw(element) } }
            } else if field == "partial_json" {
                guard !node.isEmpty else { continue }
                delta(kind, field, index, &out) { writer in
                    writer.string { $0.appendJSONEscaped(raw: node) }
                }
            } else {
                delta(kind, field, index, &out) { $0.raw(node) }
            }
        }
        event("content_block_stop", &out) { writer in
            writer.name("index")
            writer.value(index)
        }
    }

    /// Kind of a delta, its field, and the block's field that it fills.
    private static let deltas = [
        ("thinking_delta", "thinking", "thinking" as StaticString),
        ("signature_delta", "signature", "signature"), ("text_delta", "text", "text"),
        ("citations_delta", "citation", "citations"), ("input_json_delta", "partial_json", "input"),
    ]

    /// The block with what deltas will bring left empty.
    private static func start(_ block: JSONNode, _ writer: inout JSONWriter) {
        writer.beginObject()
        for member in block.members {
            writer.name(raw: member.name)
            let isDelta = deltas.contains { member.name.stringEquals($0.2) } && !member.value.isNull
            switch member.value.kind {
            case .string where isDelta: writer.value("")
            case .object where isDelta: writer.raw("{}")
            case .array where isDelta: writer.raw("[]")
            default: writer.raw(member.value)
            }
        }
        writer.endObject()
    }

    private static func delta(
        _ kind: String, _ field: String, _ index: Int, _ out: inout [UInt8],
        _ value: (inout JSONWriter) -> Void
    ) {
        event("content_block_delta", &out) { writer in
            writer.name("index")
            writer.value(index)
            writer.name("delta")
            writer.beginObject()
            writer.name("type")
            writer.value(kind)
            writer.name(field)
            value(&writer)
            writer.endObject()
        }
    }

    private static func event(_ type: String, _ out: inout [UInt8], _ body: (inout JSONWriter) -> Void) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("type")
        writer.value(type)
        body(&writer)
        writer.endObject()
        out.append(contentsOf: "event: \(type)\ndata: ".utf8)
        out.append(oneLine: writer.bytes)
        out.append(ascii: "\n\n")
    }
}
