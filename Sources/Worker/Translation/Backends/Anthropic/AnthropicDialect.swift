// Anthropic's Messages API, as backends speak it.

import JSON

enum AnthropicDialect: BackendDialect {
    typealias Request = MessagesWriter
    typealias Reader = EventStream<AnthropicEventReader>

    static var keepsConversation: Bool { true }

    static func counts(_ profile: Profile) -> Bool { true }
    static func countQuestion(_ request: MessagesRequest, _ target: UpstreamTarget) -> CountQuestion? {
        let call = request.relayedCount(to: target)
        var question = CountQuestion(call.path, call.body) { .init(count: $0["input_tokens"]?.int) }
        question.headers = call.headers
        question.includesPictures = true
        return question
    }
}
