// The canonical request in the words of OpenAI chat completions, bent by the backend's profile. Texts,
// schemas and tool inputs are copied as they were received.

import JSON

extension MessagesRequest {
    /// The request for one backend. Pure: the same request and target give the same bytes.
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    public func converted(for target: UpstreamTarget) throws(ClientError) -> UpstreamCall {
        var converter = try OpenAIRequest(self, target)
        return try converter.convert()
    }
}

struct OpenAIRequest {
    private let request: MessagesRequest
    private let target: UpstreamTarget
    private let profile: Profile
    private var tools: SentTools
    private var names: UpstreamToolNames
    private var writer: JSONWriter
    private var omissions: [Omission]

    init(_ request: MessagesRequest, _ target: UpstreamTarget) throws(ClientError) {
        self.request = request
        self.target = target
        profile = target.profile
        tools = try SentTools(request, profile)
        names = UpstreamToolNames(profile.toolNames)
        omissions = request.omissions
        writer = JSONWriter(capacity: request.receivedBytes &+ 4096)
    }

    mutating func convert() throws(ClientError) -> UpstreamCall {
        let length = try Length(request, target)
        omissions += length.omissions + tools.omissions
        var builder = ConversationBuilder(request, profile)
        var system = try builder.build(request)
        if let nudge = tools.nudge { system.add(nudge, boundary: "\n\n") }
        if let words = schemaWords { system.add(words, boundary: "\n\n") }
        let prefill = try Ending(builder.messages, profile)
        omissions += builder.conversion.omissions

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
        omissions += ThinkingWords(request, target, hasPrefill: prefill.prefill != nil).write(to: &writer)
        writeEnd(hasPrefill: prefill.prefill != nil)
        writer.endObject()
        return UpstreamCall(
            path: String(describing: profile.chatPath), body: writer.bytes, omissions: omissions,
            plan: plan(length.maxTokens, prefill.prefill))
    }

    // MARK: Messages

    private mutating func writeMessage(_ role: StaticString, content: (inout JSONWriter) -> Void) {
        writer.beginObject()
        writer.name("role")
        writer.value(Text(role))
        writer.name("content")
        content(&writer)
        writer.endObject()
    }

    private mutating func write(_ message: ChatMessage, isPrefill: Bool) {
        switch message {
        case .system(let text): writeMessage("system") { $0.value(text) }
        case .user(let parts):
            writeMessage("user") { writer in
                if let text = ConversationBuilder.onlyText(parts) {
                    writer.value(text)
                } else {
                    writer.value(parts)
                }
            }
        case .tool(let call, let text):
            writer.beginObject()
            writer.name("role")
            writer.value("tool")
            writer.name("tool_call_id")
            writer.value(upstreamID(call.id))
            writer.name("content")
            writer.value(text)
            writer.endObject()
        case .assistant(let turn): write(turn, isPrefill)
        }
    }

    private mutating func write(_ turn: AssistantTurn, _ isPrefill: Bool) {
        writer.beginObject()
        writer.name("role")
        writer.value("assistant")
        writer.name("content")
        var text = turn.text
        if profile.reasoningEcho == .thinkTags, !turn.reasoning.isEmpty {
            var tagged = Text("<think>" as StaticString)
            tagged.add(turn.reasoning, boundary: "")
            tagged.add(Text("</think>\n" as StaticString), boundary: "")
            tagged.add(text, boundary: "")
            text = tagged
        }
        if text.isEmpty, !turn.calls.isEmpty, case .null = profile.contentOfCalls {
            writer.null()
        } else {
            writer.value(text)
        }
        switch profile.reasoningEcho {
        case .reasoningContent where !turn.reasoning.isEmpty:
            writer.name("reasoning_content")
            writer.value(turn.reasoning)
        case .reasoning where !turn.reasoning.isEmpty:
            writer.name("reasoning")
            writer.value(turn.reasoning)
        default: break
        }
        if isPrefill, case .prefixFlag = profile.prefill {
            writer.name("prefix")
            writer.value(true)
        }
        if !turn.calls.isEmpty { write(turn.calls) }
        writer.endObject()
    }

    private mutating func write(_ calls: [ToolUse]) {
        writer.name("tool_calls")
        writer.beginArray()
        for call in calls {
            writer.beginObject()
            writer.name("id")
            writer.value(upstreamID(call.id))
            writer.name("type")
            writer.value("function")
            writer.name("function")
            writer.beginObject()
            writer.name("name")
            writer.value(names.upstream(call.name))
            writer.name("arguments")
            if let input = call.input { writer.value(Text([.json(input)])) } else { writer.value("{}") }
            writer.endObject()
            writer.endObject()
        }
        writer.endArray()
    }

    private func upstreamID(_ client: String) -> String {
        let id = ToolIdentifier.forUpstream(client)
        switch profile.toolIDs {
        case .any: return id
        case .nineAlphanumeric:
            let isFit =
                id.utf8.count == 9
                && id.utf8.allSatisfy { UpstreamToolNames.isAllowed($0) && $0 != 45 && $0 != 95 }
            return isFit ? id : String(SHA256.hex(Array(id.utf8)).prefix(9))
        }
    }

    // MARK: Tools

