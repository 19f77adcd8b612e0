// Deltas to blocks: what order things are shown in, when a tool call leaves, why the reply stopped.
// Holds: text and reasoning go to the writer as they come, tool calls only when whole; no block is opened for
// white space alone; the writer is asked to finish exactly once.

internal import BackendSettings
import JSON

/// What of the answer is being shown.
private enum Channel { case none, text, reasoning }

struct ReplyComposer<Writer: ReplyWriter>: Sendable {
    /// Repairs that are remembered for the journal.
    private static var repairLimit: Int { 32 }
    /// White space held back before it is known whether text follows.
    private static var gapLimit: Int { 4096 }
    /// A token is about this many bytes, when a backend does not count.
    private static var bytesPerToken: Int { 4 }

    private(set) var writer: Writer
    private let plan: ReplyPlan
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
    private var calls: ReplyCalls

    private var hidden = HiddenReasoning(), hasText = false
    /// Nothing but reasoning came since the answer began or a call was shown.
    private var isBehindReasoning = false
    private var stopWords: StopWords
    /// A stop sequence stood in the text: what follows it is no part of the answer.
    private var isCutOff = false

    private(set) var stop: StopReason?
    private var reported: Usage?
    private var outputBytes = 0
    private(set) var repairs: [String] = []

    /// - Parameter stopSequences: those that the text is searched for.
    init(
        plan: ReplyPlan, stopSequences: [String], writer: Writer, messageID: String, inputEstimate: Int
    ) {
        self.plan = plan
        self.inputEstimate = max(inputEstimate, 1)
        self.writer = writer
        stopWords = StopWords(stopSequences)
        splitter = ReasoningTagSplitter(plan.settings.thinkTags)
        echo = PrefillEcho(plan.prefill, plan.prefillEcho)
        recovery = TextCallRecovery(plan)
        calls = ReplyCalls(plan, messageID: messageID, idPrefix: Writer.callIDPrefix)
        // Nothing of the one message leaves before its end, and its counts stand at the end: it may begin.
        if writer.form == .message { self.writer.start(Usage()) }
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
    mutating func receive(_ delta: Delta) throws(Failure) {
        if isCutOff, delta.isContent { return }
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
            try calls.describe(number, id: id, name: name)
            if calls.hasSeveral { showCompleteCalls(keeping: 1) }
        case .toolArguments(let number, let text):
            endTags()
            show(recovery.release())
            try calls.append(number, text)
            if calls.hasSeveral { showCompleteCalls(keeping: 1) }
        case .usage(let usage): reported = usage
        case .finished where isCutOff: break
        case .finished(let reason): stop = reason.replacing(stop)
        case .failed(let error): throw error
        }
    }

    /// Whether what the answer ends with may be half of what the model meant. Servers that parse calls say
    /// `tool_calls` also when the limit of tokens ended the last one.
    private var isCut: Bool {
        switch stop {
        case nil, .maxTokens, .contextWindowExceeded, .refusal: true
        case .endTurn, .toolUse: plan.maxTokens > 0 && reported?.output ?? 0 >= plan.maxTokens
        case .stopSequence: false
        }
    }

    /// Whether the last call so far has arguments that do not end.
    var endsInsideCall: Bool { calls.endsInside }

    /// The end of a reply that is complete.
    /// - Throws: when one of its calls cannot be read; none of those that were waiting is shown then.
    mutating func finish() throws(Failure) {
        let opening = splitter.unclosed
        endTags()
        show(recovery.finish(isCut: isCut))
        showCallsOfReasoning()
        showHidden(behind: isCut ? [] : opening)
        endStopWords()
        endChannel()
        defer { noteRepairs() }
        for call in try calls.takeAll(isCut: isCut, hasReason: stop != nil) { show(call) }
        writer.finish(reason(), usage)
    }

    mutating func fail(_ failure: Failure, requestID: String) {
        let rest = splitter.flush()
        if !rest.reasoning.isEmpty { emit(rest.reasoning, .reasoning) }
        if !rest.text.isEmpty { show(text: rest.text) }
        show(recovery.release())
        endStopWords()
        writer.fail(failure, requestID: requestID)
    }

    mutating func note(_ repair: String) {
        guard repairs.count < Self.repairLimit, !repairs.contains(repair) else { return }
        repairs.append(repair)
    }

