// A chat request as the body of a Messages request: for the real API and servers that speak it, where these
// bytes are what is sent, and for other dialects, where they are read as any client's.

import JSON

struct ChatMessagesBody {
    private(set) var bytes: [UInt8] = []
    private(set) var omissions: [Omission] = []
    /// For the reply of a backend that is sent these bytes.
    private(set) var plan = ReplyPlan()
    /// Sampling that the Messages API has no words for, for those who take it.
    private(set) var sampling: [SamplingOption] = []
    /// The client asked for a length.
    private var asksLength = false

    private let request: ChatRequest
    private let target: UpstreamTarget
    /// The bytes are what is sent: they have to please an API that refuses what it does not take.
    let isStrict: Bool
    var writer: JSONWriter

    init(_ request: ChatRequest, _ target: UpstreamTarget) throws(ClientError) {
        self.request = request
        self.target = target
        isStrict = target.profile.dialect == .anthropic
        writer = JSONWriter(capacity: request.root.bytes.count &+ 1024)
        guard request.choices == 1 else {
            throw .chat("Invalid value: 'n' must be 1: this model gives one answer.", "n", "invalid_value")
        }
        try write()
        bytes = writer.bytes
    }

    private mutating func write() throws(ClientError) {
        var fields = try ChatFields(request.root)
        for name in ["model", "stream", "stream_options", "n"] { _ = fields.take(name) }
        guard let messages = try fields.array("messages") else { throw .chatMissing("messages") }
        let conversation = try ChatConversation(messages, isStrict: isStrict)
        var tools = try ChatTools(&fields, inOlderWords: request.readsFunctionCall)
        if isStrict { tools.declare(called: conversation.calledNames) }
        omissions = conversation.omissions + tools.omissions
        let format = try ChatFormat(&fields)
        let effort = try effort(&fields)

        writer.beginObject()
        writer.name("model")
        writer.value(target.model)
        writer.name("max_tokens")
        let maxTokens = try length(&fields)
        plan.maxTokens = maxTokens
        writer.value(maxTokens)
        writeSystem(conversation.system, format)
        writer.name("messages")
        writer.beginArray()
        for (index, turn) in conversation.turns.enumerated() {
            write(turn, isLast: index == conversation.turns.count - 1)
        }
        writer.endArray()
        tools.write(to: &writer)
        let thinks = write(effort, format, tools)
        try writeSampling(&fields, thinks: thinks)
        let user = try fields.string("user")
        let identity = try fields.string("safety_identifier") ?? user
        if let user = identity, user.stringRange.count <= Self.longestUser {
            writer.name("metadata")
            writer.beginObject()
            writer.name("user_id")
            writer.raw(user)
            writer.endObject()
        }
        writer.name("stream")
        writer.value(target.streams(request.stream))
        writer.endObject()

        nameRest(fields)
        plan.dialect = .anthropic
        plan.toolNames = tools.functions.map(\.name)
        for function in tools.functions { plan.toolSchemas[function.name] = function.schema }
        plan.thinkTags = .off
        plan.recoverCalls(for: target, forbidsCalls: tools.choice == .never)
        plan.disableParallelToolUse = tools.isSequential
        plan.streamRequested = target.streams(request.stream)
        plan.contextWindow = target.contextWindow
    }

    /// Of `metadata.user_id`, in bytes.
    private static let longestUser = 256
    /// Fields that ask for nothing that an answer could lack.
    private static let hints: Set<String> = [
        "store", "metadata", "service_tier", "prompt_cache_key", "prompt_cache_retention", "user",
        "safety_identifier",
    ]
    private static let maxOmissions = 100

    /// What a backend that is sent these bytes was found not to take; others' converters see to it.
    private func lacks(_ feature: Feature) -> Bool { isStrict && target.lacking.contains(feature) }

    private mutating func omit(_ path: String, _ reason: String) {
        omissions.append(Omission(path: path, reason: reason))
    }

