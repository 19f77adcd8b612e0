// The canonical request in the words of Ollama's /api/chat. What Ollama would do unasked is said each time:
// how much of the prompt it keeps, whether it thinks, whether it streams.
// Holds: `num_ctx` is always there, and the same for a model, since another value loads the model anew; what
// does not fit is refused, never cut.

internal import BackendSettings
import JSON

extension UpstreamTarget {
    /// The window that a model of which nothing is known is asked for, in tokens.
    public static let unknownOllamaWindow = 32_768
}

struct OllamaRequest: ArrangedRequest {
    var builder: UpstreamRequestBuilder

    init(_ prepared: PreparedRequest, _ asked: UpstreamTarget) throws(Failure) {
        var target = asked
        target.contextWindow = target.contextWindow ?? UpstreamTarget.unknownOllamaWindow
        builder = try UpstreamRequestBuilder(prepared, target)
        if let cut = target.promptTruncation { try cut.refuse(prepared.estimate.tokens) }
    }

    mutating func convert() throws(Failure) -> UpstreamCall {
        let arranged = try builder.arranged()
        let (system, ending) = (arranged.system, arranged.ending)

        writer.beginObject()
        writer.name("model")
        writer.value(target.model)
        writer.name("messages")
        writer.beginArray()
        if !system.isEmpty { writeMessage("system", system) }
        for message in ending.messages { write(message) }
        if let last = ending.prefill { write(.assistant(last)) }
        writer.endArray()
        if !tools.tools.isEmpty {
            features.formUnion([.tools, .schemaKeywords])
            builder.writer.functions(tools.tools, &builder.names, profile)
        }
        writeThink(hasPrefill: ending.prefill != nil)
        writeFormat()
        writeOptions(builder.length.maxTokens)
        writeKeepAlive()
        // Both are true when they are not said: the front of a long prompt, with its system prompt and tools,
        // would be thrown away in silence (ollama#3839).
        writer.name("truncate")
        writer.value(false)
        writer.name("shift")
        writer.value(false)
        writer.name("stream")
        writer.value(target.streams(request.stream))
        writer.endObject()
        return builder.call(ReplyPlan(builder, ending))
    }

    // MARK: Parameters

    private mutating func writeThink(hasPrefill: Bool) {
        if hasPrefill { features.insert(.prefill) }
        let thinking = ReasoningParameters(request, target, builder.length, hasPrefill: hasPrefill)
        let before = writer.bytes.count
        builder.omit(thinking.write(to: &writer))
        if writer.bytes.count > before { features.insert(.thinking) }
        if thinking.level != nil { features.insert(.effort) }
    }

    private mutating func writeOptions(_ maxTokens: Int) {
        writer.name("options")
        writer.beginObject()
        if let window = target.contextWindow {
            writer.name("num_ctx")
            writer.value(window)
        }
        writer.name("num_predict")
        // 0 and below have other meanings.
        writer.value(max(maxTokens, 1))
        let sampling: [(StaticString, JSONNode?)] = [
            ("temperature", request.temperature), ("top_p", request.topP), ("top_k", request.topK),
        ]
        for (name, value) in sampling {
            guard let value else { continue }
            writer.name(name)
            writer.raw(value)
        }
        for option in request.furtherSampling {
            writer.name(option.name)
            writer.raw(option.value)
        }
        if !request.stopSequences.isEmpty {
            writer.name("stop")
            writer.beginArray()
            for stop in request.stopSequences { writer.raw(stop) }
            writer.endArray()
        }
        writer.endObject()
    }

    private mutating func writeFormat() {
        guard let schema = request.outputSchema else { return }
        guard case .schema = profile.structuredOutput else {
            return builder.omit(.outputFormat, "the model takes no schema; asked in the prompt")
        }
        features.formUnion([.structuredOutput, .schemaKeywords])
        writer.name("format")
        var schemas = SchemaWriter(profile.schema)
        schemas.write(schema, to: &writer)
    }

    private mutating func writeKeepAlive() {
        guard let keepAlive = target.settings.keepAlive else { return }
        writer.name("keep_alive")
        switch keepAlive {
        case .seconds(let count): writer.value(count)
        case .time(let text): writer.value(text)
        }
    }
}
