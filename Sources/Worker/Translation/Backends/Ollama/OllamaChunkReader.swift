// Lines of an /api/chat stream, and whole replies of it, to deltas. Every quirk of this dialect ends here.
// Holds: a line is read whole or not at all; nothing is allocated for a line that only brings text; nothing
// is read behind the line that says `done`.

import JSON

struct OllamaChunkReader: Sendable {
    private static let limits = JSONLimits(depth: 256, bytes: 64 << 20, nodes: 2_000_000)

    private var parser = JSONParser(limits: limits)
    private let plan: ReplyPlan
    private let model: String
    private var calls = 0
    /// The reply is whole.
    private(set) var isDone = false
    /// Told by the counts of the last line.
    private(set) var promptTruncation: PromptTruncation?

    /// - Parameter model: as the client named it.
    init(plan: ReplyPlan, model: String) {
        self.plan = plan
        self.model = model
    }

    /// Reads one line. The deltas hold slices of this reader's memory: they have to be gone before the next
    /// line is read, or memory is allocated anew.
    mutating func read(_ line: ArraySlice<UInt8>, into deltas: inout [Delta]) -> FrameReading {
        if let node = try? parser.parse(line) { return read(node, into: &deltas) ? .read : .foreign }
        // Some gateways in between make server-sent events of it.
        let text = line.starts(with: "data:".utf8) ? line.dropFirst(5).drop(while: Ascii.isSpace) : line
        guard let node = (try? parser.parse(text)) ?? (try? parser.parse(JSONRepair.mended(text)[...])) else {
            if Self.isEventField(line) { return .read }
            return OpenAIChunkReader.isWord(text) ? .foreign : .broken
        }
        return read(node, into: &deltas) ? .read : .foreign
    }

    /// What an answer with an error status means.
    func failure(_ head: UpstreamHead, _ body: [UInt8]) -> Failure {
        .upstream(OllamaFaults.answer(head: head, body: body, model: model, plan))
    }

    private static func isEventField(_ line: ArraySlice<UInt8>) -> Bool {
        [":", "event:", "id:", "retry:", "data: [DONE]", "data:[DONE]"].contains {
            line.starts(with: $0.utf8)
        }
    }

    /// Reads a line's value, a whole reply, or a list of such; false if it is neither.
    mutating func read(_ root: JSONNode, into deltas: inout [Delta]) -> Bool {
        if root.isArray {
            var isRead = true
            for element in root.elements where !isDone {
                isRead = element.isObject && read(element, into: &deltas) && isRead
            }
            return isRead
        }
        guard root.isObject, !isDone else { return isDone }
        if let fault = OllamaFaults.inside(root, model: model, plan) {
            deltas.append(.failed(.upstream(fault)))
            return true
        }
        let message = root["message"]
        let isOver = root["done"]?.bool == true
        guard message?.isObject == true || isOver else { return root.isEmpty }
        if let message { read(message: message, into: &deltas) }
        if isOver { readEnd(root, into: &deltas) }
        return true
    }

    private mutating func read(message: JSONNode, into deltas: inout [Delta]) {
        if let text = message["thinking"] { append(text, as: Delta.reasoning, into: &deltas) }
        if let text = message["content"] { append(text, as: Delta.text, into: &deltas) }
        guard let elements = message["tool_calls"]?.elements else { return }
        // One more than there may be, for the buffer to refuse.
        for element in elements where calls <= ToolCallBuffer.callLimit { read(call: element, into: &deltas) }
    }

    /// A call comes whole.
    private mutating func read(call: JSONNode, into deltas: inout [Delta]) {
        let function = call["function"] ?? call
        guard function.isObject else { return }
        let id = (call["id"] ?? function["id"])?.string
        deltas.append(.toolCall(calls, id: id.flatMap(Self.id), name: function["name"]?.string))
        if let arguments = function["arguments"] ?? function["parameters"] {
            switch arguments.kind {
            case .null: break
            case .string:
                append(arguments, as: { [calls] in .toolArguments(calls, $0) }, into: &deltas)
            default: deltas.append(.toolArguments(calls, JSONText(utf8: arguments.raw)))
            }
        }
        calls += 1
    }

    private static func id(_ text: String) -> String? {
        text.isEmpty || text == "null" || text.utf8.count > 1024 ? nil : text
    }

    private mutating func readEnd(_ root: JSONNode, into deltas: inout [Delta]) {
        isDone = true
        let prompt = OpenAIUsage.integer(root["prompt_eval_count"])
        let generated = OpenAIUsage.integer(root["eval_count"])
        if prompt != nil || generated != nil {
            var usage = Usage()
            usage.input = prompt ?? 0
            usage.output = generated ?? 0
            deltas.append(.usage(usage))
        }
        if let prompt {
            promptTruncation = PromptTruncation(
                estimated: plan.promptEstimate, evaluated: prompt,
                windows: [plan.contextWindow, plan.loadedWindow])
        }
        switch root["done_reason"]?.string {
        case "length": deltas.append(.finished(.maxTokens))
        case "unload":
            deltas.append(.failed(.backend(.unloaded)))
        // Older ones give no reason.
        case nil where plan.maxTokens > 0 && generated ?? 0 >= plan.maxTokens:
            deltas.append(.finished(.maxTokens))
        // `load` too: there was nothing to answer.
        default: deltas.append(.finished(.endTurn))
        }
    }

    @inline(__always)
    private func append(_ node: JSONNode, as make: (JSONText) -> Delta, into deltas: inout [Delta]) {
        guard node.isString, !node.stringRange.isEmpty else { return }
        deltas.append(make(JSONText(escaped: node.stringRaw, hasLoneSurrogate: node.hasLoneSurrogate)))
    }
}
