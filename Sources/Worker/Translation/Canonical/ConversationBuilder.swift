// Messages to conversation. A turn = an assistant message and all that follows up to the next one; within
// it results are put in the order of the calls, then what the user said.
// Holds: each call has exactly one result right after it; what stands for a message depends on the messages
// before it only, so that the next request of a conversation begins with the same bytes.

import JSON

struct ConversationBuilder {
    @Boxed var profile: Profile
    var conversion: BlockConversion
    private(set) var messages: [UpstreamMessage] = []
    /// The assistant message of this turn; its calls have distinct ids.
    private var turn: AssistantTurn?
    private var calls: Set<String> = []
    /// How often an id was used in this turn, where more than once.
    private var uses: [String: Int] = [:]
    /// What has yet to be put to the end of the last message: all at once, for a conversation may have
    /// thousands of such additions to one message.
    private var additions: [ContentPart] = []
    /// What came since.
    private var items: [Message] = []
    /// An assistant message without content was left out: the users around it become one.
    private var joinsNextUser = false
    private let edits: AppliedEdits
    private let isSequential: Bool

    init(_ request: PreparedRequest, _ profile: Boxed<Profile>) {
        _profile = profile
        conversion = BlockConversion(request.content, profile: profile)
        edits = AppliedEdits(request.content, inputTokens: request.inputTokens)
        isSequential = request.isSequential
    }

    /// The conversation, and what belongs into the leading system prompt.
    mutating func build(_ request: CanonicalRequest) throws(Failure) -> TextRope {
        var system = TextRope()
        for slice in request.systemTexts { system.add(TextRope(slice), boundary: "\n\n") }
        if let last = request.messages.last, last.role == .user, last.isEmpty {
            throw request.vocabulary.emptyConversation
        }
        let leading = request.messages.prefix { $0.role == .system }
        guard leading.count < request.messages.count else {
            // A conversation of nothing but instructions: somebody has to say them.
            var text = TextRope()
            for message in leading { text.add(conversion.flat(message), boundary: "\n\n") }
            guard !text.isEmpty else { throw request.vocabulary.emptyConversation }
            messages = [.user([.text(text)])]
            return system
        }
        for message in leading { system.add(conversion.flat(message), boundary: "\n\n") }
        for message in request.messages.dropFirst(leading.count) {
            if message.role == .assistant {
                // Two assistant messages with nothing between them are one turn.
                if !items.isEmpty { endTurn() }
                add(conversion.assistant(message, keepsThinking: edits.keepsThinking(message)))
            } else {
                items.append(message)
            }
        }
        endTurn()
        extendLast()
        if !profile.tools { messages = Self.withoutCalls(messages) }
        return system
    }

    /// The API takes neighbours of one role as one message, and so does this.
    private mutating func add(_ more: AssistantTurn) {
        guard !more.isEmpty || !more.reasoning.isEmpty else {
            joinsNextUser = joinsNextUser || turn == nil
            return
        }
        joinsNextUser = false
        var whole = turn ?? AssistantTurn()
        turn = nil
        whole.text.add(more.text, boundary: "\n")
        whole.reasoning.add(more.reasoning, boundary: "\n")
        for var call in more.calls {
            // Ids used twice get a number, for their results to find them in order.
            let id = call.id
            var use = 1
            while !calls.insert(call.id).inserted {
                use = uses[id, default: 1] + 1
                uses[id] = use
                call.id = "\(id)_\(use)"
            }
            whole.calls.append(call)
        }
        turn = whole
    }

    private mutating func endTurn() {
        defer {
            items = []
            calls = []
            uses = [:]
        }
        let asked = turn?.calls ?? []
        if var turn {
            if isSequential, turn.calls.count > 1 { turn.calls.removeSubrange(1...) }
            push(.assistant(turn))
        }
        turn = nil
        let images = addResults(of: asked)
        if !images.isEmpty {
            addUser(images)
            // What the user says goes on in the same message.
            joinsNextUser = true
        }
        for item in items {
            switch item.role {
            case .system: fold(conversion.flat(item))
            case .user, .assistant: addUser(parts(of: item))
            }
        }
    }

    /// Tool messages for all calls, in their order; returns the images that results held.
    private mutating func addResults(of asked: [ToolUse]) -> [ContentPart] {
        var found: [String: (result: ToolResult, message: Message, block: Int)] = [:]
        var images: [ContentPart] = []
        var uses: [String: Int] = [:]
        for item in items where item.role == .user {
            for (index, block) in item.blocks.enumerated() {
                guard case .toolResult(let result) = block else { continue }
                let count = uses[result.id, default: 0] + 1
                let id = count == 1 ? result.id : "\(result.id)_\(count)"
                guard calls.contains(id) else {
                    if calls.contains(result.id) {
                        conversion.omit(item, index, "second result of one call")
                    }
                    continue
                }
                uses[result.id] = count
                found[id] = (result, item, index)
            }
        }
        for (place, call) in asked.enumerated() {
            if isSequential, place > 0 { push(.assistant(AssistantTurn(calls: [call]))) }
            guard let (result, message, block) = found[call.id] else {
                conversion.omit(
                    .messages, "call \(Excerpt.shown(call.id)) has no result; marked as interrupted")
                push(.tool(call: call, TextRope("[no result: interrupted]" as StaticString)))
                continue
            }
            guard !edits.isCleared(result.id) else {
                push(.tool(call: call, TextRope("[old result cleared]" as StaticString)))
                continue
            }
            let (text, pictures) = conversion.result(result, message, block)
            guard !profile.imagesInResults else {
                push(.tool(call: call, text, images: pictures.compactMap(\.image)))
                continue
            }
            push(.tool(call: call, text))
            if !pictures.isEmpty {
                images.append(.text(TextRope("[image from tool \(call.name)]")))
                images += pictures
            }
        }
        return images
    }