    private mutating func writeTools() {
        guard !tools.tools.isEmpty else { return }
        writer.name("tools")
        writer.beginArray()
        for tool in tools.tools {
            writer.beginObject()
            writer.name("type")
            writer.value("function")
            writer.name("function")
            writer.beginObject()
            writer.name("name")
            writer.value(names.upstream(tool.name))
            writer.name("description")
            if let description = tool.description {
                writer.raw(description)
            } else if case .client(let client) = tool.kind {
                writer.value(Text(client.description))
            } else {
                writer.value("")
            }
            writer.name("parameters")
            tool.writeSchema(profile.schema, to: &writer)
            writer.endObject()
            writer.endObject()
        }
        writer.endArray()
        writeChoice()
        if request.disableParallelToolUse, profile.parallelToolCalls {
            writer.name("parallel_tool_calls")
            writer.value(false)
        }
    }

    private mutating func writeChoice() {
        guard let choice = tools.choice else { return }
        writer.name("tool_choice")
        switch choice {
        case .auto: writer.value("auto")
        case .never: writer.value("none")
        case .any:
            if case .full(let word) = profile.toolChoice {
                writer.value(Text(word))
            } else {
                writer.value("required")
            }
        case .tool(let name):
            writer.beginObject()
            writer.name("type")
            writer.value("function")
            writer.name("function")
            writer.beginObject()
            writer.name("name")
            writer.value(names.upstream(name))
            writer.endObject()
            writer.endObject()
        }
    }

    // MARK: Parameters

    private mutating func writeLength(_ maxTokens: Int) {
        switch profile.maxTokens {
        case .maxTokens: writer.name("max_tokens")
        case .maxCompletionTokens: writer.name("max_completion_tokens")
        case .byModel(let pattern):
            writer.name(
                pattern.matches(target.model) ? "max_completion_tokens" : "max_tokens" as StaticString)
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

    /// The schema of the answer in the prompt, for backends that only know "some object".
    private var schemaWords: Text? {
        guard let schema = request.outputSchema else { return nil }
        if case .schema = profile.structuredOutput { return nil }
        return Text([
            .words("Answer with one JSON object and nothing else. It must follow this JSON Schema:\n"),
            .json(schema),
        ])
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
            writer.raw(schema)
            writer.endObject()
            writer.endObject()
        case .objectOnly:
            writer.name("response_format")
            writer.raw(#"{"type":"json_object"}"#)
            omit("output_config.format", "the backend takes no schema; asked in the prompt")
        case .unsupported:
            omit("output_config.format", "the backend takes no schema; asked in the prompt")
        }
    }

    private mutating func writeEnd(hasPrefill: Bool) {
        if hasPrefill, case .continueFinalMessage = profile.prefill {
            writer.name("add_generation_prompt")
            writer.value(false)
            writer.name("continue_final_message")
            writer.value(true)
        }
        writer.name("stream")
        writer.value(request.stream)
        guard request.stream, profile.streamOptions else { return }
        writer.name("stream_options")
        writer.raw(#"{"include_usage":true}"#)
    }

    private mutating func omit(_ path: String, _ reason: String) {
        omissions.append(Omission(path: path, reason: reason))
    }

    // MARK: Plan

    private func plan(_ maxTokens: Int, _ prefill: AssistantTurn?) -> ReplyPlan {
        var plan = ReplyPlan()
        plan.toolNames = tools.tools.map(\.name)
        plan.renamedTools = names.renamed
        for tool in tools.tools { plan.toolSchemas[tool.name] = tool.schemaBytes }
        plan.stopSequences = request.stopSequences.compactMap(\.string)
        plan.thinkingRequested = request.thinking.isOn
        plan.thinkingDisplayOmitted = request.thinkingDisplayOmitted
        plan.thinkTags = target.thinkTags
        plan.disableParallelToolUse = request.disableParallelToolUse
        plan.streamRequested = request.stream
        plan.reasoningEcho = profile.reasoningEcho
        plan.maxTokens = maxTokens
        plan.contextWindow = target.contextWindow
        if let prefill {
            var writer = JSONWriter()
            writer.value(prefill.text)
            plan.prefill = (try? JSONDocument(parsing: writer.bytes))?.root.string
        }
        return plan
    }
}

extension JSONWriter {
    mutating func value(_ text: Text) { string { text.write(to: &$0) } }

    /// Content parts.
    mutating func value(_ parts: [Part]) {
        beginArray()
        for part in parts {
            beginObject()
            name("type")
            switch part {
            case .text(let text):
                value("text")
                name("text")
                value(text)
            case .image(let source):
                value("image_url")
                name("image_url")
                beginObject()
                name("url")
                value(Self.address(of: source))
                endObject()
            case .pdf(let data, let title):
                value("file")
                name("file")
                beginObject()
                name("filename")
                if let title { raw(title) } else { value("document.pdf") }
                name("file_data")
                value(Text([.words("data:application/pdf;base64,"), .slice(TextSlice(data))]))
                endObject()
            }
            endObject()
        }
        endArray()
    }

    private static func address(of source: ImageSource) -> Text {
        switch source {
        case .base64(let mediaType, let data):
            var type: [Text.Piece] = [.words("image/png")]
            if let mediaType { type = [.slice(TextSlice(mediaType))] }
            return Text([.words("data:")] + type + [.words(";base64,"), .slice(TextSlice(data))])
        case .url(let url): return Text(url)
        case .unreachable: return Text()
        }
    }
}
