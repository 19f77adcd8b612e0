// Events of the Messages API, and whole messages, to deltas: for clients of another API before a backend that
// speaks this one.
// Holds: an event is read whole or not at all; nothing is allocated for an event that only brings text.
// Blocks of tools that ran on the server are not shown: their results stand in the text that follows.

import JSON

struct AnthropicEventReader: EventReader {
    static let heedsStopSequences = true

    private static let limits = JSONLimits(depth: 256, bytes: 64 << 20, nodes: 2_000_000)
    /// Tool calls in one answer; what goes beyond is no answer any more.
    private static let callLimit = 4096

    private var parser = JSONParser(limits: limits)
    private var usage = Usage()
    private var calls = 0
    /// Number of the call in the block of this index; the blocks of a stream come one after the other.
    private var open: (block: Int, call: Int)?

    let unparsedCalls: JSONText? = nil

    init(plan: ReplyPlan) {}

    mutating func read(_ frame: ArraySlice<UInt8>, into deltas: inout [Delta]) -> FrameReading {
        guard let root = try? parser.parse(frame) else { return readOdd(frame, into: &deltas) }
        return read(event: root, frame, into: &deltas)
    }

    private mutating func readOdd(
        _ frame: ArraySlice<UInt8>, into deltas: inout [Delta]
    ) -> FrameReading {
        let text = frame.drop(while: Ascii.isSpace)
        if text.isEmpty { return .read }
        let mended = JSONRepair.mended(text)
        if let root = try? parser.parse(mended[...]) { return read(event: root, mended[...], into: &deltas) }
        // The word with which other APIs end a stream.
        return text.starts(with: "[DONE]".utf8) || OpenAIChunkReader.isWord(text) ? .foreign : .broken
    }

    @inline(__always)
    private mutating func read(
        event root: JSONNode, _ frame: ArraySlice<UInt8>, into deltas: inout [Delta]
    ) -> FrameReading {
        guard let type = root["type"], type.isString else {
            guard let failure = PassthroughFaults<MessagesDialect>.inside(root) else {
                return root["delta"] == nil && root["content_block"] == nil ? .foreign : .broken
            }
            deltas.append(.failed(.upstream(failure)))
            return .read
        }
        // The commonest first.
        if type.stringEquals("content_block_delta") {
            read(root["delta"], block: root["index"]?.int ?? 0, into: &deltas)
        } else if type.stringEquals("content_block_start") {
            if let block = root["content_block"] { begin(block, root["index"]?.int ?? 0, into: &deltas) }
        } else if type.stringEquals("message_start") {
            read(usage: root["message"]?["usage"], into: &deltas)
        } else if type.stringEquals("message_delta") {
            read(usage: root["usage"], into: &deltas)
            read(stop: root["delta"], into: &deltas)
        } else if type.stringEquals("message_stop") {
            return .done
        } else if type.stringEquals("error") {
            deltas.append(.failed(.upstream(PassthroughFaults<MessagesDialect>.named(data: frame))))
        }
        return .read
    }

    /// Reads a whole message, or an error.
    mutating func read(whole root: JSONNode, into deltas: inout [Delta]) -> WholeReading {
        if let failure = PassthroughFaults<MessagesDialect>.inside(root) {
            deltas.append(.failed(.upstream(failure)))
            return .answer
        }
        guard let content = root["content"], content.isArray else { return .unreadable }
        read(usage: root["usage"], into: &deltas)
        for (index, block) in content.elements.enumerated() { begin(block, index, into: &deltas) }
        read(stop: root, into: &deltas)
        return .answer
    }

    static func failure(_ head: UpstreamHead, _ body: [UInt8], model: String) -> UpstreamFault {
        PassthroughFaults<MessagesDialect>.answer(head: head, body: body, model: model)
    }

    static func failure(named data: ArraySlice<UInt8>) -> UpstreamFault {
        PassthroughFaults<MessagesDialect>.named(data: data)
    }

    // MARK: blocks

    /// A block as it begins, which in a whole message is all of it.
    private mutating func begin(_ block: JSONNode, _ index: Int, into deltas: inout [Delta]) {
        guard let type = block["type"], type.isString else { return }
        if type.stringEquals("text") {
            append(block["text"], as: Delta.text, into: &deltas)
        } else if type.stringEquals("thinking") {
            append(block["thinking"], as: Delta.reasoning, into: &deltas)
        } else if type.stringEquals("tool_use"), calls < Self.callLimit {
            open = (index, calls)
            deltas.append(.toolCall(calls, id: block["id"]?.string, name: block["name"]?.string))
            if let input = block["input"], input.isObject, !input.isEmpty {
                var text: [UInt8] = []
                text.append(raw: input)
                deltas.append(.toolArguments(calls, JSONText(utf8: text[...])))
            }
            calls += 1
        }
    }

    @inline(__always)
    private mutating func read(_ delta: JSONNode?, block: Int, into deltas: inout [Delta]) {
        guard let delta, let type = delta["type"] else { return }
        if type.stringEquals("text_delta") {
            append(delta["text"], as: Delta.text, into: &deltas)
        } else if type.stringEquals("thinking_delta") {
            append(delta["thinking"], as: Delta.reasoning, into: &deltas)
        } else if type.stringEquals("input_json_delta"), let open, open.block == block {
            let number = open.call
            append(delta["partial_json"], as: { .toolArguments(number, $0) }, into: &deltas)
        }
    }

    @inline(__always)
    private func append(_ node: JSONNode?, as make: (JSONText) -> Delta, into deltas: inout [Delta]) {
        guard let node, node.isString, !node.stringRange.isEmpty else { return }
        deltas.append(make(JSONText(escaped: node.stringRaw, hasLoneSurrogate: node.hasLoneSurrogate)))
    }

    // MARK: the end

    private mutating func read(usage node: JSONNode?, into deltas: inout [Delta]) {
        if usage.update(node) { deltas.append(.usage(usage)) }
    }

    private func read(stop node: JSONNode?, into deltas: inout [Delta]) {
        guard let word = node?["stop_reason"]?.string else { return }
        let reason: StopReason =
            switch word {
            case "max_tokens": .maxTokens
            case "stop_sequence": node?["stop_sequence"]?.string.map(StopReason.stopSequence) ?? .endTurn
            case "tool_use": .toolUse
            case "refusal": .refusal
            case "model_context_window_exceeded": .contextWindowExceeded
            default: .endTurn
            }
        deltas.append(.finished(reason))
    }
}
