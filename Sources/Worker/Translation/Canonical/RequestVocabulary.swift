// What a conversion leaves out, first as a part of the canonical request, then in the words of the client's
// API.

/// A part of a request that a backend may not take.
enum RequestPart: Sendable {
    case maxTokens, temperature, topP, topK, stopSequences
    case thinking, effort, outputFormat
    case tools, toolSchemas, toolChoice, parallelToolUse
    case usageOfStream
    case further(SamplingOption)
    case messages
    /// Positions as the client counts them.
    case block(message: Int, block: Int)
    /// Reasoning of an earlier turn.
    case reasoning(message: Int)
}

/// A part that a conversion leaves out or changes, and why.
struct Loss: Sendable {
    var part: RequestPart
    var reason: String

    init(_ part: RequestPart, _ reason: String) {
        self.part = part
        self.reason = reason
    }
}

/// What a client's API calls the parts of a request.
protocol RequestVocabulary: Sendable {
    /// Where the client wrote it; nil when it did not ask for it.
    func path(of part: RequestPart) -> String?
    /// No message of the request says anything.
    var emptyConversation: Failure { get }
}

extension CanonicalRequest {
    /// In the client's words; nil when the client did not ask for what was lost.
    func omission(_ loss: Loss) -> Omission? {
        self.vocabulary.path(of: loss.part).map { Omission(path: $0, reason: loss.reason) }
    }
}
