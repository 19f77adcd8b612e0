// From the canonical request to a backend's: which converter, and what all of them share.

import JSON

extension MessagesRequest {
    /// The request for one backend. Pure: the same request and target give the same bytes.
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    public func converted(for target: UpstreamTarget) throws(ClientError) -> UpstreamCall {
        let request = prepared(for: target)
        var call: UpstreamCall
        switch target.profile.dialect {
        case .ollama:
            var converter = try OllamaRequest(request, target)
            call = try converter.convert()
        case .anthropic: return try relayed(to: target)
        case .openAI:
            var converter = try OpenAIRequest(request, target)
            call = try converter.convert()
        }
        call.repairs = request.historyRepairs
        return call
    }

    /// The schema of the answer in the prompt, for backends that only know "some object".
    func schemaWords(for profile: Profile) -> Text? {
        guard let outputSchema = self.outputSchema else { return nil }
        if case .schema = profile.structuredOutput { return nil }
        return Text([
            .words("Answer with one JSON object and nothing else. It must follow this JSON Schema:\n"),
            .json(outputSchema),
        ])
    }
}

/// What every dialect writes in its own way: the system prompt, the turns, and how they end.
struct ArrangedConversation {
    let system: Text
    let ending: Ending
    let omissions: [Omission]

    init(_ request: MessagesRequest, _ profile: Profile, _ tools: OfferedTools) throws(ClientError) {
        var builder = ConversationBuilder(request, profile)
        var system = try builder.build(request)
        if let nudge = tools.nudge { system.add(nudge, boundary: "\n\n") }
        if let words = request.schemaWords(for: profile) { system.add(words, boundary: "\n\n") }
        let ending = try Ending(builder.messages, profile)
        guard !ending.messages.isEmpty || ending.prefill != nil else {
            // Blocks that turned out to hold nothing: no backend answers an empty conversation.
            throw .invalid("messages: text content blocks must be non-empty")
        }
        self.system = system
        self.ending = ending
        omissions = builder.conversion.omissions
    }
}

extension ReplyPlan {
    init(
        _ request: MessagesRequest, _ target: UpstreamTarget, _ tools: OfferedTools,
        _ names: UpstreamToolNames,
        _ length: Length, _ ending: Ending, _ asked: Set<Feature>
    ) {
        dialect = target.profile.dialect
        toolNames = tools.tools.map(\.name)
        renamedTools = names.renamed
        for tool in tools.tools { toolSchemas[tool.name] = tool.schemaBytes }
        stopSequences = request.stopSequences.compactMap(\.string)
        showsThinking = request.thinking != .disabled
        for message in request.messages {
            for case .toolUse(let call) in message.blocks { knownCallIDs.insert(call.id) }
        }
        thinkingDisplayOmitted = request.thinkingDisplayOmitted
        thinkTags = target.thinkTags
        recoverCalls(for: target, forbidsCalls: request.toolChoice == .never)
        disableParallelToolUse = request.disableParallelToolUse
        streamRequested = target.streams(request.stream)
        reasoningEcho = target.profile.reasoningEcho
        maxTokens = length.maxTokens
        contextWindow = target.contextWindow
        loadedWindow = target.loadedWindow
        // Simplified once, a schema has nothing more to give up.
        features = asked.subtracting(target.lacking)
        promptEstimate = request.estimate(for: target).tokens
        if let turn = ending.prefill {
            var writer = JSONWriter()
            writer.value(turn.text)
            prefill = (try? JSONDocument(parsing: writer.bytes))?.root.string
            prefillEcho = PrefillEcho.Habit(target.profile.prefill)
        }
    }
}