    mutating func takeOutput() -> [UInt8] { writer.takeOutput() }
    mutating func discardOutput() { writer.discardOutput() }
    mutating func reserve(_ bytes: Int) { writer.reserve(bytes) }

    private func reason() -> StopReason {
        switch stop {
        case nil, .endTurn, .stopSequence, .toolUse:
            if calls.hasCut { return .maxTokens }
            if calls.shown > 0 { return .toolUse }
            // The server saw a call but lost it on the way: to the client this is an ordinary end.
            if stop == .toolUse { return .endTurn }
            return stop ?? .endTurn
        case .maxTokens where reported?.fillsWindow(of: plan) == true: return .contextWindowExceeded
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
        guard calls.isEmpty, calls.shown == 0, stop == nil, plan.recoversRefusedCalls else { return nil }
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
            case .call where isCutOff: break
            case .call(let call, let repair):
                note(repair)
                if let call = calls.take(call) { show(call) }
                noteRepairs()
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
        stopWords.isEmpty ? write(bytes, channel) : writeUpToStopWord(bytes, channel)
    }

    private mutating func writeUpToStopWord(_ bytes: ArraySlice<UInt8>, _ channel: Channel) {
        guard !isCutOff else { return }
        guard channel == .text else {
            endStopWords()
            return write(bytes, channel)
        }
        let (text, word) = stopWords.read(bytes)
        write(text, .text)
        guard let word else { return }
        note("stop-sequence")
        stop = .stopSequence(word)
        isCutOff = true
    }

    /// Something else follows the text.
    private mutating func endStopWords() {
        if stopWords.isHolding { write(stopWords.flush(), .text) }
    }

    @inline(__always)
    private mutating func write(_ bytes: ArraySlice<UInt8>, _ channel: Channel) {
        guard !bytes.isEmpty else { return }
        outputBytes &+= bytes.count
        if channel == .reasoning {
            isBehindReasoning = true
            if keepsReasoning { hidden.hold(bytes) }
            guard plan.showsThinking else { return }
        }
        if open != channel { return begin(channel, bytes) }
        channel == .text ? writer.text(bytes) : writer.reasoning(bytes)
    }

    private var keepsReasoning: Bool {
        guard plan.showsThinking else { return true }
        return !hasText && calls.shown == 0 && (mayCallWhileThinking || splitter.isUnclosed)
    }

    private var mayCallWhileThinking: Bool { plan.recoversTextCalls && !plan.toolNames.isEmpty }

    /// Servers that wait for the end of the reasoning give an answer without that as reasoning, its call too.
    /// A call with nothing behind it, neither reasoning nor text, is the answer; any other is a thought.
    private mutating func showCallsOfReasoning() {
        guard !isCut, !hasText, calls.shown == 0, calls.isEmpty, mayCallWhileThinking else { return }
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
        guard !plan.showsThinking || !tag.isEmpty && !hasText && calls.shown == 0 else { return }
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
        var whole = gap.isEmpty ? bytes : (gap + bytes)[...]
        // What parsers leave of the lines around the reasoning.
        if channel == .reasoning || isBehindReasoning {
            whole = whole.dropFirst(ReasoningTagSplitter.blankLines(whole))
        }
        if channel == .text { (hasText, isBehindReasoning) = (true, false) }
        gap.removeAll()
        pending = .none
        channel == .text ? writer.text(whole) : writer.reasoning(whole)
    }

    /// Half characters that never got their other half.
    private mutating func endChannel() {
        switch open {
        case .text: writer.text(textJoiner.flush())
        case .reasoning: writer.reasoning(reasoningJoiner.flush())
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

    /// - Parameter kept: the last of them may still go on.
    private mutating func showCompleteCalls(keeping kept: Int = 0) {
        for call in calls.takeWhole(keeping: kept) { show(call) }
        noteRepairs()
    }

    private mutating func noteRepairs() { for repair in calls.takeNotes() { note(repair) } }

    private mutating func show(_ call: ReplyCalls.Ready) {
        endStopWords()
        endChannel()
        gap.removeAll()
        pending = .none
        isBehindReasoning = false
        writer.toolCall(id: call.id, name: call.name, input: call.input)
        outputBytes &+= call.input.count + call.name.utf8.count
    }
}
