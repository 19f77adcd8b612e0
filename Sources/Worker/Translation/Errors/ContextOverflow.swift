// Recognises, in any backend's words, that a prompt does not fit the context window. Pure.

/// A prompt that does not fit. All in tokens; nil = not known.
public struct ContextOverflow: Sendable, Equatable {
    var input: Int?
    var output: Int?
    var limit: Int?
    /// Tokens that are too many, where only that is said.
    private var excess: Int?

    init(input: Int, limit: Int) {
        self.input = input
        self.limit = limit
    }

    /// - Parameters:
    ///   - text: the backend's message.
    ///   - code: its `code` or `type`.
    init?(text: String, code: String = "", type: String = "", promptTokens: Int? = nil, window: Int? = nil) {
        let text = SearchText(text)
        let codes = code.lowercased() + " " + type.lowercased()
        // Too long a value of some field is another matter.
        guard !codes.contains("string_above_max_length"), text.index(of: "string too long") == nil else {
            return nil
        }
        let isNamed = Self.codes.contains { codes.contains($0) }
        guard isNamed || Self.phrases.contains(where: { text.index(of: $0) != nil }) else { return nil }
        limit = window ?? text.first(after: Self.limitBehind) ?? text.first(before: Self.limitBefore)
        output = text.first(before: Self.outputBefore) ?? text.first(after: Self.outputBehind)
        input =
            promptTokens ?? text.first(before: Self.inputBefore) ?? text.first(after: Self.inputBehind)
            ?? text.first(after: Self.totalBehind)
        excess = text.first(after: ["max context length by "]).map { min($0, 1 << 40) }
    }

    /// Puts in what the backend did not say but is known here: the window, and the prompt's size by our
    /// estimate, if that is larger.
    mutating func complete(window: Int?, estimate: Int) {
        limit = limit ?? window
        guard input == nil, let limit else { return }
        if let excess {
            input = limit &+ excess
        } else if estimate > limit {
            input = estimate
        }
    }

    private static let codes = [
        "context_length_exceeded", "exceed_context_size_error", "model_max_prompt_tokens_exceeded",
    ]

    private static let phrases: [StaticString] = [
        "maximum context length", "exceeds the available context size", "larger than the max context size",
        "is longer than the model's context length", "context the overflows",
        "greater than the context length", "exceeds the maximum number of tokens allowed",
        "exceeds the context window", "exceed context window", "maximum context limit",
        "while limit is", "`inputs` tokens + `max_new_tokens` must be <=",
        "please reduce the length of the messages", "input length exceeds the context length",
        "exceeds max context window", "prompt is too long", "prompt too long",
        "input is too long for requested model", "exceed context limit", "context_length_exceeded",
        "exceeds the model's context", "context size has been exceeded", "exceeds context length",
        "maximum prompt length is", "model token limit", "range of input length should be",
        "prompt exceeds max length", "context window exceeds limit", "prompt token count of", "max_seq_len",
        "longer than the maximum model length", "number of tokens in the prompt cannot exceed",
        "model context window limit", "exceeds maximum context", "exceeds max_model_len",
        "maximum input length",
    ]

    // What stands directly before or behind a number, the plainest wording first.
    private static let limitBehind: [StaticString] = [
        "context length of only ", "maximum context length is ", "maximum context length of ",
        "model's context length (", "available context size (", "max context size (",
        "max context window of ", "tokens allowed (", "while limit is ", "must be <= ", "context length of ",
        "context window of ", "maximum context limit of ", "tokens > ", "context size of ",
        "maximum prompt length is ", "maximum context length: ", "token limit: ", "should be [1, ",
        "exceeds the limit of ", "max_seq_len ", "maximum model length of ", "cannot exceed ",
        "context window limit (", "maximum context of ", "max_model_len (", "maximum input length (",
        "maximum input length of ",
    ]
    private static let limitBefore: [StaticString] = ["maximum context length"]
    private static let inputBefore: [StaticString] = [
        "tokens from the input messages", "input tokens", "of text input", "in the messages",
        "in your prompt",
        "`inputs` tokens",
    ]
    private static let inputBehind: [StaticString] = [
        "prompt contains at least ", "prompt contains ", "messages resulted in ", "input token count (",
        "the input (", "request (", "current length is ", "prompt is too long: ", "prompt too long: ",
        "keep the first ", "input length of ", "request contains ", "prompt token count of ",
        "requested tokens (", "prompt length ", "prompt (length ", "received ", "prompt of ",
        "output tokens (",
        "prompt length (",
    ]
    private static let totalBehind: [StaticString] = [
        "requested a total of ", "requested about ", "you requested ",
    ]
    private static let outputBehind: [StaticString] = ["'max_completion_tokens' is too large: "]
    private static let outputBefore: [StaticString] = [
        "output tokens", "tokens for the completion", "in the completion", "in the output",
        "`max_new_tokens`.", "`max_new_tokens` tokens",
    ]
}

/// A message in lower case, searched for phrases and the numbers beside them.
private struct SearchText {
    /// Messages are searched this far.
    private static let lengthLimit = 16 << 10

    private let bytes: [UInt8]

    init(_ text: String) {
        bytes = text.utf8.prefix(Self.lengthLimit).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    }

    func index(of phrase: StaticString, from start: Int = 0) -> Int? {
        let count = phrase.utf8CodeUnitCount
        guard count > 0, count <= bytes.count else { return nil }
        return phrase.withUTF8Buffer { phrase in
            (start..<max(start, bytes.count - count + 1)).first { at in
                bytes[at] == phrase[0] && bytes[at..<at + count].elementsEqual(phrase)
            }
        }
    }

    func first(after phrases: [StaticString]) -> Int? {
        phrases.lazy.compactMap { phrase in
            index(of: phrase).flatMap { number(from: $0 + phrase.utf8CodeUnitCount) }
        }.first
    }

    func first(before phrases: [StaticString]) -> Int? {
        phrases.lazy.compactMap { phrase -> Int? in
            var start = 0
            while let at = index(of: phrase, from: start) {
                if let found = number(upTo: at) { return found }
                start = at + 1
            }
            return nil
        }.first
    }

    private func number(from start: Int) -> Int? {
        var end = start
        while end < bytes.count, isDigit(end) || bytes[end] == UInt8(ascii: ",") && isDigit(end + 1) {
            end += 1
        }
        return value(start..<end)
    }

    /// The number that ends where `end` is, but for one blank.
    private func number(upTo end: Int) -> Int? {
        let end = end > 0 && bytes[end - 1] == 0x20 ? end - 1 : end
        var start = end
        while start > 0, isDigit(start - 1) || bytes[start - 1] == UInt8(ascii: ",") && isDigit(start - 2) {
            start -= 1
        }
        return value(start..<end)
    }

    private func isDigit(_ at: Int) -> Bool { bytes.indices.contains(at) && bytes[at] &- 0x30 < 10 }

    private func value(_ range: Range<Int>) -> Int? {
        Int(String(decoding: bytes[range].filter { $0 != UInt8(ascii: ",") }, as: UTF8.self))
    }
}
