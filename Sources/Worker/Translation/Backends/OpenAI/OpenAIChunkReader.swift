// Chunks of a chat completion stream, and whole completions, to deltas. Every quirk of this dialect ends
// here.
// Holds: a chunk is read whole or not at all; nothing is allocated for a chunk that only brings text.

import JSON

struct OpenAIChunkReader: EventReader {
    static let heedsStopSequences = false

    private static let limits = JSONLimits(depth: 256, bytes: 64 << 20, nodes: 2_000_000)

    private var parser = JSONParser(limits: limits)
    private var calls: OpenAIToolCalls
    private let stopSequences: [String]
    private var repeated = RepeatedChunk()
    /// Some servers end a stream with the whole message; it counts only if nothing came before it.
    private var hasSeenDelta = false
    private var hasRefused = false
    /// A `function_call` beside `tool_calls` is the same call in the words of before.
    private var hasToolCalls = false
    private(set) var unparsedCalls: JSONText?

    init(plan: ReplyPlan) {
        calls = OpenAIToolCalls(declared: plan.toolNames)
        stopSequences = plan.stopSequences
    }

    mutating func read(_ frame: ArraySlice<UInt8>, into deltas: inout [Delta]) -> FrameReading {
        if let delta = repeated.delta(in: frame) {
            if case .toolArguments(let number, let text) = delta { calls.goOn(number, text) }
            deltas.append(delta)
            return .read
        }
        if let node = try? parser.parse(frame) {
            let before = deltas.count
            guard read(node, into: &deltas) else { return Self.unread(node) }
            repeated.learn(frame, deltas[before...])
            return .read
        }
        return readOdd(frame, into: &deltas)
    }

    /// Reads a chunk or a completion; false if it is neither.
    mutating func read(_ root: JSONNode, into deltas: inout [Delta]) -> Bool {
        guard root.isObject || root.isArray else { return false }
        if let fault = UpstreamFault.inside(root) {
            unparsedCalls = UpstreamFault.unparsedCalls(root)
            deltas.append(.failed(.upstream(fault)))
            return true
        }
        guard root.isObject else { return false }
        if let usage = OpenAIUsage.read(root) { deltas.append(.usage(usage)) }
        guard let choices = root["choices"] else { return true }
        for choice in choices.elements where OpenAIUsage.integer(choice["index"]) ?? 0 == 0 {
            read(choice: choice, root, into: &deltas)
            break
        }
        return true
    }

    mutating func read(whole root: JSONNode, into deltas: inout [Delta]) -> WholeReading {
        guard read(root, into: &deltas) else { return .unreadable }
        return root["choices"]?.first == nil ? .noAnswer : .answer
    }

    static func failure(named data: ArraySlice<UInt8>) -> UpstreamFault { UpstreamFault.named(data: data) }

    static func failure(_ head: UpstreamHead, _ body: [UInt8], model: String) -> UpstreamFault {
        UpstreamFault.answer(head: head, body: body, model: model)
    }

    private mutating func readOdd(_ frame: ArraySlice<UInt8>, into deltas: inout [Delta]) -> FrameReading {
        let text = frame.drop(while: Ascii.isSpace)
        if text.isEmpty { return .read }
        if text.starts(with: "[DONE]".utf8) { return .done }
        if let node = try? parser.parse(JSONRepair.mended(text)[...]) {
            return read(node, into: &deltas) ? .read : Self.unread(node)
        }
        return readSeveral(text, into: &deltas)
    }

    /// Several chunks on one line, one behind the other.
    private mutating func readSeveral(_ text: ArraySlice<UInt8>, into deltas: inout [Delta]) -> FrameReading {
        var rest = text
        var hasRead = false
        while rest.first == UInt8(ascii: "{"), let end = JSONText.objectEnd(rest),
            let node = try? parser.parse(rest[..<end])
        {
            guard read(node, into: &deltas) else { return .broken }
            hasRead = true
            rest = rest[end...].drop(while: Ascii.isSpace)
        }
        if hasRead, rest.isEmpty || rest.starts(with: "[DONE]".utf8) { return .read }
        guard Self.isWord(rest) else { return .broken }
        return hasRead ? .read : .foreign
    }

    /// JSON that is no chunk: null, numbers and empty lists are signs of life, a list of chunks is an answer.
    private static func unread(_ node: JSONNode) -> FrameReading {
        node.elements.contains { $0.isObject } ? .broken : .foreign
    }

