// Opens and closes the content blocks of a translated reply. Two forms of the same walk: server-sent events,
// or the one JSON message that those events would add up to.
// Holds: message_start first (but for pings) and once; blocks numbered 0, 1, 2 … strictly one after the other; exactly one
// message_delta, then message_stop, then nothing; an error ends everything.

import JSON

struct MessageStreamWriter: ReplyWriter {
    static let callIDPrefix = "toolu_"
    static var opensEarly: Bool { true }

    /// What is the same in every reply to one request.
    struct Head: Sendable {
        var messageID: String
        var model: String
        /// Thinking blocks appear without their text.
        var omitsThinking = false
        /// Their signature then brings the text back on the next turn.
        var carriesThinking = false
    }

    /// Bytes of reasoning that a signature carries; what goes on beyond is left out.
    private static let withheldLimit = 256 << 10

    private enum Block { case text, thinking }

    private enum Phase {
        case unstarted
        case between(next: Int)
        case inside(index: Int, Block)
        case finished
    }

    let form: ReplyForm
    private let head: Head
    private var phase = Phase.unstarted
    private(set) var output: [UInt8] = []
    /// The bytes of a delta event of the open block, up to its text.
    private var deltaOpening: [UInt8] = []
    /// Reasoning kept back for the signature.
    private var withheld: [UInt8] = []

    init(form: ReplyForm, head: Head) {
        self.form = form
        self.head = head
    }

    var pending: Int { output.count }
    var hasStarted: Bool { if case .unstarted = phase { false } else { true } }
    var hasSaidNothing: Bool { blocks == 0 }

    /// Blocks opened so far.
    private var blocks: Int {
        switch phase {
        case .unstarted, .finished: 0
        case .between(let next): next
        case .inside(let index, _): index + 1
        }
    }

    // MARK: the walk

    mutating func start(_ usage: Usage) {
        guard case .unstarted = phase else { return }
        phase = .between(next: 0)
        if form == .events {
            output.append(ascii: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":")
        }
        output.append(ascii: "{\"id\":")
        output.appendJSON(head.messageID)
        output.append(ascii: ",\"type\":\"message\",\"role\":\"assistant\",\"model\":")
        output.appendJSON(head.model)
        output.append(ascii: ",\"content\":[")
        guard form == .events else { return }
        output.append(ascii: "],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":")
        output.append(usage: usage)
        output.append(ascii: "}}\n\n")
    }

    /// Text of the answer; opens a block if none of this kind is open. An empty text does nothing.
    mutating func text(_ text: ArraySlice<UInt8>) {
        guard !text.isEmpty else { return }
        enter(.text)
        append(delta: text)
    }

    mutating func reasoning(_ text: ArraySlice<UInt8>) {
        guard !text.isEmpty else { return }
        enter(.thinking)
        guard head.omitsThinking else { return append(delta: text) }
        guard head.carriesThinking, withheld.count < Self.withheldLimit else { return }
        withheld.append(contentsOf: text)
    }

    /// A whole tool call; `input` is the text of one JSON object.
    mutating func toolCall(id: String, name: String, input: [UInt8]) {
        leave()
        guard case .between(let index) = phase else { return }
        phase = .between(next: index + 1)
        switch form {
        case .message:
            if index > 0 { output.append(UInt8(ascii: ",")) }
            output.append(ascii: "{\"type\":\"tool_use\",\"id\":")
            output.appendJSON(id)
            output.append(ascii: ",\"name\":")
            output.appendJSON(name)
            output.append(ascii: ",\"input\":")
            output.append(contentsOf: input)
            output.append(UInt8(ascii: "}"))
        case .events:
            openEvent(index, "{\"type\":\"tool_use\",\"id\":")
            output.appendJSON(id)
            output.append(ascii: ",\"name\":")
            output.appendJSON(name)
            output.append(ascii: ",\"input\":{}}}\n\n")
            if input != Array("{}".utf8) {
                output.append(
                    contentsOf: Self.deltaOpening(index, "{\"type\":\"input_json_delta\",\"partial_json\":\"")
                )
                output.appendJSONEscaped(input[...])
                output.append(ascii: "\"}}\n\n")
            }
            closeEvent(index)
        }
    }

    mutating func ping() {
        guard form == .events else { return }
        switch phase {
        case .unstarted, .between, .inside:
            output.append(ascii: "event: ping\ndata: {\"type\":\"ping\"}\n\n")
        case .finished: break
        }
    }

    /// The end of a complete reply. A turn without any block gets one empty text block, since clients look
    /// at `content[0]`, unless the stop reason explains the absence.
    mutating func finish(_ reason: StopReason, _ usage: Usage) {
        start(usage)
        if blocks == 0, reason != .maxTokens, reason != .refusal, reason != .contextWindowExceeded {
            enter(.text)
        }
        leave()
        guard case .between = phase else { return }
        phase = .finished
        switch form {
        case .events:
            output.append(ascii: "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{")
            append(reason)
            output.append(ascii: "},\"usage\":")
            output.append(usage: usage)
            output.append(ascii: "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
        case .message:
            output.append(ascii: "],")
            append(reason)
            output.append(ascii: ",\"usage\":")
            output.append(usage: usage)
            output.append(UInt8(ascii: "}"))
        }
    }

    /// The end of a reply that failed. Text that was shown is kept by clients when its block is closed; a
    /// thinking block without its signature is not worth keeping and stays open.
    mutating func fail(_ failure: Failure, requestID: String) {
        if case .inside(_, .text) = phase { leave() }
        phase = .finished
        guard form == .events else { return output.removeAll() }
        MessagesDialect.append(eventOf: failure, requestID: requestID, to: &output)
    }

    mutating func takeOutput() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &output)
        return taken
    }

