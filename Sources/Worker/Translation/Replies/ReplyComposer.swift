// Deltas to blocks: what order things are shown in, when a tool call leaves, why the reply stopped.
// Holds: text and reasoning go to the writer as they come, tool calls only when whole; no block is opened for
// white space alone; the writer is asked to finish exactly once.

import JSON

struct ReplyComposer: Sendable {
    /// Repairs that are remembered for the journal.
    private static let repairLimit = 32
    /// White space held back before it is known whether text follows.
    private static let gapLimit = 4096
    /// A token is about this many bytes, when a backend does not count.
    private static let bytesPerToken = 4

    private(set) var writer: ReplyWriter
    private let plan: ReplyPlan
    private let names: ToolNames
    private let inputEstimate: Int

    private var splitter: ReasoningTagSplitter
    private var textJoiner = TextJoiner()
    private var reasoningJoiner = TextJoiner()
    /// White space at the start of the block `pending`, which is not open yet.
    private var gap: [UInt8] = []
    private var pending = Channel.none
    private var open = Channel.none
    private var echo: PrefillEcho
    private var recovery: TextCallRecovery
    private var calls = ToolCallBuffer()
    private var callsShown = 0
    private var ids: ToolCallIDs

    private var hidden = HiddenReasoning(), hasText = false

    private(set) var stop: StopReason?
    private var reported: Usage?
    private var outputBytes = 0
    private(set) var repairs: [String] = []

    private enum Channel { case none, text, reasoning }

    init(
        plan: ReplyPlan, form: MessageStreamWriter.Form, messageID: String, model: String, inputEstimate: Int,
        chat: ChatStreamWriter.Head? = nil
    ) {
        self.plan = plan
        self.inputEstimate = max(inputEstimate, 1)
        names = ToolNames(plan)
        splitter = ReasoningTagSplitter(plan.thinkTags)
        echo = PrefillEcho(plan.prefill, plan.prefillEcho)
        recovery = TextCallRecovery(plan)
        let messages = MessageStreamWriter(
            form: form,
            head: .init(
                messageID: messageID, model: model, omitsThinking: plan.thinkingDisplayOmitted,
                carriesThinking: plan.thinkingDisplayOmitted && plan.reasoningEcho != .none))
        writer = ReplyWriter(messages, chat: chat)
        ids = ToolCallIDs(
            messageID: messageID, prefix: chat == nil ? "toolu_" : "call_", known: plan.knownCallIDs)
        // Nothing of the one message leaves before its end, and its counts stand at the end: it may begin.
        if form == .message { writer.start(Usage()) }
    }

    /// Counts as far as they are known; where the backend does not count, an estimate.
    var usage: Usage {
        var usage = reported ?? Usage()
        // Zeros here would blind clients that watch how full the context is.
        if usage.input + usage.cacheRead + usage.cacheCreation == 0 { usage.input = inputEstimate }
        if usage.output == 0, outputBytes > 0 { usage.output = max(1, outputBytes / Self.bytesPerToken) }
        return usage
    }

    /// Tokens of the whole prompt as the backend counted them; nil where it did not.
    var reportedInput: Int? { reported?.wholeInput }

    /// Nothing of an answer has come.
    var isBlank: Bool { outputBytes == 0 && calls.isEmpty && stop == nil }

    mutating func start() {
        var usage = usage
        usage.output = 0
        usage.thinking = nil
        writer.start(usage)
    }

    mutating func ping() { writer.ping() }

    /// `failed` is not for here: how a reply ends is decided by its owner.
    mutating func receive(_ delta: Delta) throws(ClientError) {
        switch delta {
        case .text(let text): receive(text: text)
        case .reasoning(let text):
            // Where reasoning has its own field, tags in the text are text.
            endTags(isField: true)
            if recovery.isHolding { show(recovery.finish(isCut: true)) }
            reason(text)
        case .toolCall(let number, let id, let name):
            endTags()
            show(recovery.release())
            try guarded { (calls) throws(ToolCallBuffer.Overflow) in
                try calls.describe(number, id: id, name: name)
            }
        case .toolArguments(let number, let text):
            endTags()
            show(recovery.release())
            try guarded { (calls) throws(ToolCallBuffer.Overflow) in try calls.append(number, text) }
        case .usage(let usage): reported = usage
        case .finished(let reason): stop = reason.replacing(stop)
        case .failed(let error): throw error
        }
    }

