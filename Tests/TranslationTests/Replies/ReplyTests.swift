// Every golden stream: exact bytes, whatever the cuts; the stream keeps the grammar; its fold is the reply
// that a client without a stream gets.

import JSON
import TestSupport
import Testing
import TranslationTesting

@testable import Translation

@Suite("golden replies")
struct ReplyTests {
    @Test("exact bytes and fold", arguments: GoldenCase.all(in: .streams))
    func exact(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        let streamed = upstream.run(streaming: true)
        let whole = upstream.run(streaming: false)
        try golden.expect(ScriptedUpstream.shown(streamed), is: "stream")
        try golden.expect(ScriptedUpstream.shown(whole), is: "whole")
        #expect(streamed.0.repairs == whole.0.repairs)
        let repairs = streamed.0.repairs.map { $0 + "\n" }.joined()
        try golden.expect(repairs.isEmpty ? nil : repairs, is: "repairs")
        guard case .ended = streamed.0.phase, case .ended = whole.0.phase else {
            Issue.record("not ended")
            return
        }
    }

    @Test("grammar, and the fold of the events is the reply", arguments: GoldenCase.all(in: .streams))
    func grammar(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        let streamed = upstream.run(streaming: true)
        guard streamed.0.failure == nil else { return #expect(streamed.output.isEmpty) }
        let grammar = EventGrammar(streamed.output)
        #expect(grammar.faults == [])
        let whole = upstream.run(streaming: false)
        if grammar.isComplete {
            #expect(streamed.0.phase == .ended(.completed))
            let text = String(decoding: whole.output, as: UTF8.self)
            #expect(text.contains("\"content\":[\(grammar.content)],\"stop_reason\""))
            #expect((try? JSONDocument(parsing: whole.output))?.root["type"]?.string == "message")
        } else {
            #expect(streamed.0.phase != .ended(.completed))
            #expect(whole.0.failure != nil)
        }
    }

    @Test(
        "opened early: the same events after message_start and ping",
        arguments: GoldenCase.all(in: .streams))
    func early(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        let (reply, output) = upstream.run(streaming: true, early: true)
        let late = upstream.run(streaming: true).0
        #expect((reply.failure == nil) == (late.failure == nil))
        let grammar = EventGrammar(output)
        #expect(grammar.faults == [])
        #expect(grammar.isComplete == (reply.phase == .ended(.completed)))
    }

    @Test("the same bytes however they are cut", arguments: GoldenCase.all(in: .streams))
    func cuts(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        var random = SeededRandom(seed: golden.name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
        var manners: [[Int]] = []
        if upstream.body.count < 20_000 { manners.append(Array(0..<upstream.body.count)) }
        manners.append(upstream.body.indices.filter { upstream.body[$0] == 0x0A }.map { $0 + 1 })
        for _ in 0..<20 { manners.append(random.cuts(upstream.body.count)) }
        for streaming in [true, false] {
            let expected = ScriptedUpstream.shown(upstream.run(streaming: streaming))
            for cuts in manners {
                let shown = ScriptedUpstream.shown(upstream.run(streaming: streaming, cuts: cuts))
                #expect(shown == expected, "cuts \(cuts.prefix(20))")
            }
        }
    }
}
