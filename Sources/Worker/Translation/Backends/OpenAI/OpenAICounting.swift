// How servers with OpenAI's API count the tokens of a conversation, each type in its own way: the API itself
// has no words for it.

import JSON

/// How a backend type counts the tokens of a conversation.
public enum TokenCounting: Sendable {
    /// It does not say.
    case unsupported
    /// llama.cpp: `/apply-template` makes the prompt, `/tokenize` its tokens.
    case template
    /// vLLM and servers after its model: `/tokenize` takes messages and tools.
    case conversation
}

extension OpenAIDialect {
    static func counts(_ profile: Profile) -> Bool {
        switch profile.counting {
        case .template, .conversation: true
        case .unsupported: false
        }
    }

    static func countQuestion(
        _ request: MessagesRequest, _ target: UpstreamTarget
    ) throws(Failure) -> CountQuestion? {
        guard counts(target.profile) else { return nil }
        let model = target.model
        var target = target
        // A prompt that does not fit is counted, not refused.
        target.contextWindow = nil
        let call = try request.converted(for: target)
        guard let root = (try? JSONDocument(parsing: call.body))?.root else { return nil }
        let body = conversation(root, model, hasPictures: request.tally.pictures > 0)
        return switch target.profile.counting {
        case .unsupported: nil
        case .template:
            CountQuestion("/apply-template", body) { answer in
                guard let prompt = answer["prompt"], prompt.isString else { return .unusable }
                return .ask(tokens(of: prompt, model))
            }
        case .conversation:
            CountQuestion("/tokenize", body) { .init(count: $0["count"]?.int) }
        }
    }

    private static func tokens(of prompt: JSONNode, _ model: String) -> CountQuestion {
        var writer = JSONWriter(capacity: prompt.rawRange.count &+ 128)
        writer.beginObject()
        writer.name("model")
        writer.value(model)
        writer.name("content")
        writer.raw(prompt)
        // As the server does with the prompts of chats.
        writer.name("add_special")
        writer.value(true)
        writer.name("parse_special")
        writer.value(true)
        writer.endObject()
        return CountQuestion("/tokenize", writer.bytes) { answer in
            guard let tokens = answer["tokens"], tokens.isArray else { return .unusable }
            return .init(count: tokens.elements.reduce(0) { count, _ in count + 1 })
        }
    }

    // MARK: Body

    /// Of the fields of a chat those that make the prompt.
    private static let promptFields = [
        "messages", "tools", "chat_template_kwargs", "add_generation_prompt", "continue_final_message",
        "reasoning_effort",
    ]

    private static func conversation(_ root: JSONNode, _ model: String, hasPictures: Bool) -> [UInt8] {
        var writer = JSONWriter(capacity: root.rawRange.count &+ 128)
        writer.beginObject()
        writer.name("model")
        writer.value(model)
        for member in root.members {
            guard let name = member.name.string, promptFields.contains(name) else { continue }
            writer.name(raw: member.name)
            if hasPictures, name == "messages" {
                write(messages: member.value, to: &writer)
            } else {
                writer.raw(member.value)
            }
        }
        if root["add_generation_prompt"] == nil {
            writer.name("add_generation_prompt")
            writer.value(true)
        }
        writer.endObject()
        return writer.bytes
    }

    /// The messages with the texts of their contents only.
    private static func write(messages: JSONNode, to writer: inout JSONWriter) {
        writer.beginArray()
        for message in messages.elements {
            writer.beginObject()
            for member in message.members {
                writer.name(raw: member.name)
                guard member.name.stringEquals("content"), member.value.isArray else {
                    writer.raw(member.value)
                    continue
                }
                writer.beginArray()
                for part in member.value.elements where part["type"]?.stringEquals("text") == true {
                    writer.raw(part)
                }
                writer.endArray()
            }
            writer.endObject()
        }
        writer.endArray()
    }
}