    /// What is left over: named, unless its value is what it would be anyway.
    private mutating func nameRest(_ fields: ChatFields) {
        for (name, value) in fields.rest where omissions.count < Self.maxOmissions {
            let isDefault =
                value.bool == false || value.double == 0 || (value.isArray || value.isObject) && value.isEmpty
                || name == "modalities" && value.elements.allSatisfy { $0.stringEquals("text") }
            guard !isDefault, !Self.hints.contains(name) else { continue }
            omit(name, "not carried to this backend")
        }
    }

    // MARK: Parameters

    private mutating func length(_ fields: inout ChatFields) throws(ClientError) -> Int {
        let old = try fields.int("max_tokens", atLeast: 1)
        let asked = try fields.int("max_completion_tokens", atLeast: 1) ?? old
        asksLength = asked != nil
        var length = asked ?? ChatRequest.defaultMaxTokens
        if isStrict, let limit = target.outputLimit, limit > 0, length > limit {
            if asksLength { omit("max_tokens", "lowered to \(limit): the model gives no more at once") }
            length = limit
        }
        guard isStrict, let window = target.contextWindow, window > 0 else { return length }
        // The estimate errs to the high side: an answer gets some room in any case.
        let room = max(
            window - request.estimate(for: target).tokens - Self.margin, min(Self.leastRoom, window))
        guard length > room else { return length }
        if asksLength { omit("max_tokens", "lowered to \(room): the context window is \(window)") }
        return room
    }

    /// What templates add to a prompt without being asked, in tokens.
    private static let margin = 128
    private static let leastRoom = 1024

    private mutating func writeSampling(_ fields: inout ChatFields, thinks: Bool) throws(ClientError) {
        let temperature = try fields.number("temperature")
        let topP = try fields.number("top_p")
        let topK = try fields.number("top_k")
        if let stop = fields.take("stop") { try write(stops: stop) }
        if !isStrict {
            for name in SamplingOption.names {
                guard let value = try fields.number(name.description) else { continue }
                sampling.append(SamplingOption(name: name, value: value))
            }
        }
        let given = [("temperature", temperature), ("top_p", topP), ("top_k", topK)].filter { $0.1 != nil }
        guard !lacks(.sampling), !isStrict || !thinks else {
            let reason = thinks ? "not possible together with thinking" : "the model does not take it"
            for (name, _) in given { omit(name, reason) }
            return
        }
        if !given.isEmpty { plan.features.insert(.sampling) }
        if let temperature {
            writer.name("temperature")
            if isStrict, (temperature.double ?? 0) > 1 {
                omit("temperature", "lowered to 1, the highest that the API takes")
                writer.value(1)
            } else {
                writer.raw(temperature)
            }
        }
        if let topP {
            if isStrict, temperature != nil {
                omit("top_p", "the API takes only one of temperature and top_p")
            } else {
                writer.name("top_p")
                writer.raw(topP)
            }
        }
        if let topK, topK.int != nil {
            writer.name("top_k")
            writer.raw(topK)
        }
    }

    private mutating func write(stops node: JSONNode) throws(ClientError) {
        guard node.isString || node.isArray else {
            throw .chatType("stop", expected: "one of a string or array of strings", node)
        }
        var stops: [JSONNode] = []
        for (index, stop) in (node.isString ? [node] : Array(node.elements)).enumerated() {
            guard index < MessagesReader.stopSequenceLimit else {
                throw .chat(
                    "Invalid 'stop': at most \(MessagesReader.stopSequenceLimit) are allowed.", "stop")
            }
            guard let text = stop.string else {
                throw .chatType("stop[\(index)]", expected: "a string", stop)
            }
            if text.allSatisfy(\.isWhitespace) {
                omit("stop[\(index)]", "only whitespace")
            } else {
                stops.append(stop)
                plan.stopSequences.append(text)
            }
        }
        guard !stops.isEmpty else { return }
        writer.name("stop_sequences")
        writer.beginArray()
        for stop in stops { writer.raw(stop) }
        writer.endArray()
    }

