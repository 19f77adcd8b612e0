// The event grammar of the Messages API, as a checker and as a fold: what a strict client would accept, and the
// message that it would end up with.

import Foundation
import JSON

public struct EventGrammar {
    private struct Block {
        var type: String
        var head: String
        var text = ""
        var signature: String?
    }

    public private(set) var faults: [String] = []
    /// `content` of the message that the events add up to, in the writer's own form.
    public private(set) var content = ""
    public private(set) var isComplete = false
    public private(set) var hasFailed = false

    private var isStarted = false
    private var hasDelta = false
    private var blocks = 0
    private var open: Block?

    public init(_ bytes: [UInt8]) {
        let frames = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\n\n")
        if frames.last != "" { faults.append("the last frame has no end") }
        for frame in frames.dropLast() { read(frame: frame) }
        if isStarted, !isComplete, !hasFailed { faults.append("neither message_stop nor error") }
    }

    private mutating func read(frame: String) {
        let lines = frame.components(separatedBy: "\n")
        guard lines.count == 2, lines[0].hasPrefix("event: "), lines[1].hasPrefix("data: ") else {
            return faults.append("not an event and its data: \(frame)")
        }
        let name = String(lines[0].dropFirst(7))
        guard let root = (try? JSONDocument(parsing: Array(lines[1].dropFirst(6).utf8)))?.root else {
            return faults.append("data is no JSON: \(frame)")
        }
        if root["type"]?.string != name { faults.append("event and type differ: \(frame)") }
        if isComplete || hasFailed { faults.append("\(name) after the end") }
        if !isStarted, name != "message_start" { faults.append("\(name) before message_start") }
        read(name, root)
    }

    private mutating func read(_ name: String, _ root: JSONNode) {
        switch name {
        case "message_start": readStart(root)
        case "ping": break
        case "content_block_start": readBlockStart(root)
        case "content_block_delta": readDelta(root)
        case "content_block_stop": readBlockStop(root)
        case "message_delta": readMessageDelta(root)
        case "message_stop":
            if !hasDelta { faults.append("message_stop without message_delta") }
            isComplete = true
        case "error":
            if root["error"]?["type"]?.isString != true || root["error"]?["message"]?.isString != true {
                faults.append("error without type or message")
            }
            if open?.type == "tool_use" { faults.append("a tool block was left open") }
            hasFailed = true
        default: faults.append("unknown event \(name)")
        }
    }

    private mutating func readStart(_ root: JSONNode) {
        if isStarted { faults.append("second message_start") }
        isStarted = true
        let message = root["message"]
        for field: StaticString in ["id", "type", "role", "model"] where message?[field]?.isString != true {
            faults.append("message_start lacks \(field)")
        }
        if message?["content"]?.isEmpty != true { faults.append("message_start.content is not []") }
        if message?["stop_reason"]?.isNull != true { faults.append("message_start.stop_reason is not null") }
        check(usage: message?["usage"])
        let usage = message?["usage"]
        let input = (usage?["input_tokens"]?.int ?? 0) + (usage?["cache_read_input_tokens"]?.int ?? 0)
        if input <= 0 { faults.append("no input estimate") }
    }

    private mutating func check(usage: JSONNode?) {
        for field: StaticString in [
            "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
        ] where (usage?[field]?.int ?? -1) < 0 {
            faults.append("usage lacks \(field)")
        }
    }

