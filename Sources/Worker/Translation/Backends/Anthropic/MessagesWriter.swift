// The canonical request in the words of the Messages API, for backends that speak it and clients that do not.
// The API refuses what it does not take, so that what cannot be said is left out by name.

internal import BackendSettings
import JSON

struct MessagesWriter: DialectRequest {
    let request: CanonicalRequest
    private let target: UpstreamTarget
    private let length: OutputBudget
    private let choice: ToolChoice?
    private let tools: [Tool]
    /// For blocks that this API has, but not from these clients.
    var conversion: BlockConversion
    var writer: JSONWriter
    private var losses: [Loss]
    private var features: Set<Feature> = []

    /// Of `metadata.user_id`, in bytes.
    private static let longestUser = 256

    init(_ prepared: PreparedRequest, _ target: UpstreamTarget) {
        let request = prepared.content
        self.request = request
        self.target = target
        length = OutputBudget(request, target, input: prepared.estimate.tokens)
        losses = prepared.losses + length.losses
        conversion = BlockConversion(request, profile: target.$profile)
        writer = JSONWriter(capacity: prepared.receivedBytes &+ 1024)
        let offered = ToolAvailability(events: request.toolEvents, of: request.tools).offered(request.tools)
        // The API takes no calls of tools that it does not know: those of earlier turns are declared,
        // although none may be called now.
        let called = offered.isEmpty ? Self.called(in: request.messages) : []
        tools = offered + called
        choice = called.isEmpty ? request.toolChoice : .never
    }

    private static func called(in messages: [Message]) -> [Tool] {
        var names: Set<String> = []
        var tools: [Tool] = []
        for message in messages {
            for case .toolUse(let call) in message.blocks where names.insert(call.name).inserted {
                tools.append(
                    Tool(
                        name: call.name, kind: .custom(schema: nil), description: nil, isDeferred: false,
                        isStrict: false, index: tools.count))
            }
        }
        return tools
    }

    mutating func omit(_ part: RequestPart, _ reason: String) { losses.append(Loss(part, reason)) }

    /// What this model of this backend was found not to take.
    private func lacks(_ feature: Feature) -> Bool { target.lacking.contains(feature) }

    mutating func convert() throws(Failure) -> UpstreamCall {
        let turns = try turns()
        writer.beginObject()
        writer.name("model")
        writer.value(target.model)
        writer.name("max_tokens")
        writer.value(length.maxTokens)
        writeSystem()
        writer.name("messages")
        writer.beginArray()
        for (index, turn) in turns.enumerated() { write(turn, isLast: index == turns.count - 1) }
        writer.endArray()
        writeTools()
        let thinks = writeThinking()
        writeOutput(level: thinks ? request.effort : nil)
        writeSampling(thinks: thinks)
        writeUser()
        writer.name("stream")
        writer.value(target.streams(request.stream))
        writer.endObject()
        let omissions = request.omissions + (losses + conversion.losses).compactMap(request.omission)
        var call = UpstreamCall(
            path: "/v1/messages", body: writer.bytes, omissions: omissions, plan: plan(thinks: thinks))
        call.headers = MessagesHead().headers(
            accept: target.streams(request.stream) ? "text/event-stream" : "application/json")
        return call
    }

    private func plan(thinks: Bool) -> ReplyPlan {
        var plan = ReplyPlan()
        plan.dialect = .anthropic
        plan.toolNames = tools.map(\.name)
        for tool in tools { plan.toolSchemas[tool.name] = tool.schemaBytes }
        plan.stopSequences = request.stopSequences.compactMap(\.string)
        plan.showsThinking = !isThinkingOff
        plan.thinkingDisplayOmitted = request.thinkingDisplayOmitted
        plan.settings = target.settings
        plan.settings.thinkTags = .off
        plan.recoverCalls(for: target, forbidsCalls: choice == .never)
        plan.disableParallelToolUse = request.disableParallelToolUse
        plan.streamRequested = target.streams(request.stream)
        plan.maxTokens = length.maxTokens
        plan.contextWindow = target.contextWindow
        plan.features = features
        if thinks { plan.reasoningRemedies = [.thinkingOff] }
        return plan
    }

    // MARK: Parameters

    private mutating func writeSystem() {
        let words = formatWords
        if words != nil { omit(.outputFormat, "asked for in the prompt") }
        guard !request.system.isEmpty || words != nil else { return }
        writer.name("system")
        writer.beginArray()
        for text in request.system { write(text: text) }
        if let words { write(text: JSONNode(text: words)) }
        writer.endArray()
    }

    /// What the prompt says instead of a schema. The API takes none that leaves open what is in an object.
    private var formatWords: String? {
        guard let schema = request.outputSchema else { return nil }
        let words = "Answer with one JSON object and nothing else."
        if request.outputIsAnyObject { return words }
        guard lacks(.structuredOutput) else { return nil }
        return "\(words) It must follow this JSON Schema:\n" + String(decoding: schema.raw, as: UTF8.self)
    }

