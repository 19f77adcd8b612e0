// The canonical request in the words of OpenAI chat completions, bent by the backend's profile. Texts,
// schemas and tool inputs are copied as they were received.

import JSON

struct OpenAIRequest {
    let request: MessagesRequest
    let target: UpstreamTarget
    let profile: Profile
    var tools: OfferedTools
    var names: UpstreamToolNames
    var ids: UpstreamCallIDs
    var writer: JSONWriter
    private var omissions: [Omission]
    /// What stands for the reasoning of turns that have none.
    private(set) var reasoningFiller: StaticString?
    /// What was written that a model may not take.
    var features: Set<Feature> = []
    private var lengthName: Feature?

    init(_ request: MessagesRequest, _ asked: UpstreamTarget) throws(ClientError) {
        self.request = request
        var target = asked
        target.profile = asked.usableProfile
        self.target = target
        profile = target.profile
        tools = try OfferedTools(request, profile)
        names = UpstreamToolNames(profile.toolNames)
        ids = UpstreamCallIDs(profile.toolIDs)
        omissions = request.omissions + request.omitted(lacking: target.lacking)
        writer = JSONWriter(capacity: request.receivedBytes &+ 4096)
    }

    mutating func convert() throws(ClientError) -> UpstreamCall {
        let length = try Length(request, target)
        omissions += length.omissions + tools.omissions
        let arranged = try ArrangedConversation(request, profile, tools)
        let (system, prefill) = (arranged.system, arranged.ending)
        omissions += arranged.omissions
        let thinking = ReasoningParameters(request, target, length, hasPrefill: prefill.prefill != nil)
        if target.reasoningRemedy == .filled || thinking.isOn == true {
            reasoningFiller = profile.reasoningFiller
        }

        writer.beginObject()
        writer.name("model")
        writer.value(target.model)
        writer.name("messages")
        writer.beginArray()
        if !system.isEmpty { writeMessage("system") { $0.value(system) } }
        for message in prefill.messages { write(message, isPrefill: false) }
        if let last = prefill.prefill { write(.assistant(last), isPrefill: true) }
        writer.endArray()
        writeTools()
        writeLength(length.maxTokens)
        writeSampling()
        writeOutputFormat()
        let beforeThinking = writer.bytes.count
        omissions += thinking.write(to: &writer)
        if writer.bytes.count > beforeThinking { features.insert(.thinking) }
        if thinking.level != nil { features.insert(.effort) }
        writeEnd(hasPrefill: prefill.prefill != nil)
        writer.endObject()
        var plan = ReplyPlan(request, target, tools, names, length, prefill, features)
        plan.lengthName = lengthName
        plan.reasoningRemedies = thinking.remedies(isFilled: reasoningFiller != nil)
        return UpstreamCall(
            path: String(describing: profile.chatPath), body: writer.bytes, omissions: omissions, plan: plan)
    }

    // MARK: Parameters

    private mutating func writeLength(_ maxTokens: Int) {
        switch profile.maxTokens {
        case .maxTokens:
            writer.name("max_tokens")
            lengthName = .maxTokens
        case .maxCompletionTokens:
            writer.name("max_completion_tokens")
            lengthName = .maxCompletionTokens
        }
        writer.value(maxTokens)
    }

    private mutating func writeSampling() {
        let isFixed = profile.fixedSampling.matches(target.model)
        let fields: [(StaticString, JSONNode?, Bool)] = [
            ("temperature", request.temperature, !isFixed), ("top_p", request.topP, !isFixed),
            ("top_k", request.topK, profile.topK && !isFixed),
        ]
        for (name, value, isTaken) in fields {
            guard let value else { continue }
            if isTaken {
                features.insert(.sampling)
                writer.name(name)
                writer.raw(value)
            } else {
                omit(String(describing: name), "the backend does not take it")
            }
        }
        let limit = isFixed ? 0 : profile.maxStops ?? .max
        let stops = request.stopSequences.prefix(limit)
        if stops.count < request.stopSequences.count {
            omit("stop_sequences", "the backend takes \(limit) of \(request.stopSequences.count)")
        }
        if !stops.isEmpty {
            features.insert(.sampling)
            writer.name("stop")
            writer.beginArray()
            for stop in stops { writer.raw(stop) }
            writer.endArray()
        }
        if let user = request.userID?.string, case .hashed(let name) = profile.userIdentity {
            writer.name(name)
            writer.value(SHA256.hex(Array(user.utf8)))
        }
    }

    private mutating func writeOutputFormat() {
        guard let schema = request.outputSchema else { return }
        switch profile.structuredOutput {
        case .schema:
            writer.name("response_format")
            writer.beginObject()
            writer.name("type")
            writer.value("json_schema")
            writer.name("json_schema")
            writer.beginObject()
            writer.name("name")
            writer.value("output")
            writer.name("schema")
            var schemas = SchemaWriter(profile.schema)
            schemas.write(schema, to: &writer)
            writer.endObject()
            writer.endObject()
            features.formUnion([.structuredOutput, .schemaKeywords])
        case .objectOnly:
            writer.name("response_format")
            writer.raw(#"{"type":"json_object"}"#)
            features.insert(.structuredOutput)
            omit("output_config.format", "the backend takes no schema; asked in the prompt")
        case .unsupported:
            omit("output_config.format", "the backend takes no schema; asked in the prompt")
        }
    }

    private mutating func writeEnd(hasPrefill: Bool) {
        if hasPrefill { features.insert(.prefill) }
        if hasPrefill, case .continueFinalMessage = profile.prefill {
            writer.name("add_generation_prompt")
            writer.value(false)
            writer.name("continue_final_message")
            writer.value(true)
        }
        writer.name("stream")
        let streams = target.streams(request.stream)
        writer.value(streams)
        guard streams, profile.streamOptions else { return }
        writer.name("stream_options")
        writer.raw(#"{"include_usage":true}"#)
        features.insert(.streamOptions)
    }

    private mutating func omit(_ path: String, _ reason: String) {
        omissions.append(Omission(path: path, reason: reason))
    }
}
