// Replies in Ollama's dialect, whatever comes: the same steps give the same events as in the OpenAI dialect;
// random lines keep the grammar; counts tell a prompt that was cut.

import BackendSettings
import JSON
import TestSupport
import Testing
import TranslationTesting

@testable import Translation

@Suite("replies of Ollama")
struct OllamaReplyTests {
    private enum Step {
        case text(String), thinking(String), call(name: String, arguments: String, id: String)

        var line: String {
            switch self {
            case .text(let text): #"{"message":{"role":"assistant","content":"\#(text)"},"done":false}"#
            case .thinking(let text):
                #"{"message":{"role":"assistant","content":"","thinking":"\#(text)"},"done":false}"#
            case .call(let name, let arguments, let id):
                #"{"message":{"content":"","tool_calls":[{"id":"\#(id)","function":{"name":"\#(name)","arguments":\#(arguments)}}]}}"#
            }
        }

        func chunk(_ number: Int) -> String {
            let delta: String
            switch self {
            case .text(let text): delta = #"{"content":"\#(text)"}"#
            case .thinking(let text): delta = #"{"reasoning_content":"\#(text)"}"#
            case .call(let name, let arguments, let id):
                let escaped = arguments.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                delta =
                    #"{"tool_calls":[{"index":\#(number),"id":"\#(id)","function":{"name":"\#(name)","arguments":"\#(escaped)"}}]}"#
            }
            return #"{"choices":[{"index":0,"delta":\#(delta)}]}"#
        }
    }

    private static let texts = [
        "a", " b", #"\n"#, #"\"q\""#, "é日本", #"\ud83d\ude00"#, #"\u003cthink\u003e"#, #"\u003c/think\u003e"#,
        #"<tool_call>{\"name\":\"Read\",\"arguments\":{}}</tool_call>"#, "```", " ", "x \u{2028} y",
    ]
    private static let arguments = [
        "{}", #"{"file_path":"a\n\"b\""}"#, #"{"n":1.10,"big":12345678901234567890}"#, #"{"a":[{"b":null}]}"#,
    ]

    private static func steps(_ random: inout SeededRandom) -> [Step] {
        (0..<Int.random(in: 0...12, using: &random)).map { number in
            let text = texts.randomElement(using: &random) ?? ""
            switch Int.random(in: 0..<6, using: &random) {
            case 0...2: return .text(text)
            case 3, 4: return .thinking(text)
            default:
                return .call(
                    name: ["Read", "read", "nobody"].randomElement(using: &random) ?? "",
                    arguments: arguments.randomElement(using: &random) ?? "{}", id: "call_abcd\(number)")
            }
        }
    }

    private static func plan(_ random: inout SeededRandom) -> ReplyPlan {
        var plan = ReplyPlan()
        plan.toolNames = ["Read", "Bash"]
        plan.settings.thinkTags = [.auto, .implicit, .off].randomElement(using: &random) ?? .auto
        plan.disableParallelToolUse = Int.random(in: 0..<5, using: &random) == 0
        plan.showsThinking = Bool.random(using: &random)
        plan.thinkingDisplayOmitted = Int.random(in: 0..<5, using: &random) == 0
        plan.reasoningEcho = Bool.random(using: &random) ? .none : .thinking
        return plan
    }

    @Test("the same steps, the same events, whatever the dialect", arguments: 0..<20)
    func bothDialects(_ block: Int) {
        for seed in 0..<50 {
            var random = SeededRandom(seed: UInt64(block * 100 + seed))
            let plan = Self.plan(&random)
            let steps = Self.steps(&random)
            let reason = Bool.random(using: &random) ? "stop" : "length"
            var openAI = ScriptedUpstream(head: UpstreamHead(status: 200, contentType: ""), body: [])
            var ollama = openAI
            (openAI.plan, ollama.plan) = (plan, plan)
            ollama.plan.dialect = .ollama
            for (number, step) in steps.enumerated() {
                openAI.body += Array("data: \(step.chunk(number))\n\n".utf8)
                ollama.body += Array("\(step.line)\n".utf8)
            }
            openAI.body += Array(
                """
                data: {"choices":[{"index":0,"delta":{},"finish_reason":"\(reason)"}],\
                "usage":{"prompt_tokens":5,"completion_tokens":3}}\n\ndata: [DONE]\n\n
                """.utf8)
            ollama.body += Array(
                """
                {"message":{"role":"assistant","content":""},"done":true,"done_reason":"\(reason)",\
                "prompt_eval_count":5,"eval_count":3}\n
                """.utf8)
            for streaming in [true, false] {
                let cuts = random.cuts(ollama.body.count)
                let left = openAI.run(streaming: streaming)
                let right = ollama.run(streaming: streaming, cuts: cuts)
                let shown = String(decoding: ScriptedUpstream.shown(right), as: UTF8.self)
                #expect(
                    shown == String(decoding: ScriptedUpstream.shown(left), as: UTF8.self),
                    "seed \(block * 100 + seed)")
                #expect(left.0.repairs == right.0.repairs)
                if streaming { #expect(EventGrammar(right.output).faults == []) }
            }
        }
    }

