// How many tokens a prompt really has, asked of the backend that would get it: its template, its tokenizer.
// Pure: a converted request gives the first question, each answer the next or the count. Holds: what is
// counted is what would be sent, except pictures, which tokenizers do not see.

public import JSON

/// How a backend type counts the tokens of a conversation.
public enum TokenCounting: Sendable {
    /// It does not say.
    case unsupported
    /// llama.cpp: `/apply-template` makes the prompt, `/tokenize` its tokens.
    case template
    /// vLLM and servers after its model: `/tokenize` takes messages and tools.
    case conversation
}

/// One question on the way to a count.
public struct CountQuestion: Sendable {
    public enum Reply: Sendable {
        case counted(Int)
        case ask(CountQuestion)
        /// An answer of another shape.
        case unusable
    }

    private enum Expected {
        case prompt
        case tokens
        case count
        /// Of the Messages API.
        case message
    }

    /// Below the backend's URL.
    public let path: String
    public let body: [UInt8]
    /// Part of the backend's API; credentials are not among them.
    public let headers: [UpstreamCall.Header]
    private let expected: Expected
    private let model: String

    /// Of the fields of a chat those that make the prompt.
    private static let promptFields = [
        "messages", "tools", "chat_template_kwargs", "add_generation_prompt", "continue_final_message",
        "reasoning_effort",
    ]

    /// Whether this backend counts at all.
    public static func canBeAsked(of target: UpstreamTarget) -> Bool {
        switch (target.profile.dialect, target.profile.counting) {
        case (.anthropic, _), (.openAI, .template), (.openAI, .conversation): true
        case (.ollama, _), (.openAI, .unsupported): false
        }
    }

    /// - Returns: nil when this backend does not count.
    /// - Throws: 400 when it cannot be asked this at all.
    public init?(_ request: MessagesRequest, _ target: UpstreamTarget) throws(Failure) {
        model = target.model
        switch (target.profile.dialect, target.profile.counting) {
        case (.anthropic, _):
            let call = request.relayedCount(to: target)
            (path, body, headers, expected) = (call.path, call.body, call.headers, .message)
            return
        case (.ollama, _), (.openAI, .unsupported): return nil
        case (.openAI, .template): (path, expected) = ("/apply-template", .prompt)
        case (.openAI, .conversation): (path, expected) = ("/tokenize", .count)
        }
        var target = target
        // A prompt that does not fit is counted, not refused.
        target.contextWindow = nil
        let call = try request.converted(for: target)
        guard let root = (try? JSONDocument(parsing: call.body))?.root else { return nil }
        headers = []
        body = Self.conversation(root, model, hasPictures: request.tally.pictures > 0)
    }

    /// The backend has counted the pictures, too.
    public var includesPictures: Bool { expected == .message }

    private init(tokensOf prompt: JSONNode, _ model: String) {
        path = "/tokenize"
        headers = []
        expected = .tokens
        self.model = model
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
        body = writer.bytes
    }

    /// - Parameter answer: the body of a 2xx answer.
    public func read(_ answer: JSONNode) -> Reply {
        switch expected {
        case .prompt:
            guard let prompt = answer["prompt"], prompt.isString else { return .unusable }
            return .ask(CountQuestion(tokensOf: prompt, model))
        case .tokens:
            guard let tokens = answer["tokens"], tokens.isArray else { return .unusable }
            return Self.counted(tokens.elements.reduce(0) { count, _ in count + 1 })
        case .count:
            guard let count = answer["count"]?.int else { return .unusable }
            return Self.counted(count)
        case .message:
            guard let count = answer["input_tokens"]?.int else { return .unusable }
            return Self.counted(count)
        }
    }

    /// No conversation has no tokens, and none has more than there are bytes in the largest body.
    private static func counted(_ count: Int) -> Reply {
        (1...1 << 32).contains(count) ? .counted(count) : .unusable
    }

    // MARK: Body

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