    // MARK: Thinking and format

    private enum Effort {
        case unsaid, off
        case level(StaticString)
    }

    private func effort(_ fields: inout ChatFields) throws(ClientError) -> Effort {
        let inner = fields.take("reasoning")?["effort"]
        let outer = try fields.string("reasoning_effort")
        guard let word = (outer ?? inner)?.string else { return .unsaid }
        switch word {
        case "none": return .off
        case "minimal", "low": return .level("low")
        case "medium": return .level("medium")
        case "high": return .level("high")
        case "xhigh": return .level("xhigh")
        case "max": return .level("max")
        default:
            throw .chatValue(
                "reasoning_effort", word,
                supported: "'none', 'minimal', 'low', 'medium', 'high', and 'xhigh'")
        }
    }

    /// Writes thinking, effort and the answer's form; returns whether the model is asked to think.
    private mutating func write(_ effort: Effort, _ format: ChatFormat, _ tools: ChatTools) -> Bool {
        var thinks = false
        switch effort {
        case .unsaid: break
        case .off:
            plan.showsThinking = false
            writer.name("thinking")
            writer.raw(#"{"type":"disabled"}"#)
        case .level where lacks(.thinking):
            omit("reasoning_effort", "the model does not think")
        case .level where target.reasoningRemedy == .thinkingOff:
            omit("reasoning_effort", "earlier turns have no reasoning to give back")
        case .level where isStrict && tools.choice.isForced:
            omit("reasoning_effort", "no thinking where a call is demanded")
        case .level:
            thinks = true
            plan.features.insert(.thinking)
            plan.reasoningRemedies = [.thinkingOff]
            writer.name("thinking")
            writer.raw(#"{"type":"adaptive","display":"summarized"}"#)
        }
        let schema = lacks(.structuredOutput) ? nil : format.schema(isStrict: isStrict)
        if schema != nil { plan.features.insert(.structuredOutput) }
        var level: StaticString?
        if case .level(let word) = effort, thinks {
            if lacks(.effort) { omit("reasoning_effort", "the model takes no level") } else { level = word }
        }
        if level != nil { plan.features.insert(.effort) }
        guard level != nil || schema != nil else { return thinks }
        writer.name("output_config")
        writer.beginObject()
        if let level {
            writer.name("effort")
            writer.value(Text(level))
        }
        if let schema {
            writer.name("format")
            writer.beginObject()
            writer.name("type")
            writer.value("json_schema")
            writer.name("schema")
            writer.raw(schema[...])
            writer.endObject()
        }
        writer.endObject()
        return thinks
    }

    private mutating func writeSystem(_ texts: [ChatText], _ format: ChatFormat) {
        var texts = texts
        if let words = format.words(isStrict: isStrict, isSchemaTaken: !lacks(.structuredOutput)) {
            texts.append(.words(words))
            omit("response_format", "asked for in the prompt")
        }
        guard !texts.isEmpty else { return }
        writer.name("system")
        writer.beginArray()
        for text in texts { write(.text(text)) }
        writer.endArray()
    }

    // MARK: Omissions

    /// An omission of the Messages request in the words of this client's request; nil when the client did not
    /// ask for what was left out.
    func inChatWords(_ omission: Omission) -> Omission? {
        var omission = omission
        switch omission.path {
        case "max_tokens" where !asksLength: return nil
        case "stop_sequences": omission.path = "stop"
        case "output_config.effort", "thinking", "thinking.budget_tokens": omission.path = "reasoning_effort"
        case "output_config.format": omission.path = "response_format"
        case "metadata.user_id", "metadata": return nil
        case let path where path.hasPrefix("messages."): omission.path = "messages"
        default: break
        }
        return omission
    }
}
