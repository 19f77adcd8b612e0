// A reply as OpenAI's clients read it: `chat.completion.chunk` events, or the one `chat.completion` that they
// would add up to.
// Holds: the chunk with the role first and once; tool calls numbered 0, 1, 2 …; exactly one chunk has a
// finish reason; counts only when asked for, after it; `[DONE]` last. An error is the last thing said: no
// `[DONE]`.

import JSON

struct ChatStreamWriter: ReplyWriter {
    static let callIDPrefix = "call_"
    /// Every chunk has the id of the reply, and a backend whose chunks pass has its own: only comments stand
    /// before the answer.
    static var opensEarly: Bool { false }

    /// What is the same in every chunk of one reply.
    struct Head: Sendable {
        /// `chatcmpl-…`
        var completionID: String
        /// As the client named it.
        var model: String
        /// Seconds since 1970.
        var created: Int
        /// `stream_options.include_usage`.
        var includesUsage = false
        /// The client declared `functions`, not `tools`: it reads `function_call`, of which there is one.
        var readsFunctionCall = false
    }

    private enum Phase { case unstarted, open, finished }

    let form: ReplyForm
    private let head: Head
    private var phase = Phase.unstarted
    private(set) var output: [UInt8] = []
    private var calls = 0
    private(set) var hasSaidNothing = true
    var hasStarted: Bool { if case .unstarted = phase { false } else { true } }

    // Of a stream: the bytes around a text.
    private var contentOpening: [UInt8] = []
    private var reasoningOpening: [UInt8] = []
    private var closing: [UInt8] = []

    // Of a whole completion: what is said of each kind, until the end.
    private var content: [UInt8] = []
    private var reasoning: [UInt8] = []
    private var callList: [UInt8] = []

    init(form: ReplyForm, head: Head) {
        self.form = form
        self.head = head
    }

    var pending: Int { output.count &+ content.count &+ reasoning.count &+ callList.count }

    // MARK: the walk

    /// Chunks bring their counts at the end.
    mutating func start(_ usage: Usage) {
        guard case .unstarted = phase else { return }
        phase = .open
        guard form == .events else { return }
        openChunk()
        contentOpening = output + Array("\"content\":\"".utf8)
        reasoningOpening = output + Array("\"reasoning_content\":\"".utf8)
        closing = Array("\"".utf8)
        closing.append(ascii: Self.deltaEnd)
        closing.append(ascii: chunkEnd)
        output.append(ascii: "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null")
        output.append(ascii: Self.deltaEnd)
        output.append(ascii: chunkEnd)
    }

    @inline(__always)
    mutating func text(_ text: ArraySlice<UInt8>) {
        guard !text.isEmpty, case .open = phase else { return }
        hasSaidNothing = false
        guard form == .events else { return content.append(contentsOf: text) }
        output.append(contentsOf: contentOpening)
        output.append(contentsOf: text)
        output.append(contentsOf: closing)
    }

    @inline(__always)
    mutating func reasoning(_ text: ArraySlice<UInt8>) {
        guard !text.isEmpty, case .open = phase else { return }
        hasSaidNothing = false
        guard form == .events else { return reasoning.append(contentsOf: text) }
        output.append(contentsOf: reasoningOpening)
        output.append(contentsOf: text)
        output.append(contentsOf: closing)
    }

    /// A whole tool call; `input` is the text of one JSON object. Clients expect the name in a chunk of its
    /// own.
    mutating func toolCall(id: String, name: String, input: [UInt8]) {
        guard case .open = phase else { return }
        if head.readsFunctionCall { return functionCall(name, input) }
        defer { calls += 1 }
        hasSaidNothing = false
        guard form == .events else {
            if calls > 0 { callList.append(UInt8(ascii: ",")) }
            callList.append(ascii: "{\"id\":")
            return Self.append(id, name, input, to: &callList)
        }
        openCall()
        output.append(ascii: ",\"id\":")
        Self.append(id, name, [], to: &output)
        closeCall()
        openCall()
        output.append(ascii: ",\"function\":{\"arguments\":\"")
        output.appendJSONEscaped(input[...])
        output.append(ascii: "\"}}")
        closeCall()
    }

    /// The call as it was told before there were `tools`. What there is no room for is not told.
    private mutating func functionCall(_ name: String, _ input: [UInt8]) {
        guard calls == 0 else { return }
        calls = 1
        hasSaidNothing = false
        guard form == .events else { return Self.append(name, input, to: &callList) }
        for (name, input) in [(name, []), (nil, input)] {
            openChunk()
            output.append(ascii: "\"function_call\":")
            Self.append(name, input, to: &output)
            output.append(ascii: Self.deltaEnd)
            output.append(ascii: chunkEnd)
        }
    }

    /// A comment, which no client sees and every connection feels.
    mutating func ping() {
        guard form == .events else { return }
        if case .finished = phase { return }
        output.append(ascii: ": ping\n\n")
    }

    mutating func finish(_ reason: StopReason, _ usage: Usage) {
        start(usage)
        guard case .open = phase else { return }
        phase = .finished
        switch form {
        case .message: writeCompletion(reason, usage)
        case .events:
            openChunk()
            output.append(ascii: "},\"logprobs\":null,\"finish_reason\":\"")
            output.append(ascii: finishReason(reason))
            output.append(ascii: "\"}]")
            output.append(ascii: chunkEnd)
            if head.includesUsage {
                openObject("chat.completion.chunk")
                output.append(ascii: ",\"choices\":[],\"usage\":")
                output.append(chatUsage: usage)
                output.append(ascii: "}\n\n")
            }
            output.append(ascii: "data: [DONE]\n\n")
        }
    }

