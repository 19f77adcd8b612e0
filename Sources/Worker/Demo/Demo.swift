// The built-in demo backend: answers when nothing else is there, and says that it is a demo. Its answers
// go the way of all answers, as deltas, so that a newcomer sees the whole chain work. Pure: the pauses are
// part of the script, whoever plays it keeps the time.

internal import JSON
internal import Translation

/// One answer of the demo, to be played in order.
struct Demo: Sendable {
    struct Step: Sendable, Equatable {
        /// Before the deltas.
        var pause: Duration
        var deltas: [Delta]
    }

    static let model = "demo"
    /// Between two pieces of an answer.
    static let pace = Duration.milliseconds(20)
    /// Characters of one token, roughly; for usage.
    private static let charactersPerToken = 4

    private(set) var steps: [Step] = []
    private var outputTokens = 0
    private var pending = Duration.zero

    /// - Parameters:
    ///   - request: what the client says.
    ///   - inputTokens: of the request, estimated.
    ///   - callID: for the tool call, if one is made; unique within the service.
    init(answering request: DemoRequest, inputTokens: Int, callID: String) {
        var usage = Usage()
        usage.input = inputTokens
        add(.usage(usage))
        let reason = compose(request, callID)
        usage.output = max(1, outputTokens)
        add(.usage(usage))
        add(.finished(reason))
    }

    private mutating func compose(_ request: DemoRequest, _ callID: String) -> StopReason {
        let wish = DemoWish(request)
        if wish.thinks {
            let thought =
                "This is the demo thinking: no model is connected, so there is not much to think about."
            if let reason = say(thought, request, stops: false, as: Delta.reasoning) { return reason }
        }
        if let result = request.toolResult, wish.call == nil {
            return say(DemoText.follow(result), request, as: Delta.text) ?? .endTurn
        }
        guard let call = wish.call else { return say(DemoText.plain, request, as: Delta.text) ?? .endTurn }
        guard let tool = request.tools.first(where: { call.name == nil || $0.name == call.name }) else {
            let text = DemoText.noSuchTool(call.name, request.tools.map(\.name))
            return say(text, request, as: Delta.text) ?? .endTurn
        }
        if let reason = say("The demo calls the tool \(tool.name).", request, as: Delta.text) {
            return reason
        }
        add(.toolCall(0, id: callID, name: tool.name))
        let arguments = call.arguments ?? tool.sample
        outputTokens += tokens(arguments)
        for piece in DemoText.pieces(arguments) {
            pending += Self.pace
            add(.toolArguments(0, JSONText(String(piece))))
        }
        return .toolUse
    }

    /// Adds the text in small paced pieces. Not nil when a limit of the request ended it.
    private mutating func say(
        _ text: String, _ request: DemoRequest, stops: Bool = true, as delta: (JSONText) -> Delta
    ) -> StopReason? {
        var text = text[...]
        var reason: StopReason?
        let ends =
            !stops
            ? []
            : request.stopSequences.compactMap { stop in
                DemoText.position(of: stop, in: text).map { (at: $0, stop: stop) }
            }
        if let first = ends.min(by: { $0.at < $1.at }) {
            text = text[..<first.at]
            reason = .stopSequence(first.stop)
        }
        for piece in DemoText.pieces(text) {
            let cost = tokens(piece)
            if let limit = request.maxTokens, outputTokens + cost > limit { return .maxTokens }
            outputTokens += cost
            pending += Self.pace
            add(delta(JSONText(String(piece))))
        }
        return reason
    }

    private mutating func add(_ delta: Delta) {
        if pending == .zero, !steps.isEmpty {
            steps[steps.count - 1].deltas.append(delta)
        } else {
            steps.append(Step(pause: pending, deltas: [delta]))
        }
        pending = .zero
    }

    private func tokens(_ text: some StringProtocol) -> Int { max(1, text.count / Self.charactersPerToken) }
}

/// What the last message wants to see: `demo:think`, `demo:tool NAME {arguments}`, or the same in words.
struct DemoWish: Equatable {
    struct Call: Equatable {
        /// nil = any.
        var name: String?
        /// A JSON object; nil = samples by the tool's schema.
        var arguments: String?
    }

    var thinks = false
    var call: Call?

    init(_ request: DemoRequest) {
        call = request.forced
        guard request.toolResult == nil, call == nil else { return }
        let text = request.lastText
        let words = text.lowercased().split { !$0.isLetter && !$0.isNumber && $0 != ":" }
        thinks = words.contains("demo:think") || words.contains("think")
        if let at = DemoText.position(of: "demo:tool", in: text[...]) {
            let rest = text[at...].dropFirst("demo:tool".count).drop { $0 == " " }
            let name = rest.prefix { !$0.isWhitespace && $0 != "{" }
            let arguments = rest.dropFirst(name.count).drop { $0.isWhitespace }
            call = Call(name: name.isEmpty ? nil : String(name), arguments: Self.object(arguments))
        } else if words.contains("tool"), words.contains("call") || words.contains("use") {
            call = Call(name: nil, arguments: nil)
        }
    }

    /// The text, if it is one JSON object.
    private static func object(_ text: Substring) -> String? {
        guard text.hasPrefix("{") else { return nil }
        do throws(JSONError) {
            let root = try JSONDocument(parsing: Array(text.utf8)).root
            return root.isObject ? String(text) : nil
        } catch {
            return nil
        }
    }
}

/// The demo's words.
enum DemoText {
    static let plain = """
        This is Dragoman's built-in demo, not a language model. The whole chain works: your client, the \
        supervisor, a worker, this answer. To get real answers, start a backend on its usual port (Ollama \
        11434, LM Studio 1234, vLLM 8000, llama.cpp 8080, SGLang 30000) and it is picked up within seconds, \
        or name one under `backends:` in the configuration. To see more of the demo, say `demo:think` for a \
        thinking block, or `demo:tool NAME` for a call of one of your tools.
        """

    static func follow(_ result: String) -> String {
        let shown = result.prefix(200)
        return "The demo called a tool, and the tool answered: \(shown.isEmpty ? "(nothing)" : shown)"
    }

    static func noSuchTool(_ name: String?, _ declared: [String]) -> String {
        let wanted = name.map { "called \($0) " } ?? ""
        let known = declared.isEmpty ? "none" : declared.prefix(50).joined(separator: ", ")
        return
            "The demo was asked to call a tool, but no tool \(wanted)is declared in this request. Declared: \(known)."
    }

    /// Words with the space before them.
    static func pieces(_ text: some StringProtocol) -> [Substring] {
        let text = Substring(text)
        var pieces: [Substring] = []
        var start = text.startIndex
        var at = start
        while at < text.endIndex {
            let next = text.index(after: at)
            if next < text.endIndex, text[next] == " " {
                pieces.append(text[start..<next])
                start = next
            }
            at = next
        }
        if start < text.endIndex { pieces.append(text[start...]) }
        return pieces
    }

    static func position(of part: String, in text: Substring) -> String.Index? {
        guard !part.isEmpty else { return nil }
        var at = text.startIndex
        while at < text.endIndex {
            if text[at...].hasPrefix(part) { return at }
            at = text.index(after: at)
        }
        return nil
    }
}