    /// Whether what the answer ends with may be half of what the model meant.
    private var isCut: Bool {
        switch stop {
        case nil, .maxTokens, .contextWindowExceeded, .refusal: true
        case .endTurn, .stopSequence, .toolUse: false
        }
    }

    /// Whether the last call so far has arguments that do not end.
    var endsInsideCall: Bool {
        guard let last = calls.waiting.last, !last.arguments.isEmpty else { return false }
        let text = JSONText(escaped: last.arguments[...]).plain
        return ToolArguments.read(text, isCut: true, schema: nil) == .unreadable
    }

    /// The end of a reply that is complete.
    mutating func finish() {
        let opening = splitter.unclosed
        endTags()
        show(recovery.finish(isCut: isCut))
        showCallsOfReasoning()
        showHidden(behind: isCut ? [] : opening)
        endChannel()
        while let call = calls.next() { show(call, isCut: isCut && calls.isEmpty) }
        writer.finish(reason(), usage)
    }

    mutating func fail(_ error: ClientError, requestID: String) {
        let rest = splitter.flush()
        if !rest.reasoning.isEmpty { emit(rest.reasoning, .reasoning) }
        if !rest.text.isEmpty { show(text: rest.text) }
        show(recovery.release())
        writer.fail(error, requestID: requestID)
    }

    mutating func note(_ repair: String) {
        guard repairs.count < Self.repairLimit, !repairs.contains(repair) else { return }
        repairs.append(repair)
    }

    mutating func takeOutput() -> [UInt8] { writer.takeOutput() }
    mutating func drainOutput(into other: inout [UInt8]) { writer.drain(into: &other) }
    mutating func discardOutput() { writer.discardOutput() }
    mutating func reserve(_ bytes: Int) { writer.reserve(bytes) }

    private func reason() -> StopReason {
        switch stop {
        case nil, .endTurn, .stopSequence, .toolUse:
            if callsShown > 0 { return .toolUse }
            // The server saw a call but lost it on the way: to the client this is an ordinary end.
            if stop == .toolUse { return .endTurn }
            return stop ?? .endTurn
        case .maxTokens, .refusal, .contextWindowExceeded: return stop ?? .endTurn
        }
    }

    // MARK: text and reasoning

    @inline(__always)
    private mutating func receive(text: JSONText) {
        guard !text.isEmpty else { return }
        if !calls.isEmpty { showCompleteCalls() }
        let bytes = textJoiner.join(text)
        guard splitter.isPlain, echo.isSettled else { return receive(held: bytes) }
        show(text: bytes)
    }

    /// Text that may have calls in it.
    @inline(__always)
    private mutating func show(text bytes: ArraySlice<UInt8>) {
        recovery.passes(bytes) ? emit(bytes, .text) : recover(bytes)
    }

    /// Calls that the backend itself could not read: they are all that was still to come.
    mutating func receive(unparsed pieces: [TextCallRecovery.Piece]) {
        endTags()
        show(recovery.release())
        note("unparsed-calls")
        let isFirst = open == .none && pending == .none
        for piece in pieces {
            // What was shown before the error may stand in the text again.
            if case .text = piece, !isFirst { continue }
            show([piece])
        }
        stop = .toolUse
    }

