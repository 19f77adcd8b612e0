// Ollama's own API: `/api/chat`, lines of JSON.

enum OllamaDialect: BackendDialect {
    typealias Request = OllamaRequest
    typealias Reader = OllamaLines

    /// Whatever its type is called: only this dialect takes what these properties say.
    static var profile: Profile? { .ollamaNative }
}