    private mutating func writeTools() {
        guard !tools.isEmpty else { return }
        writer.name("tools")
        writer.beginArray()
        for tool in tools { write(tool) }
        writer.endArray()
        guard let choice else { return }
        writer.name("tool_choice")
        writer.beginObject()
        writer.name("type")
        switch choice {
        case .auto: writer.value("auto")
        case .never: writer.value("none")
        case .any: writer.value("any")
        case .tool(let name):
            writer.value("tool")
            writer.name("name")
            writer.value(name)
        }
        if request.disableParallelToolUse, choice != .never {
            writer.name("disable_parallel_tool_use")
            writer.value(true)
        }
        writer.endObject()
    }

    private mutating func write(_ tool: Tool) {
        writer.beginObject()
        writer.name("name")
        writer.value(tool.name)
        if let description = tool.description {
            writer.name("description")
            writer.raw(description)
        } else if case .client(let client) = tool.kind {
            writer.name("description")
            writer.value(TextRope(client.description))
        }
        writer.name("input_schema")
        switch tool.kind {
        case .custom(let schema?): writer.raw(schema)
        case .client(let client): writer.raw(client.schema)
        case .custom(nil), .server: writer.raw(#"{"type":"object","properties":{}}"#)
        }
        if tool.isStrict {
            writer.name("strict")
            writer.value(true)
        }
        writer.endObject()
    }

    /// By the client; where it is the gateway's remedy, nothing is said of it.
    private var isThinkingOff: Bool {
        request.thinking == .disabled && target.reasoningRemedy != .thinkingOff
    }

    /// Returns whether the model is asked to think.
    private mutating func writeThinking() -> Bool {
        guard request.thinking.isOn else {
            if isThinkingOff {
                writer.name("thinking")
                writer.raw(#"{"type":"disabled"}"#)
            }
            return false
        }
        guard !lacks(.thinking) else {
            omit(.thinking, "the model does not think")
            return false
        }
        if choice?.isForced == true {
            omit(.thinking, "no thinking where a call is demanded")
            return false
        }
        features.insert(.thinking)
        writer.name("thinking")
        writer.beginObject()
        writer.name("type")
        if case .enabled(let budget?) = request.thinking {
            writer.value("enabled")
            writer.name("budget_tokens")
            writer.value(budget)
        } else {
            writer.value("adaptive")
        }
        writer.name("display")
        writer.value(request.thinkingDisplayOmitted ? "omitted" : "summarized")
        writer.endObject()
        return true
    }

    private mutating func writeOutput(level: Effort?) {
        var level = level
        if level != nil, lacks(.effort) {
            omit(.effort, "the model takes no level")
            level = nil
        }
        let schema = formatWords == nil ? request.outputSchema : nil
        guard level != nil || schema != nil else { return }
        writer.name("output_config")
        writer.beginObject()
        if let level {
            features.insert(.effort)
            writer.name("effort")
            writer.value(level.rawValue)
        }
        if let schema {
            features.insert(.structuredOutput)
            writer.name("format")
            writer.beginObject()
            writer.name("type")
            writer.value("json_schema")
            writer.name("schema")
            writer.raw(schema)
            writer.endObject()
        }
        writer.endObject()
    }

    private mutating func writeSampling(thinks: Bool) {
        if !request.stopSequences.isEmpty {
            writer.name("stop_sequences")
            writer.beginArray()
            for stop in request.stopSequences { writer.raw(stop) }
            writer.endArray()
        }
        // Zero asks for nothing.
        for option in request.furtherSampling where option.value.double != 0 {
            omit(.further(option), "not carried to this backend")
        }
        let fields: [(RequestPart, JSONNode?)] = [
            (.temperature, request.temperature), (.topP, request.topP), (.topK, request.topK),
        ]
        let given = fields.filter { $0.1 != nil }
        guard !given.isEmpty else { return }
        guard !lacks(.sampling), !thinks else {
            let reason = thinks ? "not possible together with thinking" : "the model does not take it"
            for (part, _) in given { omit(part, reason) }
            return
        }
        features.insert(.sampling)
        if let temperature = request.temperature {
            writer.name("temperature")
            if (temperature.double ?? 0) > 1 {
                omit(.temperature, "lowered to 1, the highest that the API takes")
                writer.value(1)
            } else {
                writer.raw(temperature)
            }
        }
        if let topP = request.topP {
            if request.temperature != nil {
                omit(.topP, "the API takes only one of temperature and top_p")
            } else {
                writer.name("top_p")
                writer.raw(topP)
            }
        }
        if let topK = request.topK {
            writer.name("top_k")
            writer.raw(topK)
        }
    }

    private mutating func writeUser() {
        guard let user = request.userID, user.stringRange.count <= Self.longestUser else { return }
        writer.name("metadata")
        writer.beginObject()
        writer.name("user_id")
        writer.raw(user)
        writer.endObject()
    }
}

extension ToolChoice {
    fileprivate var isForced: Bool {
        switch self {
        case .any, .tool: true
        case .auto, .never: false
        }
    }
}
