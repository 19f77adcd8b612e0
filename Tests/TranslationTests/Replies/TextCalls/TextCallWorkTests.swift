// Work on an answer is linear, whatever the model writes: counted in bytes looked at, not in seconds.

import BackendSettings
import Foundation
import JSON
import Testing

@testable import Translation

@Suite("work for calls in the text")
struct TextCallWorkTests {
    private static var plan: ReplyPlan {
        var plan = ReplyPlan()
        plan.toolNames = ["Read", "Bash", "Write"]
        return plan
    }

    /// Openers without closers, closers without end, and what else a model may repeat until its tokens are spent.
    private static let loops = [
        "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"file_path\": \"/x\n",
        "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"file_path\": \"/x\"}}\n",
        "<tool_call>\n{\"name\": \"Read\", \n",
        "<tool_call>\n{\"name\": \"Read\", \"arguments\": {}}</tool_call>\n",
        "<tool_call>{'name': 'Read', 'arguments': {'file_path': '/x",
        "<tool_call>\n<function=Read>\n<parameter=file_path>\n/x\n",
        "<function=Read>\n<parameter=file_path>\n/x\n",
        "<function=Read>\n<parameter=file_path>\n/x\n</parameter>\n",
        "<function=Read>\n<parameter=file_path>\n/x\n</parameter>\n</function>\n",
        "<function=Read>{\"file_path\":\"/x\n",
        "<tool_call>Read\n<arg_key>file_path</arg_key>\n<arg_value>/x\n",
        "<tool_call>Read\n<arg_key>",
        "<invoke name=\"Read\">\n<parameter name=\"file_path\">/x\n",
        "<function_calls>\n<invoke name=\"Read\">\n<parameter name=\"file_path\">/x</parameter>\n",
        "<minimax:tool_call>\n<invoke name=\"Read\">\n",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>Read\n```json\n{\"file_path\":\"/x\n",
        "<｜tool▁call▁begin｜>Read<",
        "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"Read\">\n",
        "<|start|>assistant<|channel|>commentary to=functions.Read <|constrain|>json<|message|>{\"file_path\":\"/x\n",
        "<|channel|>analysis<|message|>a<|end|>", "<|channel|>final<|message|>",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.Read:0<|tool_call_argument_begin|>{\"a\":1",
        "<|tool_call_begin|>functions.Read:0<|tool_call_argument_begin|>{\"a\":1}<|tool_call_end|>",
        "[TOOL_CALLS]Read[ARGS]{\"file_path\":\"/x\n", "[TOOL_CALLS][{\"name\":\"Read\",\"arguments\":{\n",
        "<|python_tag|>Read.call(", "<|python_start|>[Read(file_path=\"/x",
        "\n```tool_code\nRead(file_path='/x'\n",
        "<|tool_call>call:Read{file_path:<|\"|>", "<start_function_call>call:Read{",
        "<tool_call>", "<tool_call>\n", "</tool_call>", "<tool_call>{\"name\":\"Read\",\"arguments\":{//",
        "<", "<|",
        "<t", "<tool_calls", "[", "[T", "{", "`", "```\n", "~~~x\n", "    ", "\t", "- ", "1. ", "> ", "<pre>",
        "<code",
        "a\n<tool_call>{\"name\":\"Bash\"} b\n", "\n", "\"", "assistant", "<think>", "</think>",
        "<tool_call>{\"name\":\"Read\",\"arguments\":{\"a\":\"</tool_call>", "<tool_call>{\"id\":\"",
        "<invoke name=\"Bash\"><parameter name=\"command\">x</parameter></invoke> is how.\n",
    ]

    private static func work(_ text: [UInt8], piece: Int, isCut: Bool) -> Int {
        var recovery = TextCallRecovery(plan)
        var start = 0
        while start < text.count {
            let end = min(start + piece, text.count)
            _ = recovery.read(Array(text[start..<end]))
            start = end
        }
        _ = recovery.finish(isCut: isCut)
        return recovery.work
    }

    @Test("four times the text is four times the work", arguments: loops)
    func isLinear(_ loop: String) {
        let unit = Array(loop.utf8)
        func text(_ size: Int) -> [UInt8] {
            var text: [UInt8] = []
            while text.count < size { text += unit }
            return text
        }
        let (small, large) = (text(10_000), text(40_000))
        for isCut in [false, true] {
            for piece in isCut ? [1 << 20] : [16, 1 << 20] {
                let (few, many) = (
                    Self.work(small, piece: piece, isCut: isCut), Self.work(large, piece: piece, isCut: isCut)
                )
                #expect(many <= 5 * few, "\(loop) in pieces of \(piece): \(few), \(many)")
                #expect(
                    many <= TextCallBudget.limit(large.count), "\(loop) in pieces of \(piece): \(many)")
            }
        }
    }

    /// Other words would be found by chance only.
    @Test("the fuzzer's dictionary has every mark")
    func dictionary() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../Fuzz/marks.dict")
        let words = Set(try String(contentsOf: file, encoding: .utf8).split(separator: "\n"))
        for marker in TextCallMarker.calls + TextCallMarker.harmony + TextCallMarker.crumbs {
            for mark in [marker.opener, marker.closer].compactMap(\.self) {
                let word = mark.map { byte in
                    switch byte {
                    case 0x22, 0x5C: "\\" + String(UnicodeScalar(byte))
                    case 0x20..<0x7F: String(UnicodeScalar(byte))
                    default: "\\x" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16, uppercase: true)
                    }
                }
                #expect(words.contains("\"\(word.joined())\""), "\(word.joined())")
            }
        }
    }

    @Test("what was no call is shown, and a real call behind a few of them is found")
    func failures() {
        let broken = "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"file_path\": oops}}</tool_call>\n"
        let real = "<tool_call>{\"name\":\"Bash\",\"arguments\":{}}</tool_call>"
        for (count, isFound) in [(1, true), (10, true), (40, false)] {
            let text = String(repeating: broken, count: count)
            var recovery = TextCallRecovery(Self.plan)
            let pieces = recovery.read(Array((text + real).utf8)) + recovery.finish(isCut: false)
            let calls = pieces.filter { if case .call = $0 { true } else { false } }
            #expect(calls.count == (isFound ? 1 : 0), "\(count)")
            let shown = pieces.reduce(into: "") { all, piece in
                if case .text(let text) = piece { all += String(decoding: text, as: UTF8.self) }
            }
            #expect(shown == (isFound ? text : text + real), "\(count)")
        }
    }

    @Test(
        "tags around reasoning are as linear",
        arguments: ["<think>a</think>", "<think>", "</think>\\n", "\\u003c"])
    func tags(_ loop: String) {
        // Quadratic work on this much would take minutes.
        let text = Array(String(repeating: loop, count: 200_000).utf8)
        var splitter = ReasoningTagSplitter(.auto)
        let split = splitter.split(text[...])
        let rest = splitter.flush()
        let count = split.reasoning.count + split.text.count + rest.reasoning.count + rest.text.count
        #expect(count <= text.count)
    }

    @Test("a long prefill that is repeated token by token is compared once")
    func prefill() {
        let prefill = (0..<40_000).map { "\($0) " }.joined()
        var echo = PrefillEcho(prefill)
        let answer = Array((prefill + "end").utf8)
        var shown: [UInt8] = []
        for start in stride(from: 0, to: answer.count, by: 4) {
            shown += echo.withoutEcho(answer[start..<min(start + 4, answer.count)])
        }
        #expect(shown == Array("end".utf8))
        #expect(echo.isSettled)
    }
}
