// The tool calls of one reply: held while they come, put right when they are whole, numbered and named as
// they leave. Holds: a call leaves whole or not at all; ids stand once; what was put right is noted.

import JSON

struct ReplyCalls: Sendable {
    /// A call as it will be shown.
    struct Ready {
        let id: String
        let name: String
        let input: [UInt8]
    }

    private let resolver: ToolCallResolver
    private let isSingle: Bool
    private var buffer = ToolCallBuffer()
    private var ids: ToolCallIDs
    /// Calls that have left.
    private(set) var shown = 0
    /// One was left out because the reply ended in it.
    private(set) var hasCut = false
    private var notes: [String] = []

    /// - Parameter idPrefix: of ids for calls that came without one.
    init(_ plan: ReplyPlan, messageID: String, idPrefix: String) {
        resolver = ToolCallResolver(plan)
        ids = ToolCallIDs(messageID: messageID, prefix: idPrefix, known: plan.knownCallIDs)
        isSingle = plan.disableParallelToolUse
    }

    /// Nothing waits.
    var isEmpty: Bool { buffer.isEmpty }
    /// A later call has begun behind one that waits.
    var hasSeveral: Bool { buffer.waiting.count > 1 }

    /// Whether the last call so far has arguments that do not end.
    var endsInside: Bool {
        guard let last = buffer.waiting.last, !last.arguments.isEmpty else { return false }
        let text = JSONText(escaped: last.arguments[...]).plain
        return ToolArguments.read(text, isCut: true, schema: nil) == .unreadable
    }

    /// What was put right since this was asked last.
    mutating func takeNotes() -> [String] {
        guard !notes.isEmpty else { return [] }
        defer { notes = [] }
        return notes
    }

    mutating func describe(_ number: Int, id: String?, name: String?) throws(Failure) {
        do { try buffer.describe(number, id: id, name: name) } catch { throw Self.tooLarge }
    }

    mutating func append(_ number: Int, _ text: JSONText) throws(Failure) {
        do { try buffer.append(number, text) } catch { throw Self.tooLarge }
    }

    private static let tooLarge = Failure.backend(.unusable(.toolCallsTooLarge))

    // MARK: what leaves

    /// Those at the front that are whole, in order, but for the last `kept`.
    mutating func takeWhole(keeping kept: Int = 0) -> [Ready] {
        var ready: [Ready] = []
        while buffer.waiting.count > kept, buffer.isNextComplete(), let call = buffer.next() {
            if let call = try? resolved(call, isCut: false) { ready.append(call) }
        }
        return ready
    }

    /// All that wait, when nothing follows.
    /// - Parameters:
    ///   - isCut: the reply may have ended in the last of them.
    ///   - hasReason: the backend said why it stopped.
    /// - Throws: when one cannot be read: then none of them is shown.
    mutating func takeAll(isCut: Bool, hasReason: Bool) throws(Failure) -> [Ready] {
        var ready: [Ready] = []
        while let call = buffer.next() {
            // Without a word about the end, a call without arguments may be whole.
            let isCut = isCut && buffer.isEmpty && (hasReason || !call.arguments.isEmpty)
            if let call = try resolved(call, isCut: isCut) { ready.append(call) }
        }
        return ready
    }

    /// A call that stood in the text, if it is shown.
    mutating func take(_ call: TextCall) -> Ready? {
        isLeftOut() ? nil : try? told(resolver.resolve(call.name, call.arguments), id: nil)
    }

    private mutating func resolved(
        _ call: ToolCallBuffer.Call, isCut: Bool
    ) throws(Failure) -> Ready? {
        isLeftOut() ? nil : try told(resolver.resolve(call, isCut: isCut), id: call.id)
    }

    /// Whether the client wants one call only and has it.
    private mutating func isLeftOut() -> Bool {
        guard isSingle, shown > 0 else { return false }
        notes.append("parallel-call-dropped")
        return true
    }

    private mutating func told(
        _ verdict: ToolCallResolver.Verdict, id: String?
    ) throws(Failure) -> Ready? {
        switch verdict {
        case .call(let name, let input, let repairs):
            notes += repairs
            let (id, isRepeated) = ids.next(id, number: shown)
            if isRepeated { notes.append("repeated-call-id") }
            shown += 1
            return Ready(id: id, name: name, input: input)
        case .dropped(let reason):
            notes.append(reason)
            if reason == ToolCallResolver.cut { hasCut = true }
            return nil
        case .unreadable(let name):
            notes.append("unreadable-arguments")
            throw .backend(.unusable(.arguments(tool: name)))
        }
    }
}