    /// What a text with calls consists of; nil if there are none in it.
    func calls(in text: JSONText) -> [TextCallRecovery.Piece]? {
        guard calls.isEmpty, callsShown == 0, stop == nil, plan.recoversRefusedCalls else { return nil }
        var plan = plan
        plan.recoversTextCalls = true
        var recovery = TextCallRecovery(plan)
        let pieces = recovery.read(text.plain) + recovery.finish(isCut: false)
        return pieces.contains { if case .call = $0 { true } else { false } } ? pieces : nil
    }

    private mutating func recover(_ bytes: ArraySlice<UInt8>) {
        let wasHolding = recovery.isHolding
        let plain = JSONText(escaped: bytes).plain
        let pieces = recovery.read(plain)
        // Nothing found, nothing held: as it came.
        if !wasHolding, pieces == [.text(plain)] { return emit(bytes, .text) }
        show(pieces)
    }

    private mutating func show(_ pieces: [TextCallRecovery.Piece]) {
        for piece in pieces {
            switch piece {
            case .text(let text):
                var joiner = TextJoiner()
                emit(joiner.join(JSONText(utf8: text[...])), .text)
            case .reasoning(let text):
                var joiner = TextJoiner()
                emit(joiner.join(JSONText(utf8: text[...])), .reasoning)
            case .call(let call, let repair):
                note(repair)
                show(call.name, call.arguments)
            case .tokens: note("template-tokens")
            }
        }
    }

    private mutating func receive(held bytes: ArraySlice<UInt8>) {
        let bytes = echo.withoutEcho(bytes)
        guard !bytes.isEmpty else { return }
        let split = splitter.split(bytes)
        if !split.reasoning.isEmpty { emit(split.reasoning, .reasoning) }
        if !split.text.isEmpty { show(text: split.text) }
    }

    private mutating func reason(_ text: JSONText) {
        if !calls.isEmpty { showCompleteCalls() }
        emit(reasoningJoiner.join(text), .reasoning)
    }

    @inline(__always)
    private mutating func emit(_ bytes: ArraySlice<UInt8>, _ channel: Channel) {
        guard !bytes.isEmpty else { return }
        outputBytes &+= bytes.count
        if channel == .reasoning {
            if keepsReasoning { hidden.hold(bytes) }
            guard plan.showsThinking else { return }
        }
        if open != channel { return begin(channel, bytes) }
        channel == .text ? writer.text(bytes) : writer.thinking(bytes)
    }

    private var keepsReasoning: Bool {
        guard plan.showsThinking else { return true }
        return !hasText && callsShown == 0 && (mayCallWhileThinking || splitter.isUnclosed)
    }

    private var mayCallWhileThinking: Bool { plan.recoversTextCalls && !plan.toolNames.isEmpty }

    /// Servers that wait for the end of the reasoning give an answer without that as reasoning, its call too. A call
    /// with nothing behind it, neither reasoning nor text, is the answer; any other is a thought.
    private mutating func showCallsOfReasoning() {
        guard !isCut, !hasText, callsShown == 0, calls.isEmpty, mayCallWhileThinking else { return }
        var recovery = TextCallRecovery(plan)
        let pieces = recovery.read(JSONText(escaped: hidden.all).plain) + recovery.finish(isCut: true)
        let calls = pieces.filter { if case .call = $0 { true } else { false } }
        // Of several it cannot be told which were only considered.
        guard calls.count == 1 else { return }
        note("call-in-reasoning")
        show(calls)
    }

    /// Reasoning that was all of the answer.
    /// - Parameter tag: what opened it and was never closed: then the answer speaks of that tag.
    private mutating func showHidden(behind tag: [UInt8]) {
        guard !plan.showsThinking || !tag.isEmpty && !hasText && callsShown == 0 else { return }
        let answer = hidden.takeAnswer(stop)
        guard !answer.isEmpty, plan.showsThinking || writer.hasSaidNothing, calls.isEmpty else { return }
        note("reasoning-as-answer")
        outputBytes &-= answer.count
        emit((tag + answer)[...], .text)
    }