    mutating func reserve(_ bytes: Int) {
        guard output.capacity - output.count < bytes else { return }
        output.reserveCapacity(max(output.count + bytes, output.count * 2))
    }

    mutating func discardOutput() { output.removeAll() }

    // MARK: blocks

    private mutating func enter(_ block: Block) {
        if case .inside(_, let open) = phase, open == block { return }
        leave()
        guard case .between(let index) = phase else { return }
        phase = .inside(index: index, block)
        switch (form, block) {
        case (.message, _):
            if index > 0 { output.append(UInt8(ascii: ",")) }
            output.append(
                ascii: block == .text
                    ? "{\"type\":\"text\",\"text\":\"" : "{\"type\":\"thinking\",\"thinking\":\"")
        case (.events, .text):
            openEvent(index, "{\"type\":\"text\",\"text\":\"\"}}\n\n")
            deltaOpening = Self.deltaOpening(index, "{\"type\":\"text_delta\",\"text\":\"")
        case (.events, .thinking):
            openEvent(index, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n")
            deltaOpening = Self.deltaOpening(index, "{\"type\":\"thinking_delta\",\"thinking\":\"")
        }
    }

    private mutating func leave() {
        guard case .inside(let index, let block) = phase else { return }
        phase = .between(next: index + 1)
        switch (form, block) {
        case (.message, .text):
            output.append(ascii: "\"}")
        case (.message, .thinking):
            output.append(ascii: "\",\"signature\":")
            output.appendJSON(signature())
            output.append(UInt8(ascii: "}"))
        case (.events, .text):
            closeEvent(index)
        case (.events, .thinking):
            output.append(
                contentsOf: Self.deltaOpening(index, "{\"type\":\"signature_delta\",\"signature\":"))
            output.appendJSON(signature())
            output.append(ascii: "}}\n\n")
            closeEvent(index)
        }
    }

    private mutating func signature() -> String {
        defer { withheld.removeAll() }
        return ReasoningCarrier.signature(hidden: JSONText(escaped: withheld[...]).plain)
    }

    // MARK: bytes

    @inline(__always)
    private mutating func append(delta text: ArraySlice<UInt8>) {
        guard form == .events else { return output.append(contentsOf: text) }
        output.append(contentsOf: deltaOpening)
        output.append(contentsOf: text)
        output.append(ascii: "\"}}\n\n")
    }

    private static func deltaOpening(_ index: Int, _ delta: StaticString) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        bytes.append(ascii: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":")
        bytes.append(contentsOf: String(index).utf8)
        bytes.append(ascii: ",\"delta\":")
        bytes.append(ascii: delta)
        return bytes
    }

    private mutating func openEvent(_ index: Int, _ block: StaticString) {
        output.append(ascii: "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":")
        output.append(contentsOf: String(index).utf8)
        output.append(ascii: ",\"content_block\":")
        output.append(ascii: block)
    }

    private mutating func closeEvent(_ index: Int) {
        output.append(ascii: "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":")
        output.append(contentsOf: String(index).utf8)
        output.append(ascii: "}\n\n")
    }

    private mutating func append(_ reason: StopReason) {
        output.append(ascii: "\"stop_reason\":\"")
        output.append(ascii: reason.wireName)
        output.append(ascii: "\",\"stop_sequence\":")
        if case .stopSequence(let sequence) = reason {
            output.appendJSON(sequence)
        } else {
            output.append(ascii: "null")
        }
        if reason == .refusal {
            output.append(
                ascii: ",\"stop_details\":{\"type\":\"refusal\",\"category\":null,\"explanation\":null}")
        }
    }
}

extension MessageStreamWriter.Head {
    init(_ start: ReplyStart, plan: ReplyPlan) {
        self.init(
            messageID: start.messageID, model: start.model, omitsThinking: plan.thinkingDisplayOmitted,
            carriesThinking: plan.thinkingDisplayOmitted && plan.reasoningEcho != .none)
    }
}

extension [UInt8] {
    fileprivate mutating func append(usage: Usage) {
        append(ascii: "{\"input_tokens\":")
        append(contentsOf: String(usage.input).utf8)
        append(ascii: ",\"cache_creation_input_tokens\":")
        append(contentsOf: String(usage.cacheCreation).utf8)
        append(ascii: ",\"cache_read_input_tokens\":")
        append(contentsOf: String(usage.cacheRead).utf8)
        append(ascii: ",\"output_tokens\":")
        append(contentsOf: String(usage.output).utf8)
        if let thinking = usage.thinking {
            append(ascii: ",\"output_tokens_details\":{\"thinking_tokens\":")
            append(contentsOf: String(thinking).utf8)
            append(UInt8(ascii: "}"))
        }
        append(UInt8(ascii: "}"))
    }
}
