// From a chat request's JSON to the canonical request, for backends that do not speak this API themselves.

import JSON

struct ChatReader {
    private var fields: ChatFields
    private let request: ChatRequest

    /// Fields that ask for nothing that an answer could lack.
    private static let hints: Set<String> = [
        "store", "metadata", "service_tier", "prompt_cache_key", "prompt_cache_retention", "user",
        "safety_identifier",
    ]
    private static let maxOmissions = 100

    /// - Throws: 400 for what no other API has words for.
    init(_ request: ChatRequest) throws(Failure) {
        guard request.choices == 1 else {
            throw .chat("Invalid value: 'n' must be 1: this model gives one answer.", "n", "invalid_value")
        }
        self.request = request
        fields = try ChatFields(request.root)
        for name in ["model", "stream", "stream_options", "n"] { _ = fields.take(name) }
    }

    mutating func read() throws(Failure) -> CanonicalRequest {
        var content = RequestContent(ChatVocabulary())
        content.model = request.model
        content.stream = request.stream
        guard let messages = try fields.array("messages") else { throw .chatMissing("messages") }
        let conversation = try ChatConversation(messages)
        content.system = conversation.system
        content.messages = conversation.messages
        content.pdfs = conversation.pdfs
        let tools = try ChatTools(&fields, inOlderWords: request.readsFunctionCall)
        content.tools = tools.functions
        content.toolChoice = tools.offeredChoice
        content.disableParallelToolUse = tools.forbidsParallelCalls
        content.omissions = conversation.omissions + tools.omissions
        let format = try ChatFormat(&fields)
        content.outputSchema = format.schema
        content.outputIsAnyObject = format.isAnyObject
        try readEffort(into: &content)
        try readLength(into: &content)
        try readSampling(into: &content)
        let user = try fields.string("user")
        content.userID = try fields.string("safety_identifier") ?? user
        nameRest(in: &content)
        return CanonicalRequest(content)
    }

    /// What is left over: named, unless its value is what it would be anyway.
    private func nameRest(in content: inout RequestContent) {
        for (name, value) in fields.rest where content.omissions.count < Self.maxOmissions {
            let isDefault =
                value.bool == false || value.double == 0 || (value.isArray || value.isObject) && value.isEmpty
                || name == "modalities" && value.elements.allSatisfy { $0.stringEquals("text") }
            guard !isDefault, !Self.hints.contains(name) else { continue }
            content.omissions.append(Omission(path: name, reason: "not carried to this backend"))
        }
    }

    private mutating func readLength(into content: inout RequestContent) throws(Failure) {
        let old = try fields.int("max_tokens", atLeast: 1)
        let asked = try fields.int("max_completion_tokens", atLeast: 1) ?? old
        content.vocabulary = ChatVocabulary(asksLength: asked != nil)
        content.maxTokens = asked ?? ChatRequest.defaultMaxTokens
    }

    private mutating func readSampling(into content: inout RequestContent) throws(Failure) {
        content.temperature = try fields.number("temperature")
        content.topP = try fields.number("top_p")
        let topK = try fields.number("top_k")
        if let topK {
            if topK.int != nil {
                content.topK = topK
            } else {
                content.omissions.append(Omission(path: "top_k", reason: "not an integer"))
            }
        }
        if let stop = fields.take("stop") { try read(stops: stop, into: &content) }
        for name in SamplingOption.names {
            guard let value = try fields.number(name.description) else { continue }
            content.furtherSampling.append(SamplingOption(name: name, value: value))
        }
    }

    private func read(stops node: JSONNode, into content: inout RequestContent) throws(Failure) {
        guard node.isString || node.isArray else {
            throw .chatType("stop", expected: "one of a string or array of strings", node)
        }
        for (index, stop) in (node.isString ? [node] : Array(node.elements)).enumerated() {
            guard index < MessagesReader.stopSequenceLimit else {
                throw .chat(
                    "Invalid 'stop': at most \(MessagesReader.stopSequenceLimit) are allowed.", "stop")
            }
            guard let text = stop.string else {
                throw .chatType("stop[\(index)]", expected: "a string", stop)
            }
            if text.allSatisfy(\.isWhitespace) {
                content.omissions.append(Omission(path: "stop[\(index)]", reason: "only whitespace"))
            } else {
                content.stopSequences.append(stop)
            }
        }
    }

    /// Clients of this API say when there is to be no thinking; silence leaves it to the model.
    private mutating func readEffort(into content: inout RequestContent) throws(Failure) {
        let inner = fields.take("reasoning")?["effort"]
        let outer = try fields.string("reasoning_effort")
        guard let word = (outer ?? inner)?.string else {
            content.thinking = .leftToModel
            return
        }
        guard word != "none" else {
            content.thinking = .disabled
            return
        }
        guard let effort = word == "minimal" ? .low : Effort(rawValue: word) else {
            throw .chatValue(
                "reasoning_effort", word,
                supported: "'none', 'minimal', 'low', 'medium', 'high', and 'xhigh'")
        }
        content.thinking = .adaptive
        content.effort = effort
    }
}
