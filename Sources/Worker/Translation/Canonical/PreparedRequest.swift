// A request made ready for one target: the history as the operator of its backend wants it, and how long the
// prompt probably is there. What a conversion needs to know beside what the client asked for.

internal import BackendSettings
import JSON

struct PreparedRequest: Sendable {
    private(set) var content: CanonicalRequest
    /// How many tokens the prompt probably has for this target; nobody estimates it again.
    let estimate: PromptEstimate
    /// The same, whoever gets it.
    let inputTokens: Int
    /// Size of the client's body, for buffers.
    let receivedBytes: Int
    /// Of several calls in one answer each is told with its result, one after the other.
    private(set) var isSequential = false
    /// What was put right in the history, by name and number.
    private(set) var repairs: [String] = []
    private(set) var losses: [Loss] = []

    init(
        _ request: CanonicalRequest, _ estimate: PromptEstimate, inputTokens: Int, receivedBytes: Int,
        for target: UpstreamTarget
    ) {
        content = request
        self.estimate = estimate
        self.inputTokens = inputTokens
        self.receivedBytes = receivedBytes
        if target.reasoningRemedy == .thinkingOff {
            content.thinking = .disabled
            losses.append(Loss(.thinking, "earlier turns have no reasoning to give back"))
        }
        guard !target.profile.dialect.backend.keepsConversation else { return }
        if target.settings.history == .heal {
            var healing = HistoryHealing(content)
            healing.heal()
            content.messages = healing.messages
            note("history-failed-calls", healing.droppedCalls)
            note("history-arguments", healing.mendedInputs)
        }
        if target.settings.toolCalls == .sequential {
            isSequential = true
            note("history-sequential", content.messages.count { $0.callCount > 1 })
        }
    }

    private mutating func note(_ repair: String, _ count: Int) {
        if count > 0 { repairs.append("\(repair):\(count)") }
    }

    /// In the words of the target's dialect.
    func converted(for target: UpstreamTarget) throws(Failure) -> UpstreamCall {
        var call = try target.profile.dialect.backend.convert(self, for: target)
        call.repairs = repairs
        call.estimate = estimate
        return call
    }
}

extension Message {
    fileprivate var callCount: Int {
        guard role == .assistant else { return 0 }
        return blocks.count { if case .toolUse = $0 { true } else { false } }
    }
}
