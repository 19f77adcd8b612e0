// The grammar of chat completion streams, as a checker and as a fold: what OpenAI's own client would accept, and
// the completion that it would end up with.

import Foundation
import JSON

public struct ChatGrammar {
    public struct Call: Equatable {
        public var id: String
        public var name: String
        public var arguments = ""
    }

    public private(set) var faults: [String] = []
    /// Everything as it is written, escapes and all.
    public private(set) var content = ""
    public private(set) var reasoning = ""
    public private(set) var calls: [Call] = []
    public private(set) var finishReason: String?
    /// `usage` as JSON text.
    public private(set) var usage: String?
    public private(set) var isComplete = false
    public private(set) var hasFailed = false

    private let includesUsage: Bool
    /// `id`, `created` and `model` of the first chunk.
    private var head: String?

    public init(_ bytes: [UInt8], includesUsage: Bool) {
        self.includesUsage = includesUsage
        let frames = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\n\n")
        if frames.last != "" { faults.append("the last frame has no end") }
        for frame in frames.dropLast() { read(frame: frame) }
        if head != nil, !isComplete, !hasFailed { faults.append("neither [DONE] nor error") }
        if isComplete, finishReason == nil { faults.append("[DONE] without finish_reason") }
        if isComplete, includesUsage != (usage != nil) {
            faults.append("usage is there or not, against the request")
        }
    }

    private mutating func read(frame: String) {
        if isComplete || hasFailed { faults.append("after the end: \(frame)") }
        // Also before the first chunk: while nobody answers.
        if frame.hasPrefix(": ") { return }
        guard frame.hasPrefix("data: "), !frame.contains("\n") else {
            return faults.append("not one line of data: \(frame)")
        }
        let data = frame.dropFirst(6)
        guard data != "[DONE]" else { return isComplete = true }
        guard let root = (try? JSONDocument(parsing: Array(data.utf8)))?.root, !root.hasLoneSurrogate else {
            return faults.append("data is no JSON: \(frame)")
        }
        if let error = root["error"] {
            hasFailed = true
            for field: StaticString in ["message", "type"] where error[field]?.isString != true {
                faults.append("error without \(field)")
            }
            for field: StaticString in ["param", "code"] where error[field] == nil {
                faults.append("error without \(field)")
            }
            return
        }
        read(chunk: root)
    }

    private mutating func read(chunk root: JSONNode) {
        if root["object"]?.string != "chat.completion.chunk" { faults.append("object is not a chunk") }
        let names: [StaticString] = ["id", "created", "model"]
        let words = names.map { root[$0].map { String(decoding: $0.raw, as: UTF8.self) } ?? "missing" }
        let isFirst = head == nil
        if isFirst { head = words.joined() }
        if head != words.joined() { faults.append("id, created or model changed") }
        if (root["usage"] != nil) != includesUsage {
            faults.append("usage is there or not, against the request")
        }
        guard let choices = root["choices"], choices.isArray else { return faults.append("no choices") }
        guard let choice = choices.first else {
            if finishReason == nil { faults.append("counts before the end") }
            if usage != nil { faults.append("counts twice") }
            return usage = Self.raw(root["usage"])
        }
        if root["usage"]?.isNull == false { faults.append("counts beside a choice") }
        if finishReason != nil { faults.append("a choice after the finish reason") }
        if choice["index"]?.int != 0 { faults.append("index is not 0") }
        guard let delta = choice["delta"], delta.isObject else { return faults.append("no delta") }
        read(delta, isFirst: isFirst)
        guard let reason = choice["finish_reason"] else { return faults.append("no finish_reason") }
        guard !reason.isNull else { return }
        if !delta.isEmpty { faults.append("the chunk with the finish reason says more") }
        finishReason = reason.string
        if !["stop", "length", "tool_calls", "content_filter"].contains(finishReason) {
            faults.append("finish_reason \(finishReason ?? "")")
        }
        if finishReason == "tool_calls", calls.isEmpty { faults.append("tool_calls without a call") }
        if finishReason == "stop", !calls.isEmpty { faults.append("stop with a call") }
    }

    private mutating func read(_ delta: JSONNode, isFirst: Bool) {
        if isFirst != (delta["role"]?.string == "assistant") {
            faults.append("the role is not first and once")
        }
        if isFirst, delta["content"]?.string != "" { faults.append("the first chunk does not start empty") }
        if !isFirst, delta["content"]?.stringRange.isEmpty == true { faults.append("empty content") }
        content += Self.inside(delta["content"])
        reasoning += Self.inside(delta["reasoning_content"])
        guard let call = delta["tool_calls"]?.first else { return }
        if delta["tool_calls"]?.elements.map(\.kind).count != 1 { faults.append("several calls in a chunk") }
        let index = call["index"]?.int ?? -1
        let arguments = Self.inside(call["function"]?["arguments"])
        if let id = call["id"]?.string {
            if index != calls.count { faults.append("call number \(index) is not \(calls.count)") }
            if call["type"]?.string != "function" { faults.append("a call without type") }
            let name = call["function"]?["name"]?.string ?? ""
            if id.isEmpty || name.isEmpty { faults.append("a call without id or name") }
            calls.append(Call(id: id, name: name, arguments: arguments))
        } else if index == calls.count - 1, !calls.isEmpty {
            calls[index].arguments += arguments
        } else {
            faults.append("arguments for no call")
        }
    }

    /// What of the whole completion differs from the fold; empty when nothing does.
    public func differences(from completion: [UInt8]) -> [String] {
        guard let root = (try? JSONDocument(parsing: completion))?.root else { return ["no JSON"] }
        var found: [String] = []
        if root["object"]?.string != "chat.completion" { found.append("object") }
        if root["choices"]?.elements.map(\.kind).count != 1 { found.append("choices") }
        let choice = root["choices"]?.first
        let message = choice?["message"]
        if message?["role"]?.string != "assistant" { found.append("role") }
        if (message?["content"]?.isNull == true) != (content.isEmpty && !calls.isEmpty) {
            found.append("null")
        }
        if Self.inside(message?["content"]) != content { found.append("content") }
        if Self.inside(message?["reasoning_content"]) != reasoning { found.append("reasoning") }
        let whole = (message?["tool_calls"].map { Array($0.elements) } ?? []).map { call in
            Call(
                id: call["id"]?.string ?? "", name: call["function"]?["name"]?.string ?? "",
                arguments: Self.inside(call["function"]?["arguments"]))
        }
        if whole != calls { found.append("tool_calls") }
        if choice?["finish_reason"]?.string != finishReason { found.append("finish_reason") }
        if includesUsage, Self.raw(root["usage"]) != usage { found.append("usage") }
        return found
    }

    private static func inside(_ node: JSONNode?) -> String {
        node.map { String(decoding: $0.stringRaw, as: UTF8.self) } ?? ""
    }

    private static func raw(_ node: JSONNode?) -> String? {
        node.map { String(decoding: $0.raw, as: UTF8.self) }
    }
}
