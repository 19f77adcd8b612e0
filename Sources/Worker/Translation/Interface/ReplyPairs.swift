// Clients by backends: the one place that knows which pairs there are, and chooses. A class for each API of
// clients before each dialect of backends, and one for each API whose bytes are handed through.

// Replies are reached through the one `ClientReply` that owns them: there is no access to check at run time.

private final class OpenAIToMessages: ReplyHolder {
    typealias Held = TranslatedReply<EventStream<OpenAIChunkReader>, MessageStreamWriter>
    @exclusivity(unchecked) var reply: Held
    init(_ reply: Held) { self.reply = reply }
}

private final class OllamaToMessages: ReplyHolder {
    typealias Held = TranslatedReply<OllamaLines, MessageStreamWriter>
    @exclusivity(unchecked) var reply: Held
    init(_ reply: Held) { self.reply = reply }
}

private final class AnthropicToMessages: ReplyHolder {
    typealias Held = TranslatedReply<EventStream<AnthropicEventReader>, MessageStreamWriter>
    @exclusivity(unchecked) var reply: Held
    init(_ reply: Held) { self.reply = reply }
}

private final class OpenAIToChat: ReplyHolder {
    typealias Held = TranslatedReply<EventStream<OpenAIChunkReader>, ChatStreamWriter>
    @exclusivity(unchecked) var reply: Held
    init(_ reply: Held) { self.reply = reply }
}

private final class OllamaToChat: ReplyHolder {
    typealias Held = TranslatedReply<OllamaLines, ChatStreamWriter>
    @exclusivity(unchecked) var reply: Held
    init(_ reply: Held) { self.reply = reply }
}

private final class AnthropicToChat: ReplyHolder {
    typealias Held = TranslatedReply<EventStream<AnthropicEventReader>, ChatStreamWriter>
    @exclusivity(unchecked) var reply: Held
    init(_ reply: Held) { self.reply = reply }
}

private final class PassedMessages: ReplyHolder {
    typealias Held = PassthroughReply<MessagesPassthrough>
    @exclusivity(unchecked) var reply: Held
    init(_ reply: Held) { self.reply = reply }
}

private final class PassedChat: ReplyHolder {
    typealias Held = PassthroughReply<ChatPassthrough>
    @exclusivity(unchecked) var reply: Held
    init(_ reply: Held) { self.reply = reply }
}

enum ReplyPair {
    /// A reply to a client of the Messages API.
    static func toMessages(_ start: ReplyStart, plan: ReplyPlan) -> any ReplyMachine {
        guard !plan.isPassthrough else { return PassedMessages(PassthroughReply(start)) }
        let writer = MessageStreamWriter(
            form: start.streaming ? .events : .message, head: .init(start, plan: plan))
        return switch plan.dialect {
        case .openAI: OpenAIToMessages(TranslatedReply(start, plan: plan, writer: writer))
        case .ollama: OllamaToMessages(TranslatedReply(start, plan: plan, writer: writer))
        case .anthropic: AnthropicToMessages(TranslatedReply(start, plan: plan, writer: writer))
        }
    }

    /// A reply to a client of OpenAI's API.
    static func toChat(
        _ start: ReplyStart, plan: ReplyPlan, head: ChatStreamWriter.Head
    ) -> any ReplyMachine {
        guard !plan.isPassthrough else { return PassedChat(PassthroughReply(start)) }
        let writer = ChatStreamWriter(form: start.streaming ? .events : .message, head: head)
        return switch plan.dialect {
        case .openAI: OpenAIToChat(TranslatedReply(start, plan: plan, writer: writer))
        case .ollama: OllamaToChat(TranslatedReply(start, plan: plan, writer: writer))
        case .anthropic: AnthropicToChat(TranslatedReply(start, plan: plan, writer: writer))
        }
    }
}