    /// Bytes of a word that is no part of a chunk.
    private static let wordLimit = 64

    /// Whether a line that is no JSON cannot be what is left of a chunk: `ping`, `keep-alive`.
    static func isWord(_ text: ArraySlice<UInt8>) -> Bool {
        text.count <= wordLimit
            && !text.contains { byte in
                switch byte {
                case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "["), UInt8(ascii: "]"),
                    UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    true
                default: false
                }
            }
    }

    private mutating func read(choice: JSONNode, _ root: JSONNode, into deltas: inout [Delta]) {
        let verdict = OpenAIFinish.read(choice, root, stopSequences: stopSequences)
        if let delta = choice["delta"], delta.isObject {
            if !delta.isEmpty { hasSeenDelta = true }
            read(message: delta, isLast: verdict != nil, into: &deltas)
        } else if let message = choice["message"], message.isObject, !hasSeenDelta {
            read(message: message, isLast: false, isWhole: true, into: &deltas)
        } else if let text = choice["text"], text.isString {
            append(text, as: Delta.text, into: &deltas)
        }
        switch verdict {
        case .stopped(.endTurn) where hasRefused: deltas.append(.finished(.refusal))
        case .stopped(let reason): deltas.append(.finished(reason))
        case .failed(let reason): deltas.append(.failed(.backend(.generationFailed(reason: reason))))
        case nil: break
        }
    }

    /// - Parameter isWhole: each call in it is one of its own.
    private mutating func read(
        message: JSONNode, isLast: Bool, isWhole: Bool = false, into deltas: inout [Delta]
    ) {
        readReasoning(message, into: &deltas)
        if let content = message["content"] { readContent(content, into: &deltas) }
        if let refusal = message["refusal"], refusal.isString, !refusal.stringRange.isEmpty {
            append(refusal, as: Delta.text, into: &deltas)
            hasRefused = true
        }
        calls.beginMessage()
        if let found = message["tool_calls"], !found.isEmpty {
            hasToolCalls = true
            if found.isObject { calls.read(found, isLast: isLast, into: &deltas) }
            for element in found.elements {
                if isWhole { calls.endCall() }
                calls.read(element, isLast: isLast, into: &deltas)
            }
        }
        if !hasToolCalls, let legacy = message["function_call"], legacy.isObject {
            calls.read(legacy, isLast: isLast, into: &deltas)
        }
    }

    /// One of the fields: servers that send several send the same text in each.
    private func readReasoning(_ message: JSONNode, into deltas: inout [Delta]) {
        if let text = Self.text(message["reasoning_content"]) ?? Self.text(message["reasoning"])
            ?? Self.text(message["reasoning_text"]) ?? Self.text(message["thinking"])
        {
            append(text, as: Delta.reasoning, into: &deltas)
        } else if let details = message["reasoning_details"] {
            for detail in details.elements {
                if let text = detail["text"] ?? detail["summary"] {
                    append(text, as: Delta.reasoning, into: &deltas)
                }
            }
        }
    }

    /// A text that is not empty, also inside an object.
    private static func text(_ node: JSONNode?) -> JSONNode? {
        guard let node, let text = node.isObject ? node["content"] ?? node["text"] : node else { return nil }
        return text.isString && !text.stringRange.isEmpty ? text : nil
    }

    private func readContent(_ content: JSONNode, into deltas: inout [Delta]) {
        switch content.kind {
        case .string: append(content, as: Delta.text, into: &deltas)
        case .array: for part in content.elements { readPart(part, into: &deltas) }
        case .object: readPart(content, into: &deltas)
        case .null, .bool, .number: break
        }
    }

    private func readPart(_ part: JSONNode, into deltas: inout [Delta]) {
        if part.isString { return append(part, as: Delta.text, into: &deltas) }
        if let thinking = part["thinking"] {
            if thinking.isString { return append(thinking, as: Delta.reasoning, into: &deltas) }
            for piece in thinking.elements {
                if let text = piece["text"] { append(text, as: Delta.reasoning, into: &deltas) }
            }
        } else if let text = part["text"] {
            append(text, as: Delta.text, into: &deltas)
        }
    }

    @inline(__always)
    private func append(_ node: JSONNode, as make: (JSONText) -> Delta, into deltas: inout [Delta]) {
        guard node.isString, !node.stringRange.isEmpty else { return }
        deltas.append(make(JSONText(escaped: node.stringRaw, hasLoneSurrogate: node.hasLoneSurrogate)))
    }
}