    /// A block that is not open yet waits for something other than space.
    private mutating func begin(_ channel: Channel, _ bytes: ArraySlice<UInt8>) {
        let isBlank = ReasoningTagSplitter.leadingSpace(bytes) == bytes.count
        if pending != channel { gap.removeAll() }
        pending = channel
        guard !isBlank || gap.count + bytes.count > Self.gapLimit else {
            return gap.append(contentsOf: bytes)
        }
        endChannel()
        open = channel
        if channel == .text { hasText = true }
        let whole = gap.isEmpty ? bytes : (gap + bytes)[...]
        gap.removeAll()
        pending = .none
        channel == .text ? writer.text(whole) : writer.thinking(whole)
    }

    /// Half characters that never got their other half.
    private mutating func endChannel() {
        switch open {
        case .text: writer.text(textJoiner.flush())
        case .reasoning: writer.thinking(reasoningJoiner.flush())
        case .none: break
        }
        open = .none
    }

    private mutating func endTags(isField: Bool = false) {
        guard !splitter.isPlain || !echo.isSettled else { return }
        if isField, splitter.isBehindField, echo.isSettled { return }
        let bytes = echo.flush()
        if !bytes.isEmpty { receive(held: bytes) }
        let rest = splitter.flush(isField: isField)
        if !rest.reasoning.isEmpty { emit(rest.reasoning, .reasoning) }
        if !rest.text.isEmpty { show(text: rest.text) }
    }

    // MARK: tool calls

    private mutating func guarded(
        _ change: (inout ToolCallBuffer) throws(ToolCallBuffer.Overflow) -> Void
    ) throws(ClientError) {
        do {
            try change(&calls)
        } catch {
            throw .backend(
                502, .api, "sent tool calls larger than this gateway holds.", shouldRetry: false)
        }
        // A later call has begun: what is complete before it may leave.
        if calls.waiting.count > 1 { showCompleteCalls(keeping: 1) }
    }

    private mutating func showCompleteCalls(keeping kept: Int = 0) {
        while calls.waiting.count > kept, calls.isNextComplete(), let call = calls.next() {
            show(call, isCut: false)
        }
    }

    private mutating func show(_ call: ToolCallBuffer.Call, isCut: Bool) {
        if plan.disableParallelToolUse, callsShown > 0 { return note("parallel-call-dropped") }
        guard let (name, isRepaired) = names.resolve(call.names) else { return note("nameless-call-dropped") }
        // Without a word about the end, a call without arguments may be whole.
        let isCut = isCut && (stop != nil || !call.arguments.isEmpty)
        var input: [UInt8]
        switch ToolArguments.read(
            JSONText(escaped: call.arguments[...]).plain, isCut: isCut, schema: plan.toolSchemas[name],
            lastPiece: call.lastPiece > 0 ? JSONText(escaped: call.arguments[call.lastPiece...]).plain : [])
        {
        case .exact(let text): input = text
        case .repaired(let text, let repair):
            note(repair)
            input = text
        case .unreadable:
            if isCut { return note("cut-call-dropped") }
            note("unreadable-arguments")
            input = Array("{}".utf8)
        }
        show(name, input, id: call.id, isRepaired: isRepaired)
    }

    /// A call with a declared name and arguments that are one object.
    private mutating func show(
        _ name: String, _ input: [UInt8], id: String? = nil, isRepaired: Bool = false
    ) {
        if plan.disableParallelToolUse, callsShown > 0 { return note("parallel-call-dropped") }
        var input = input
        if let healed = ArgumentHealing.healed(input, schema: plan.toolSchemas[name]) {
            input = healed.bytes
            for repair in healed.repairs { note(repair) }
        }
        if isRepaired { note("tool-name") }
        endChannel()
        gap.removeAll()
        pending = .none
        let (id, isRepeated) = ids.next(id, number: callsShown)
        if isRepeated { note("repeated-call-id") }
        writer.toolUse(id: id, name: name, input: input)
        callsShown += 1
        outputBytes &+= input.count + name.utf8.count
    }
}
