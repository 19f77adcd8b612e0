// What holds for any upstream: random steps keep the event grammar and fold to the same message; random and
// mutated bytes end in exactly one outcome and never trap.

import BackendSettings
import JSON
import TestSupport
import Testing
import TranslationTesting

@testable import Translation

@Suite("replies, whatever comes")
struct ReplyPropertyTests {
    private static let texts = [
        "", " ", "\n\n", "Hi", "a \"quote\"", "<think>", "</think>", "<th", "ink>", "é日本👩‍🚀", "\u{2028}",
        "[THINK]",
        "<tool_call>", "{\"a\":1}", "\\", "```json\n", "]]}}", String(repeating: "x", count: 300),
    ]
    private static let names = ["Read", "read", "Bash<|channel|>", "functions.Read", "nobody", "Re", ""]
    private static let ids = ["call_1", "call_1", "functions.Read:0", "0", "", "toolu_enc_x", "ü"]

    private static func delta(_ random: inout SeededRandom) -> Delta {
        let text = texts.randomElement(using: &random) ?? ""
        let number = Int.random(in: -1...4, using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0...3: return .text(JSONText(text))
        case 4: return .text(JSONText(escaped: Array(#"\ud83d"#.utf8)[...], hasLoneSurrogate: true))
        case 5: return .text(JSONText(escaped: Array(#"\ude00"#.utf8)[...], hasLoneSurrogate: true))
        case 6, 7: return .reasoning(JSONText(text))
        case 8:
            return .toolCall(
                number, id: ids.randomElement(using: &random), name: names.randomElement(using: &random))
        case 9: return .toolArguments(number, JSONText(text))
        case 10:
            var usage = Usage()
            usage.output = Int.random(in: 0...9, using: &random)
            return .usage(usage)
        default:
            let reasons: [StopReason] = [
                .endTurn, .maxTokens, .toolUse, .refusal, .stopSequence("END"), .contextWindowExceeded,
            ]
            return .finished(reasons.randomElement(using: &random) ?? .endTurn)
        }
    }

    private static func plan(_ random: inout SeededRandom) -> ReplyPlan {
        var plan = ReplyPlan()
        plan.toolNames = ["Read", "Bash"]
        plan.stopSequences = ["END"]
        plan.settings.thinkTags = [.auto, .implicit, .off].randomElement(using: &random) ?? .auto
        plan.disableParallelToolUse = Int.random(in: 0..<5, using: &random) == 0
        plan.thinkingDisplayOmitted = Int.random(in: 0..<5, using: &random) == 0
        plan.reasoningEcho = Bool.random(using: &random) ? .none : .reasoning
        if Int.random(in: 0..<5, using: &random) == 0 { plan.prefill = "Hi" }
        return plan
    }

    private static func reply(_ plan: ReplyPlan, streaming: Bool) -> DrivenReply {
        DrivenReply(plan: plan, streaming: streaming)
    }

    @Test("random steps keep the grammar, and both forms agree", arguments: 0..<40)
    func randomDeltas(_ block: Int) {
        for seed in 0..<60 {
            var random = SeededRandom(seed: UInt64(block * 100 + seed))
            let plan = Self.plan(&random)
            var streamed = Self.reply(plan, streaming: true)
            var whole = Self.reply(plan, streaming: false)
            var output: [UInt8] = []
            for _ in 0..<Int.random(in: 0...25, using: &random) {
                if Int.random(in: 0..<8, using: &random) == 0 { streamed.ping() }
                if Int.random(in: 0..<20, using: &random) == 0 { streamed.openEarly() }
                let delta = Self.delta(&random)
                streamed.receive(delta)
                whole.receive(delta)
                if Bool.random(using: &random) { output += streamed.takeOutput() }
            }
            let ends: [UpstreamEnd] = [.complete, .broken(detail: ""), .timedOut(limit: "idle")]
            let end = ends.randomElement(using: &random) ?? .complete
            streamed.end(end)
            whole.end(end)
            output += streamed.takeOutput()
            let grammar = EventGrammar(output)
            #expect(grammar.faults == [], "seed \(block * 100 + seed)")
            #expect(grammar.isComplete == (streamed.phase == .ended(.completed)))
            #expect((whole.phase == .ended(.completed)) == grammar.isComplete)
            guard grammar.isComplete else { continue }
            let text = String(decoding: whole.takeOutput(), as: UTF8.self)
            #expect(
                text.contains("\"content\":[\(grammar.content)],\"stop_reason\""),
                "seed \(block * 100 + seed)")
            #expect((try? JSONDocument(parsing: Array(text.utf8))) != nil)
        }
    }

    @Test("mutated streams end once, in the grammar", arguments: GoldenCase.all(in: .streams))
    func mutated(_ golden: GoldenCase) throws {
        let original = try ScriptedUpstream(golden)
        guard original.body.count > 1, original.body.count < 20_000 else { return }
        for seed in 0..<10 {
            var random = SeededRandom(
                seed: UInt64(seed) &+ golden.name.utf8.reduce(3) { $0 &* 31 &+ UInt64($1) })
            var upstream = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<upstream.body.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: upstream.body[at] = UInt8.random(in: 0...255, using: &random)
                case 1:
                    upstream.body.insert(
                        Array("{}[]\",:\\\n\r".utf8).randomElement(using: &random) ?? 0, at: at)
                case 2:
                    let end = min(upstream.body.count, at + Int.random(in: 1...20, using: &random))
                    upstream.body.removeSubrange(at..<end)
                default: upstream.body.append(contentsOf: upstream.body[at...].prefix(60))
                }
                if upstream.body.count < 2 { break }
            }
            let cuts = random.cuts(upstream.body.count)
            let streamed = upstream.run(streaming: true, cuts: cuts)
            let whole = upstream.run(streaming: false)
            guard case .ended = streamed.0.phase, case .ended = whole.0.phase else {
                Issue.record("not ended")
                continue
            }
            if streamed.0.failure == nil {
                #expect(EventGrammar(streamed.output).faults == [], "seed \(seed)")
            } else {
                #expect(streamed.output.isEmpty)
            }
            if whole.0.failure == nil {
                #expect((try? JSONDocument(parsing: whole.output)) != nil, "seed \(seed)")
            }
        }
    }

    @Test("garbage never traps", arguments: 0..<20)
    func garbage(_ block: Int) {
        var random = SeededRandom(seed: UInt64(block) &+ 99)
        for _ in 0..<50 {
            let length = Int.random(in: 0...400, using: &random)
            let alphabet =
                Array("data: {}[]\"\\:,\n\r error choices delta content 0e-.".utf8) + [0xFF, 0xC3, 0x00]
            var upstream = ScriptedUpstream(
                head: UpstreamHead(
                    status: [200, 200, 500].randomElement(using: &random) ?? 200, contentType: ""),
                body: (0..<length).map { _ in alphabet.randomElement(using: &random) ?? 0 })
            upstream.plan = Self.plan(&random)
            let (reply, output) = upstream.run(streaming: true, cuts: random.cuts(upstream.body.count))
            #expect((reply.failure != nil) == output.isEmpty)
            if !output.isEmpty { #expect(EventGrammar(output).faults == []) }
        }
    }

    /// Chunks alike but for their texts are not parsed each; a number that changes forces it.
    @Test("a chunk known from the one before means what it means when it is parsed", arguments: 0..<20)
    func repeatedChunks(_ block: Int) {
        let texts = [
            "a", " token", #"\n"#, #"\"q\""#, #"\\"#, "é", "日本", "👩‍🚀", #"\ud83d"#, #"\ude00"#, #"\u00e9"#,
            "<think>",
            "</think>", #"{\"a\":"#, "1}", "", "\u{7F}", "\u{2028}", #"\u003c"#, "}", "{}",
        ]
        let shapes: [(String) -> String] = [
            { #"{"content":"\#($0)"}"# }, { #"{"content":"\#($0)","role":"assistant"}"# },
            { #"{"reasoning_content":"\#($0)"}"# }, { #"{"content":"","reasoning":"\#($0)"}"# },
            { #"{"tool_calls":[{"index":0,"function":{"arguments":"\#($0)"}}]}"# },
            { #"{"tool_calls":[{"function":{"arguments":"\#($0)"}}]}"# },
            { #"{"tool_calls":[{"index":1,"id":"c2","function":{"name":"Bash","arguments":"\#($0)"}}]}"# },
            { #"{"reasoning_content":"\#($0)","content":"\#($0)"}"# },
        ]
        for seed in 0..<20 {
            var random = SeededRandom(seed: UInt64(block * 20 + seed))
            let plan = Self.plan(&random)
            var outputs: [[UInt8]] = []
            let deltas = (0..<8).flatMap { _ in
                let shape = shapes.randomElement(using: &random) ?? shapes[0]
                return (0..<Int.random(in: 1...5, using: &random)).map { _ in
                    shape(texts.randomElement(using: &random) ?? "")
                }
            }
            for varies in [false, true] {
                var upstream = ScriptedUpstream(head: UpstreamHead(status: 200, contentType: ""), body: [])
                upstream.plan = plan
                for (number, delta) in deltas.enumerated() {
                    let created = varies ? number : 0
                    upstream.body += Array(
                        "data: {\"created\":\(created),\"choices\":[{\"index\":0,\"delta\":\(delta)}]}\n\n"
                            .utf8)
                }
                upstream.body += Array(
                    "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n".utf8)
                // Arguments that are none end in an error, parsed or not.
                let (reply, output) = upstream.run(streaming: true)
                #expect(!reply.wantsMore && reply.failure == nil)
                outputs.append(output)
            }
            #expect(outputs[0] == outputs[1], "seed \(block * 20 + seed)")
        }
    }

    @Test("nothing follows the end")
    func afterTheEnd() {
        var reply = Self.reply(ReplyPlan(), streaming: true)
        reply.receive(.text(JSONText("Hi")))
        reply.receive(.finished(.endTurn))
        reply.end(.complete)
        #expect(!reply.takeOutput().isEmpty)
        reply.receive(.text(JSONText("more")))
        reply.ping()
        reply.openEarly()
        reply.cancel()
        reply.end(.broken(detail: ""))
        reply.receive(Array("data: {\"error\":\"x\"}\n\n".utf8))
        #expect(reply.takeOutput().isEmpty)
        #expect(reply.phase == .ended(.completed))
        #expect(!reply.wantsMore)
    }

    @Test("a client that left gets nothing more")
    func cancelled() {
        var reply = Self.reply(ReplyPlan(), streaming: true)
        reply.receive(.text(JSONText("Hi")))
        reply.cancel()
        #expect(reply.phase == .ended(.cancelled))
        #expect(reply.takeOutput().isEmpty)
    }

    @Test("undecided until the first chunk; pings only in a stream")
    func phases() {
        var reply = Self.reply(ReplyPlan(), streaming: true)
        reply.receive(head: UpstreamHead(status: 200, contentType: "text/event-stream"))
        reply.ping()
        reply.receive(Array(": comment\n\n".utf8))
        #expect(reply.phase == .undecided)
        #expect(reply.takeOutput().isEmpty)
        reply.receive(Array(#"data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}"#.utf8))
        #expect(reply.phase == .undecided)
        reply.receive(Array("\n\n".utf8))
        #expect(reply.phase == .streaming)
        #expect(String(decoding: reply.takeOutput(), as: UTF8.self).hasPrefix("event: message_start\n"))
        reply.ping()
        #expect(reply.takeOutput() == Array("event: ping\ndata: {\"type\":\"ping\"}\n\n".utf8))
    }

    @Test(
        "opened early: message_start and ping; then errors are events, and another backend may answer before")
    func early() {
        var reply = Self.reply(ReplyPlan(), streaming: true)
        reply.openEarly()
        let text = String(decoding: reply.takeOutput(), as: UTF8.self)
        #expect(text.hasPrefix("event: message_start\n"))
        #expect(text.hasSuffix("event: ping\ndata: {\"type\":\"ping\"}\n\n"))
        reply.receive(head: UpstreamHead(status: 503, contentType: "application/json"))
        reply.end(.complete)
        #expect(reply.failure != nil && reply.opening == .started)
        #expect(String(decoding: reply.takeOutput(), as: UTF8.self).hasPrefix("event: error\n"))
    }

    @Test("a reply without a stream says nothing before its end")
    func notStreaming() {
        var reply = Self.reply(ReplyPlan(), streaming: false)
        reply.openEarly()
        reply.receive(.text(JSONText("Hi")))
        #expect(reply.phase == .undecided)
        #expect(reply.takeOutput().isEmpty)
        reply.receive(.finished(.endTurn))
        reply.end(.complete)
        #expect(!reply.takeOutput().isEmpty)
    }

    @Test("8 MiB in one frame; more than the limit is an error, not a flood")
    func frames() {
        let text = String(repeating: "x", count: 8 << 20)
        var reply = Self.reply(ReplyPlan(), streaming: true)
        let frame = Array("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"}}]}\n\n".utf8)
        for start in stride(from: 0, to: frame.count, by: 60_000) {
            reply.receive(frame[start..<min(start + 60_000, frame.count)])
        }
        #expect(reply.takeOutput().count > 8 << 20)
        for _ in 0..<300 { reply.receive(Array(repeating: UInt8(ascii: "y"), count: 60_000)) }
        guard case .ended(.upstreamFailed) = reply.phase else {
            Issue.record("still reading")
            return
        }
    }
}