    private mutating func readBlockStart(_ root: JSONNode) {
        if open != nil { faults.append("block opened inside a block") }
        if hasDelta { faults.append("block after message_delta") }
        if root["index"]?.int != blocks { faults.append("block index is not \(blocks)") }
        guard let block = root["content_block"], let type = block["type"]?.string else {
            return faults.append("no content_block")
        }
        switch type {
        case "text":
            if block["text"]?.string != "" { faults.append("text block does not start empty") }
        case "thinking":
            if block["thinking"]?.string != "" || block["signature"]?.string != "" {
                faults.append("thinking block does not start empty")
            }
        case "tool_use":
            if block["input"]?.isObject != true || block["input"]?.isEmpty != true {
                faults.append("tool_use does not start with {}")
            }
            let id = block["id"]?.string ?? ""
            if id.isEmpty
                || !id.utf8.allSatisfy({
                    "-_".utf8.contains($0) || Character(Unicode.Scalar($0)).isLetter
                        || Character(Unicode.Scalar($0)).isNumber
                })
            {
                faults.append("tool id \(id)")
            }
            if (block["name"]?.string ?? "").isEmpty { faults.append("tool without name") }
        default: faults.append("unknown block \(type)")
        }
        open = Block(
            type: type,
            head: type == "tool_use"
                ? "\"id\":\(Self.raw(block["id"])),\"name\":\(Self.raw(block["name"]))" : "")
    }

    private mutating func readDelta(_ root: JSONNode) {
        guard open != nil else { return faults.append("delta outside a block") }
        if root["index"]?.int != blocks { faults.append("delta for another block") }
        guard let delta = root["delta"], let type = delta["type"]?.string else {
            return faults.append("no delta")
        }
        let text: JSONNode?
        switch (open?.type, type) {
        case ("text", "text_delta"): text = delta["text"]
        case ("thinking", "thinking_delta"): text = delta["thinking"]
        case ("tool_use", "input_json_delta"): text = delta["partial_json"]
        case ("thinking", "signature_delta"):
            if open?.signature != nil { faults.append("second signature_delta") }
            open?.signature = Self.raw(delta["signature"])
            if delta["signature"]?.string?.isEmpty != false { faults.append("empty signature") }
            return
        default: return faults.append("\(type) in \(open?.type ?? "")")
        }
        if open?.signature != nil { faults.append("delta after signature_delta") }
        guard let text, text.isString, !text.stringRange.isEmpty else {
            return faults.append("empty \(type)")
        }
        if text.hasLoneSurrogate { faults.append("lone surrogate") }
        open?.text += String(decoding: text.stringRaw, as: UTF8.self)
    }

    private mutating func readBlockStop(_ root: JSONNode) {
        guard let block = open else { return faults.append("stop outside a block") }
        if root["index"]?.int != blocks { faults.append("stop of another block") }
        if blocks > 0 { content += "," }
        switch block.type {
        case "text": content += "{\"type\":\"text\",\"text\":\"\(block.text)\"}"
        case "thinking":
            if block.signature == nil { faults.append("thinking without signature") }
            content +=
                "{\"type\":\"thinking\",\"thinking\":\"\(block.text)\",\"signature\":\(block.signature ?? "")}"
        default:
            // As it stands between its quotes.
            let text = (try? JSONDocument(parsing: Array("\"\(block.text)\"".utf8)))?.root.string
            let input = block.text.isEmpty ? Array("{}".utf8) : Array((text ?? "").utf8)
            if (try? JSONDocument(parsing: input))?.root.isObject != true {
                faults.append("input is no object")
            }
            content +=
                "{\"type\":\"tool_use\",\(block.head),\"input\":\(String(decoding: input, as: UTF8.self))}"
        }
        open = nil
        blocks += 1
    }

    private mutating func readMessageDelta(_ root: JSONNode) {
        if open != nil { faults.append("message_delta inside a block") }
        if hasDelta { faults.append("second message_delta") }
        hasDelta = true
        let reasons = [
            "end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "model_context_window_exceeded",
        ]
        let reason = root["delta"]?["stop_reason"]?.string ?? ""
        if !reasons.contains(reason) { faults.append("stop_reason \(reason)") }
        if (reason == "stop_sequence") != (root["delta"]?["stop_sequence"]?.isString == true) {
            faults.append("stop_sequence does not fit \(reason)")
        }
        if (reason == "tool_use") != content.contains("{\"type\":\"tool_use\",\"id\""),
            reason != "max_tokens",
            reason != "refusal", reason != "model_context_window_exceeded"
        {
            faults.append("\(reason) does not fit the blocks")
        }
        check(usage: root["usage"])
    }

    private static func raw(_ node: JSONNode?) -> String { String(decoding: node?.raw ?? [], as: UTF8.self) }
}
