// Which dialect's words a request is put into. The one place that chooses.

/// The canonical request in the words of one dialect.
protocol DialectRequest {
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    init(_ prepared: PreparedRequest, _ target: UpstreamTarget) throws(Failure)

    mutating func convert() throws(Failure) -> UpstreamCall
}

extension Dialect {
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    func convert(_ prepared: PreparedRequest, for target: UpstreamTarget) throws(Failure) -> UpstreamCall {
        switch self {
        case .openAI:
            var request = try OpenAIRequest(prepared, target)
            return try request.convert()
        case .ollama:
            var request = try OllamaRequest(prepared, target)
            return try request.convert()
        case .anthropic:
            var request = MessagesWriter(prepared, target)
            return try request.convert()
        }
    }
}