    /// What the user says in a message, besides results that belong to calls.
    private mutating func parts(of message: Message) -> [ContentPart] {
        let parts = message.blocks.enumerated().flatMap { index, block -> [ContentPart] in
            guard case .toolResult(let result) = block else { return conversion.parts(block, message, index) }
            guard !calls.contains(result.id) else { return [] }
            conversion.omit(message, index, "result of an unknown call, told as text")
            let (text, images) = conversion.result(result, message, index)
            var told = TextRope("[tool result \(result.id)]\n")
            told.add(text, boundary: "")
            return [.text(told)] + images
        }
        guard parts.isEmpty else { return parts }
        if message.hasUnsupported { return [.text(.unsupported)] }
        // Alternation matters more to templates than a message that says nothing.
        if case .assistant? = messages.last {
            return [.text(TextRope("[empty message]" as StaticString))]
        }
        return []
    }

    private mutating func addUser(_ parts: [ContentPart]) {
        guard !parts.isEmpty else { return }
        defer { joinsNextUser = false }
        switch messages.last {
        case .user? where profile.strictAlternation || joinsNextUser: additions += parts
        case .tool? where !profile.userAfterTool:
            if let said = Self.onlyText(parts) { return additions.append(.text(said)) }
            var pause = AssistantTurn()
            pause.text = TextRope("." as StaticString)
            push(.assistant(pause))
            push(.user(parts))
        default: push(.user(parts))
        }
    }

    private mutating func push(_ message: UpstreamMessage) {
        extendLast()
        messages.append(message)
    }

    /// Puts the additions to the end of the last message, a user's or a tool's.
    private mutating func extendLast() {
        guard !additions.isEmpty else { return }
        switch messages.popLast() {
        case .user(let before)?: messages.append(.user(before + additions))
        case .tool(let call, var text, let images)?:
            for case .text(let more) in additions { text.add(more, boundary: "\n\n") }
            messages.append(.tool(call: call, text, images: images))
        case let other?: messages += [other, .user(additions)]
        case nil: messages.append(.user(additions))
        }
        additions = []
    }

    /// All parts as one text; nil when there is anything else among them.
    static func onlyText(_ parts: [ContentPart]) -> TextRope? {
        var joined = TextRope()
        for part in parts {
            guard case .text(let text) = part else { return nil }
            joined.add(text, boundary: "\n\n")
        }
        return joined
    }

    /// An instruction in mid-conversation goes to the end of what was said before it. Backends' templates
    /// refuse system messages there, and hoisting it to the front would change the prompt's beginning.
    private mutating func fold(_ text: TextRope) {
        guard !text.isEmpty else { return }
        let reminder = Self.reminder(text)
        switch messages.last {
        case .user?, .tool?: additions.append(.text(reminder))
        default: addUser([.text(reminder)])
        }
    }

    private static func reminder(_ text: TextRope) -> TextRope {
        guard !text.starts(withAnyCase: "<system-reminder>") else { return text }
        var wrapped = TextRope("<system-reminder>\n" as StaticString)
        wrapped.add(text, boundary: "")
        wrapped.add(TextRope("\n</system-reminder>" as StaticString), boundary: "")
        return wrapped
    }
}

/// Which parts of the history the client asked to be left out.
private struct AppliedEdits {
    private var thinkingFrom = 0
    private var cleared: Set<String> = []

    init(_ request: CanonicalRequest, inputTokens: Int) {
        for edit in request.contextEdits {
            switch edit {
            case .clearThinking(let turns):
                guard let turns else { continue }
                let thinking = request.messages.filter { message in
                    message.role == .assistant
                        && message.blocks.contains { if case .thinking = $0 { true } else { false } }
                }
                thinkingFrom = turns == 0 ? .max : thinking.suffix(turns).first?.index ?? 0
            case .clearToolUses(let keep, let trigger):
                guard inputTokens > trigger else { continue }
                let ids = request.messages.flatMap { message in
                    message.blocks.compactMap {
                        if case .toolResult(let result) = $0 { result.id } else { nil }
                    }
                }
                cleared = Set(ids.dropLast(keep))
            }
        }
    }

    func keepsThinking(_ message: Message) -> Bool { message.index >= thinkingFrom }
    func isCleared(_ id: String) -> Bool { cleared.contains(id) }
}
