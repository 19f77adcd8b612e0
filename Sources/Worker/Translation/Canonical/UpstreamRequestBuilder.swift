// What the requests of all dialects have in common: what is offered and under which names, what fits, how the
// conversation is arranged, what is left out. A dialect adds the part that differs.

import JSON

/// A request for one backend while it is written.
struct UpstreamRequestBuilder {
    let prepared: PreparedRequest
    let target: UpstreamTarget
    let length: OutputBudget
    let tools: OfferedTools
    var names: UpstreamToolNames
    var ids: UpstreamCallIDs
    var writer: JSONWriter
    /// What was written that a model may not take.
    var features: Set<Feature> = []
    private var losses: [Loss]

    var request: CanonicalRequest { prepared.content }
    var profile: Profile { _read { yield target.profile } }

    /// - Throws: 400 for tools that must be used and are not there, and when the prompt is surely too long.
    init(_ prepared: PreparedRequest, _ asked: UpstreamTarget) throws(Failure) {
        self.prepared = prepared
        let request = prepared.content
        var target = asked
        target.$profile = asked.usableProfile
        self.target = target
        tools = try OfferedTools(request, target.profile)
        names = UpstreamToolNames(target.profile.toolNames)
        ids = UpstreamCallIDs(target.profile.toolIDs)
        length = OutputBudget(request, target, input: try prepared.estimate.fitting(target))
        losses = prepared.losses + request.losses(lacking: target.lacking) + length.losses + tools.losses
        writer = JSONWriter(capacity: prepared.receivedBytes &+ 4096)
    }

    mutating func omit(_ part: RequestPart, _ reason: String) { losses.append(Loss(part, reason)) }

    mutating func omit(_ more: [Loss]) { losses += more }

    /// The system prompt, the turns, and how they end.
    mutating func arranged() throws(Failure) -> ArrangedConversation {
        let arranged = try ArrangedConversation(prepared, target.$profile, tools)
        losses += arranged.losses
        return arranged
    }

    /// What was written, with the plan for its reply.
    func call(_ plan: ReplyPlan) -> UpstreamCall {
        UpstreamCall(
            path: String(describing: profile.chatPath), body: writer.bytes,
            omissions: request.omissions + losses.compactMap(request.omission), plan: plan)
    }
}

/// The request of a dialect that arranges a conversation as OpenAI's does.
protocol ArrangedRequest: DialectRequest {
    var builder: UpstreamRequestBuilder { get set }
}

extension ArrangedRequest {
    var request: CanonicalRequest { builder.request }
    var target: UpstreamTarget { builder.target }
    var profile: Profile { _read { yield builder.target.profile } }
    var tools: OfferedTools { builder.tools }

    var writer: JSONWriter {
        @inline(__always) get { builder.writer }
        @inline(__always) _modify { yield &builder.writer }
    }

    var features: Set<Feature> {
        @inline(__always) get { builder.features }
        @inline(__always) _modify { yield &builder.features }
    }
}

extension CanonicalRequest {
    /// The schema of the answer in the prompt, for backends that only know "some object".
    func schemaWords(for profile: Profile) -> TextRope? {
        guard let outputSchema = self.outputSchema else { return nil }
        if case .schema = profile.structuredOutput { return nil }
        return TextRope([
            .words("Answer with one JSON object and nothing else. It must follow this JSON Schema:\n"),
            .json(outputSchema),
        ])
    }
}

/// What every dialect writes in its own way: the system prompt, the turns, and how they end.
struct ArrangedConversation {
    let system: TextRope
    let ending: PrefillSplit
    let losses: [Loss]

    init(_ prepared: PreparedRequest, _ profile: Boxed<Profile>, _ tools: OfferedTools) throws(Failure) {
        let request = prepared.content
        var builder = ConversationBuilder(prepared, profile)
        var system = try builder.build(request)
        if let nudge = tools.nudge { system.add(nudge, boundary: "\n\n") }
        if let words = request.schemaWords(for: profile.wrappedValue) { system.add(words, boundary: "\n\n") }
        let ending = try PrefillSplit(builder.messages, profile.wrappedValue)
        guard !ending.messages.isEmpty || ending.prefill != nil else {
            // Blocks that turned out to hold nothing: no backend answers an empty conversation.
            throw request.vocabulary.emptyConversation
        }
        self.system = system
        self.ending = ending
        losses = builder.conversion.losses
    }
}

extension ReplyPlan {
    init(_ builder: borrowing UpstreamRequestBuilder, _ ending: PrefillSplit) {
        let request = builder.request
        let target = builder.target
        dialect = target.profile.dialect
        toolNames = builder.tools.tools.map(\.name)
        renamedTools = builder.names.renamed
        for tool in builder.tools.tools { toolSchemas[tool.name] = tool.schemaBytes }
        stopSequences = request.stopSequences.compactMap(\.string)
        showsThinking = request.thinking != .disabled
        for message in request.messages {
            for case .toolUse(let call) in message.blocks { knownCallIDs.insert(call.id) }
        }
        thinkingDisplayOmitted = request.thinkingDisplayOmitted
        settings = target.settings
        recoverCalls(for: target, forbidsCalls: request.toolChoice == .never)
        disableParallelToolUse = request.disableParallelToolUse
        streamRequested = target.streams(request.stream)
        reasoningEcho = target.profile.reasoningEcho
        maxTokens = builder.length.maxTokens
        contextWindow = target.contextWindow
        loadedWindow = target.loadedWindow
        // Simplified once, a schema has nothing more to give up.
        features = builder.features.subtracting(target.lacking)
        promptEstimate = builder.prepared.estimate.tokens
        if let turn = ending.prefill {
            var writer = JSONWriter()
            writer.value(turn.text)
            prefill = (try? JSONDocument(parsing: writer.bytes))?.root.string
            prefillEcho = PrefillEcho.Habit(target.profile.prefill)
        }
    }
}
