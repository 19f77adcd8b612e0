// What must fit: the prompt into the context window, the answer into what the prompt leaves; and how a
// conversation that ends in the model's own words is continued.

/// How long the answer may become.
struct Length {
    let maxTokens: Int
    private(set) var omissions: [Omission] = []
    /// An answer gets at least this much, for the estimate of the prompt errs to the high side.
    private static let least = 1024
    /// What templates add to a prompt without being asked.
    private static let margin = 128

    init(_ request: MessagesRequest, _ target: UpstreamTarget) throws(ClientError) {
        var asked = max(request.maxTokens, 1)
        if let limit = target.outputLimit, limit > 0, asked > limit {
            asked = limit
            omissions.append(
                Omission(path: "max_tokens", reason: "lowered to \(limit): the model gives no more at once"))
        }
        let input = try request.fitting(target)
        guard let window = target.contextWindow, window > 0 else {
            maxTokens = asked
            return
        }
        let room = max(window - input - Self.margin, min(Self.least, window))
        if asked > room {
            asked = room
            omissions = [
                Omission(path: "max_tokens", reason: "lowered to \(room): the context window is \(window)")
            ]
        }
        maxTokens = asked
    }
}

extension MessagesRequest {
    /// The estimate of the prompt's tokens.
    /// - Throws: 400 when it surely overflows the target's window, where that is known.
    func fitting(_ target: UpstreamTarget) throws(ClientError) -> Int {
        let input = estimate(for: target).tokens
        guard let window = target.contextWindow, window > 0 else { return input }
        // Nine tenths, since the estimate is no count: only what surely overflows is refused here.
        guard input * 9 / 10 <= window else {
            throw .invalid("prompt is too long: \(input) tokens > \(window) maximum")
        }
        return input
    }
}

/// The conversation, with the assistant's last words apart when they are to be continued.
struct Ending {
    var messages: [ChatMessage]
    var prefill: AssistantTurn?

    init(_ messages: [ChatMessage], _ profile: Profile) throws(ClientError) {
        self.messages = messages
        guard case .assistant(var turn)? = messages.last, turn.calls.isEmpty else { return }
        self.messages.removeLast()
        turn.text = turn.text.trimmedEnd()
        guard !turn.text.isEmpty else { return }
        if case .unsupported = profile.prefill {
            throw .invalid(
                "This model does not support assistant message prefill. The conversation must end with a user message."
            )
        }
        prefill = turn
    }
}