    @Test("garbage never traps", arguments: 0..<20)
    func garbage(_ block: Int) {
        var random = SeededRandom(seed: UInt64(block) &+ 77)
        let words = [
            "{", "}", "[", "]", "\n", "\r\n", " ", ",", ":", "null", "true", "7", "\"x\"",
            #"{"message":{"content":"Hi"}}"#, #"{"done":true}"#, #""message""#, #""content""#,
            #""tool_calls""#, #"{"error":"x"}"#, #""done""#, "data: ", "\u{FEFF}", "<",
        ]
        for _ in 0..<100 {
            var upstream = ScriptedUpstream(head: UpstreamHead(status: 200, contentType: ""), body: [])
            upstream.plan = Self.plan(&random)
            upstream.plan.dialect = .ollama
            for _ in 0..<Int.random(in: 0...30, using: &random) {
                upstream.body += Array((words.randomElement(using: &random) ?? "").utf8)
                if Int.random(in: 0..<20, using: &random) == 0 { upstream.body.append(0xFF) }
            }
            let expected = ScriptedUpstream.shown(upstream.run(streaming: true))
            let (reply, output) = upstream.run(streaming: true, cuts: random.cuts(upstream.body.count))
            #expect(ScriptedUpstream.shown((reply, output)) == expected)
            #expect((reply.failure != nil) == output.isEmpty)
            if !output.isEmpty { #expect(EventGrammar(output).faults == []) }
            guard case .ended = reply.phase else {
                Issue.record("not ended")
                continue
            }
        }
    }

    @Test("a line of 17 MiB is read; a longer one than is read is an error, not a flood")
    func hugeLines() {
        var plan = ReplyPlan()
        plan.dialect = .ollama
        func reply() -> DrivenReply { DrivenReply(plan: plan, streaming: true) }
        var read = reply()
        let text = String(repeating: "x", count: 17 << 20)
        let line = Array("{\"message\":{\"content\":\"\(text)\"}}\n".utf8)
        for start in stride(from: 0, to: line.count, by: 60_000) {
            read.receive(line[start..<min(start + 60_000, line.count)])
        }
        #expect(read.takeOutput().count > 17 << 20)
        var flooded = reply()
        flooded.receive(Array("{\"message\":{\"content\":\"".utf8))
        let piece = [UInt8](repeating: UInt8(ascii: "y"), count: 1 << 20)
        for _ in 0..<40 { flooded.receive(piece) }
        #expect(flooded.failure?.status == 502 && !flooded.wantsMore)
    }

    @Test(
        "what counts tell of the prompt",
        arguments: [
            (20_000, 4095, [4096], true), (20_000, 4096, [65_536, 4096], true), (20_000, 4064, [4096], true),
            (20_000, 3000, [4096], false), (20_000, 300, [65_536], false), (4500, 4095, [4096], false),
            (5200, 4095, [4096], true), (20_000, 0, [4096], false), (20_000, 4095, [nil], false),
            (20_000, 4200, [4096], false), (100, 8, [8], false), (.max, 4095, [4096], true),
            (4096, .max, [4096], false),
        ] as [(Int, Int, [Int?], Bool)])
    func promptTruncation(_ estimated: Int, _ evaluated: Int, _ windows: [Int?], _ isCut: Bool) {
        let cut = PromptTruncation(estimated: estimated, evaluated: evaluated, windows: windows)
        #expect((cut != nil) == isCut)
    }
}
