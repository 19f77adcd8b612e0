// The canonical request in the words of OpenAI chat completions, bent by the backend's profile. Texts,
// schemas and tool inputs are copied as they were received.

import JSON

struct OpenAIRequest: ArrangedRequest {
    var builder: UpstreamRequestBuilder
    /// What stands for the reasoning of turns that have none.
    private(set) var reasoningFiller: StaticString?
    private var lengthName: Feature?

    init(_ prepared: PreparedRequest, _ target: UpstreamTarget) throws(Failure) {
        builder = try UpstreamRequestBuilder(prepared, target)
    }

    mutating func convert() throws(Failure) -> UpstreamCall {
        let arranged = try builder.arranged()
        let (system, ending) = (arranged.system, arranged.ending)
        let hasPrefill = ending.prefill != nil
        let thinking = ReasoningParameters(request, target, builder.length, hasPrefill: hasPrefill)
        if target.reasoningRemedy == .filled || thinking.isOn == true {
            reasoningFiller = profile.reasoningFiller
        }

        writer.beginObject()
        writer.name("model")
        writer.value(target.model)
        writer.name("messages")
        writer.beginArray()
        if !system.isEmpty { writeMessage("system") { $0.value(system) } }
        for message in ending.messages { write(message, isPrefill: false) }
        if let last = ending.prefill { write(.assistant(last), isPrefill: true) }
        writer.endArray()
        writeTools()
        writeLength(builder.length.maxTokens)
        writeSampling()
        writeOutputFormat()
        let beforeThinking = writer.bytes.count
        builder.omit(thinking.write(to: &writer))
        if writer.bytes.count > beforeThinking { features.insert(.thinking) }
        if thinking.level != nil { features.insert(.effort) }
        writeEnd(hasPrefill: hasPrefill)
        writer.endObject()
        var plan = ReplyPlan(builder, ending)
        plan.lengthName = lengthName
        plan.reasoningRemedies = thinking.remedies(isFilled: reasoningFiller != nil)
        return builder.call(plan)
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
        let fields: [(StaticString, RequestPart, JSONNode?, Bool)] = [
            ("temperature", .temperature, request.temperature, !isFixed),
            ("top_p", .topP, request.topP, !isFixed),
            ("top_k", .topK, request.topK, profile.topK && !isFixed),
        ]
        for (name, part, value, isTaken) in fields {
            guard let value else { continue }
            if isTaken {
                features.insert(.sampling)
                writer.name(name)
                writer.raw(value)
            } else {
                builder.omit(part, "the backend does not take it")
            }
        }
        let limit = isFixed ? 0 : profile.maxStops ?? .max
        let stops = request.stopSequences.prefix(limit)
        if stops.count < request.stopSequences.count {
            builder.omit(.stopSequences, "the backend takes \(limit) of \(request.stopSequences.count)")
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
            builder.omit(.outputFormat, "the backend takes no schema; asked in the prompt")
        case .unsupported:
            builder.omit(.outputFormat, "the backend takes no schema; asked in the prompt")
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
        if let slot = target.takenSlot {
            writer.name("id_slot")
            writer.value(slot)
        }
        writer.name("stream")
        let streams = target.streams(request.stream)
        writer.value(streams)
        guard streams, profile.streamOptions else { return }
        writer.name("stream_options")
        writer.raw(#"{"include_usage":true}"#)
        features.insert(.streamOptions)
    }
}
