// What a client asked of OpenAI's chat completions API. Read once, as far as routing and accounting need it:
// a backend that speaks the same API judges the rest itself. For any other backend it is read as a whole.

import JSON

/// A parsed `POST /v1/chat/completions`.
public struct ChatRequest: ParsedRequest {
    var api: ClientAPI { .chat }
    /// As requested; `auto` where nothing was said, as clients of servers with one model do.
    public let model: String
    public let stream: Bool
    /// `stream_options.include_usage`: the stream ends with the counts.
    public let includesUsage: Bool
    /// The client declared `functions` and no `tools`: it looks for `function_call` in the reply.
    let readsFunctionCall: Bool
    private let tally: ChatTally

    let root: JSONNode
    /// `n`: answers asked for.
    let choices: Int

    /// What the client gets when it does not say how much. This API then means as much as the model can give,
    /// the Messages API has to be told a number: this one is what Claude Code asks of models that it does not
    /// know, and what all models of Anthropic's since version 4 take. A known context window lowers it.
    static let defaultMaxTokens = 32_000

    private static let unnamedModel = "auto"

    /// - Throws: 400 `invalid_request_error` in OpenAI's words.
    public init(parsing body: [UInt8]) throws(Failure) { try self.init(reading: RequestBody(body)) }

    public init(reading body: RequestBody) throws(Failure) {
        do { root = try body.document.get().root } catch {
            throw .chat(
                "We could not parse the JSON body of your request: \(error.reason.rawValue) at byte "
                    + "\(error.offset).")
        }
        guard root.isObject else { throw .chat("The JSON body of your request is not an object.") }
        var fields = try ChatFields(root)
        let name = try fields.string("model")?.string ?? Self.unnamedModel
        guard !name.isEmpty else { throw .chat("you must provide a model parameter", "model") }
        guard let messages = try fields.array("messages") else { throw .chatMissing("messages") }
        guard !messages.isEmpty else {
            throw .chat(
                "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty "
                    + "array instead.", "messages", "empty_array")
        }
        model = name
        stream = try fields.bool("stream") ?? false
        includesUsage = stream && fields.take("stream_options")?["include_usage"]?.bool == true
        choices = try fields.int("n", atLeast: 1) ?? 1
        let (tools, functions) = (fields.take("tools"), fields.take("functions"))
        readsFunctionCall = tools == nil && functions?.isEmpty == false
        tally = ChatTally(messages, [tools, functions])
    }

    /// The request for one backend. Pure: the same request and target give the same bytes.
    /// - Throws: 400 for what this backend cannot be asked, and when the prompt is surely too long.
    public func converted(for target: UpstreamTarget) throws(Failure) -> UpstreamCall {
        try call(for: target)
    }

    func prepared(for target: UpstreamTarget) throws(Failure) -> PreparedRequest {
        var reader = try ChatReader(self)
        let content = try reader.read()
        let estimate =
            target.profile.dialect.backend.keepsConversation
            ? estimate(for: target) : PromptTally(content).estimate(for: target, isEdited: false)
        return PreparedRequest(
            content, estimate, inputTokens: estimatedInputTokens, receivedBytes: root.bytes.count, for: target
        )
    }

    func reply(_ start: ReplyStart, _ plan: ReplyPlan, created: Int) -> ReplyMachine {
        ChatDialect.reply(start, plan, head: .init(start, self, created: created))
    }

    /// Rather too many than too few, whoever gets the request.
    public var estimatedInputTokens: Int { tally.text &+ tally.pictures }

    /// How many tokens the prompt probably has for this backend and model.
    public func estimate(for target: UpstreamTarget) -> PromptEstimate {
        var estimate = PromptEstimate()
        estimate.text = tally.text
        estimate.pictures = tally.pictures
        estimate.ratio = target.tokenRatio
        estimate.isTelling = tally.pictures == 0
        return estimate
    }

    var chain: PromptChain {
        PromptChain(
            messages: root["messages"] ?? root,
            tools: [root["tools"], root["functions"]].compactMap(\.self).flatMap { Array($0.elements) })
    }

    private var hasTools: Bool { (root["tools"] ?? root["functions"]).map { !$0.isEmpty } ?? false }
    var isDemanding: Bool { tally.pictures > 0 || hasTools }

    func fits(_ target: UpstreamTarget) -> Bool {
        fits(target, tools: hasTools, images: tally.pictures > 0)
    }

    /// The bytes as they came, but for the model's name.
    func passthroughCall(for target: UpstreamTarget) -> UpstreamCall {
        var plan = ReplyPlan()
        plan.isPassthrough = true
        plan.streamRequested = stream && !target.asksWhole
        var call = UpstreamCall(
            path: String(describing: target.profile.chatPath),
            body: root.replacingModel(
                with: target.model, withoutStream: stream && target.asksWhole,
                slot: root["id_slot"] == nil ? target.takenSlot : nil),
            omissions: [], plan: plan)
        call.headers = [.init(name: "accept", value: accept(target))]
        call.estimate = estimate(for: target)
        return call
    }

    private func accept(_ target: UpstreamTarget) -> String {
        target.streams(stream) ? "text/event-stream" : "application/json"
    }
}

/// What a chat request adds up to, before it is known who gets it.
private struct ChatTally {
    var text = 8
    var pictures = 0

    private static let perMessage = 4
    private static let perTool = 12

    init(_ messages: JSONNode, _ tools: [JSONNode?]) {
        for message in messages.elements {
            text += Self.perMessage
            add(message["tool_calls"])
            guard let content = message["content"] else { continue }
            if content.isString { add(content) }
            for part in content.elements { add(part: part) }
        }
        for tool in tools.compactMap({ $0 }).flatMap({ Array($0.elements) }) {
            text += Self.perTool
            add(tool)
        }
    }

    private mutating func add(_ node: JSONNode?) {
        if let node { text += TextTokens.estimate(node.raw) }
    }

    /// The bytes of pictures and files are no text.
    private mutating func add(part: JSONNode) {
        if let said = part["text"] { return add(said) }
        if part["image_url"] != nil { return pictures += PromptTally.image }
        guard let file = part["file"]?["file_data"] else { return }
        pictures += max(PromptTally.image, file.stringRange.count / 32)
    }
}
