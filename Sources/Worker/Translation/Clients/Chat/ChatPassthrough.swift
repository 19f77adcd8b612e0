// Chunks of chat completions that are handed through: where the model's name stands, what was counted, where
// the answer ends.

import JSON

struct ChatPassthrough: PassthroughEvents {
    typealias Client = ChatDialect

    /// As the client named it.
    private let model: String
    private(set) var usage = Usage()
    private(set) var hasStopped = false
    /// Something of an answer came; a call began; a choice has ended.
    private var (hasBegun, hasCalls, hasFinished) = (false, false, false)

    /// What stands before an answer is only comments.
    init(model: String, isStarted: Bool) { self.model = model }

    /// Every chunk may name the model.
    static func isPlainPart(_ name: ArraySlice<UInt8>, _ data: ArraySlice<UInt8>) -> Bool { false }

    mutating func read(_ root: JSONNode, offset: Int) -> PassthroughMeaning {
        if let counted = OpenAIUsage.read(root) { usage = counted }
        if let choices = root["choices"], !choices.isEmpty,
            choices.elements.allSatisfy({ $0["finish_reason"]?.isString == true })
        {
            hasStopped = true
        }
        if let choices = root["choices"] {
            for choice in choices.elements {
                hasBegun = true
                if choice["finish_reason"]?.isString == true { hasFinished = true }
                if !hasCalls, let delta = choice["delta"] {
                    hasCalls =
                        delta["tool_calls"].map { !$0.isEmpty } ?? false
                        || delta["function_call"]?.isObject == true
                }
            }
        }
        return .part(root["model"], model: model, offset: offset)
    }

    /// The end, perhaps without a word before it that the model has stopped: as in a translated answer, a
    /// text may be whole, a call may not.
    func readDone() -> PassthroughMeaning {
        hasFinished || hasBegun && !hasCalls
            ? .end : .failed(.backend(.closedEarly))
    }

    mutating func read(whole root: JSONNode) -> PassthroughMeaning? {
        guard root["choices"]?.first != nil else { return nil }
        if let counted = OpenAIUsage.read(root) { usage = counted }
        return .part(root["model"], model: model, offset: 0)
    }

    /// A comment, which no client sees and every connection feels.
    static var ping: StaticString { ": ping\n\n" }
    static var end: StaticString? { "data: [DONE]\n\n" }
    func appendClosing(to out: inout [UInt8]) {}

    static func append(whole root: JSONNode, model: String, isStarted: Bool, to out: inout [UInt8]) {
        CompletionChunks.append(root, model: model, to: &out)
    }
}