    mutating func fail(_ failure: Failure, requestID: String) {
        phase = .finished
        guard form == .events else { return discardOutput() }
        ChatDialect.append(eventOf: failure, requestID: requestID, to: &output)
    }

    // MARK: bytes out

    mutating func takeOutput() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &output)
        return taken
    }

    mutating func reserve(_ bytes: Int) {
        guard form == .events, output.capacity - output.count < bytes else { return }
        output.reserveCapacity(max(output.count + bytes, output.count * 2))
    }

    mutating func discardOutput() {
        output.removeAll()
        content.removeAll()
        reasoning.removeAll()
        callList.removeAll()
    }

    // MARK: parts

    private static let deltaEnd: StaticString = "},\"logprobs\":null,\"finish_reason\":null}]"
    /// Clients that asked for counts see in every chunk that they are still to come.
    private var chunkEnd: StaticString { head.includesUsage ? ",\"usage\":null}\n\n" : "}\n\n" }

    /// An event up to the inside of its delta.
    private mutating func openChunk() {
        openObject("chat.completion.chunk")
        output.append(ascii: ",\"choices\":[{\"index\":0,\"delta\":{")
    }

    private mutating func openObject(_ kind: StaticString) {
        if form == .events { output.append(ascii: "data: ") }
        output.append(ascii: "{\"id\":")
        output.appendJSON(head.completionID)
        output.append(ascii: ",\"object\":\"")
        output.append(ascii: kind)
        output.append(ascii: "\",\"created\":")
        output.appendJSON(head.created)
        output.append(ascii: ",\"model\":")
        output.appendJSON(head.model)
    }

    private mutating func openCall() {
        openChunk()
        output.append(ascii: "\"tool_calls\":[{\"index\":")
        output.appendJSON(calls)
    }

    private mutating func closeCall() {
        output.append(UInt8(ascii: "]"))
        output.append(ascii: Self.deltaEnd)
        output.append(ascii: chunkEnd)
    }

    /// From the value of `id` on.
    private static func append(_ id: String, _ name: String, _ input: [UInt8], to out: inout [UInt8]) {
        out.appendJSON(id)
        out.append(ascii: ",\"type\":\"function\",\"function\":")
        append(name, input, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    /// `{"name":…,"arguments":…}`; without a name, its arguments alone.
    private static func append(_ name: String?, _ input: [UInt8], to out: inout [UInt8]) {
        out.append(UInt8(ascii: "{"))
        if let name {
            out.append(ascii: "\"name\":")
            out.appendJSON(name)
            out.append(UInt8(ascii: ","))
        }
        out.append(ascii: "\"arguments\":\"")
        out.appendJSONEscaped(input[...])
        out.append(ascii: "\"}")
    }

    private func finishReason(_ reason: StopReason) -> StaticString {
        reason == .toolUse && head.readsFunctionCall ? "function_call" : reason.chatName
    }

    private mutating func writeCompletion(_ reason: StopReason, _ usage: Usage) {
        output.reserveCapacity(pending + 1024)
        openObject("chat.completion")
        output.append(ascii: ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":")
        if content.isEmpty, calls > 0 {
            output.append(ascii: "null")
        } else {
            output.append(UInt8(ascii: "\""))
            output.append(contentsOf: content)
            output.append(UInt8(ascii: "\""))
        }
        output.append(ascii: ",\"refusal\":null")
        if !reasoning.isEmpty {
            output.append(ascii: ",\"reasoning_content\":\"")
            output.append(contentsOf: reasoning)
            output.append(UInt8(ascii: "\""))
        }
        if calls > 0, head.readsFunctionCall {
            output.append(ascii: ",\"function_call\":")
            output.append(contentsOf: callList)
        } else if calls > 0 {
            output.append(ascii: ",\"tool_calls\":[")
            output.append(contentsOf: callList)
            output.append(UInt8(ascii: "]"))
        }
        output.append(ascii: "},\"logprobs\":null,\"finish_reason\":\"")
        output.append(ascii: finishReason(reason))
        output.append(ascii: "\"}],\"usage\":")
        output.append(chatUsage: usage)
        output.append(UInt8(ascii: "}"))
        content = []
        reasoning = []
        callList = []
    }
}

extension ChatStreamWriter.Head {
    init(_ start: ReplyStart, _ request: ChatRequest, created: Int) {
        self.init(
            completionID: start.messageID, model: start.model, created: created,
            includesUsage: request.includesUsage, readsFunctionCall: request.readsFunctionCall)
    }
}

extension StopReason {
    /// `finish_reason`.
    var chatName: StaticString {
        switch self {
        case .endTurn, .stopSequence: "stop"
        case .maxTokens, .contextWindowExceeded: "length"
        case .toolUse: "tool_calls"
        case .refusal: "content_filter"
        }
    }
}

extension [UInt8] {
    /// What came from the cache, or went into it, is part of the prompt here.
    fileprivate mutating func append(chatUsage usage: Usage) {
        let prompt = usage.input &+ usage.cacheRead &+ usage.cacheCreation
        append(ascii: "{\"prompt_tokens\":")
        appendJSON(prompt)
        append(ascii: ",\"completion_tokens\":")
        appendJSON(usage.output)
        append(ascii: ",\"total_tokens\":")
        appendJSON(prompt &+ usage.output)
        append(ascii: ",\"prompt_tokens_details\":{\"cached_tokens\":")
        appendJSON(usage.cacheRead)
        append(ascii: "},\"completion_tokens_details\":{\"reasoning_tokens\":")
        appendJSON(usage.thinking ?? 0)
        append(ascii: "}}")
    }
}
