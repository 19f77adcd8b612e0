// OpenAI's chat completions, server-sent events.

enum OpenAIDialect: BackendDialect {
    typealias Request = OpenAIRequest
    typealias Reader = EventStream<OpenAIChunkReader>
}
