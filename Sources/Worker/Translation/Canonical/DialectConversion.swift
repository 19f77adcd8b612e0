// Which dialect's words a request is put into. The one place that chooses.

extension Dialect {
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    func convert(_ prepared: PreparedRequest, for target: UpstreamTarget) throws(ClientError) -> UpstreamCall
    {
        switch self {
        case .openAI:
            var request = try OpenAIRequest(prepared, target)
            return try request.convert()
        case .ollama:
            var request = try OllamaRequest(prepared, target)
            return try request.convert()
        // Messages requests pass as they are, and chat requests are written as one.
        case .anthropic: throw .invalid("the request cannot be handed on")
        }
    }
}
