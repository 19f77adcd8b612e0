// What must fit: the prompt into the context window, the answer into what the prompt leaves; and how a
// conversation that ends in the model's own words is continued.

/// How long the answer may become.
struct OutputBudget {
    let maxTokens: Int
    private(set) var losses: [Loss] = []
    /// An answer gets at least this much, for the estimate of the prompt errs to the high side.
    private static let least = 1024
    /// What templates add to a prompt without being asked.
    private static let margin = 128

    /// - Parameter input: tokens of the prompt.
    init(_ request: CanonicalRequest, _ target: UpstreamTarget, input: Int) {
        var asked = max(request.maxTokens, 1)
        if let limit = target.outputLimit, limit > 0, asked > limit {
            asked = limit
            losses = [Loss(.maxTokens, "lowered to \(limit): the model gives no more at once")]
        }
        guard let window = target.contextWindow, window > 0 else {
            maxTokens = asked
            return
        }
        let room = max(window - input - Self.margin, min(Self.least, window))
        if asked > room {
            asked = room
            losses = [Loss(.maxTokens, "lowered to \(room): the context window is \(window)")]
        }
        maxTokens = asked
    }
}

extension PromptEstimate {
    /// The estimate without a ratio is at most 2.8 times a count (`Tests/Tokens`): what lies beyond this many
    /// windows cannot fit.
    private static let farBeyond = 3

    private func isFarBeyond(_ window: Int) -> Bool { (fewest - 1) / Self.farBeyond >= window }

    /// The prompt's tokens: the backend's own count, else the estimate.
    /// - Throws: 400 when it overflows the target's window by that count, or the estimate lies far beyond it.
    ///   What is in doubt the backend decides, in words of its own.
    func fitting(_ target: UpstreamTarget) throws(Failure) -> Int {
        let input = target.countedPrompt ?? tokens
        guard let window = target.contextWindow, window > 0 else { return input }
        let isTooLong = target.countedPrompt.map { $0 > window } ?? isFarBeyond(window)
        guard !isTooLong else {
            throw .request(.promptTooLong(tokens: input, window: window))
        }
        return input
    }

    /// Whether this prompt may or may not fit.
    func isDoubtful(for target: UpstreamTarget) -> Bool {
        guard target.countedPrompt == nil, let window = target.contextWindow, window > 0 else { return false }
        // Nine tenths, since the estimate errs to the high side.
        return tokens / 10 * 9 > window && !isFarBeyond(window)
    }
}

/// The conversation, with the assistant's last words apart when they are to be continued.
struct PrefillSplit {
    var messages: [UpstreamMessage]
    var prefill: AssistantTurn?

    init(_ messages: [UpstreamMessage], _ profile: Profile) throws(Failure) {
        self.messages = messages
        guard case .assistant(var turn)? = messages.last, turn.calls.isEmpty else { return }
        self.messages.removeLast()
        turn.text = turn.text.trimmedEnd()
        guard !turn.text.isEmpty else { return }
        if case .unsupported = profile.prefill {
            throw .request(
                .unsupported(
                    "This model does not support assistant message prefill. The conversation must end with a user message."
                ))
        }
        prefill = turn
    }
}
