// Every golden stream as a client of OpenAI's API sees it: the stream keeps the grammar, its fold is the reply
// without a stream, and the cuts change nothing. What is recorded under `Golden/chat-streams` besides is byte
// for byte: one case for each thing that can be said.

import TestSupport
import Testing
import TranslationTesting

@testable import Translation

@Suite("golden replies to chat clients")
struct ChatStreamTests {
    /// Who gets the reply to another's request: those of Messages clients are no less telling.
    private static func client(streaming: Bool, includesUsage: Bool = false) -> ClientRequest {
        .plain(
            at: .chat, streaming: streaming, #""stream_options":{"include_usage":\#(includesUsage)}"#)
    }

    private static let rooms = GoldenCase.all(in: .streams) + GoldenCase.all(in: .chatStreams)

    @Test("exact bytes", arguments: GoldenCase.all(in: .chatStreams))
    func exact(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        let streamed = upstream.run(streaming: true)
        let whole = upstream.run(streaming: false)
        try golden.expect(ScriptedUpstream.shown(streamed, at: .chat), is: "stream")
        try golden.expect(ScriptedUpstream.shown(whole, at: .chat), is: "whole")
    }

    @Test("clients that declared functions read of one call, in the older words")
    func functionCall() throws {
        let golden = try #require(GoldenCase.all(in: .streams).first { $0.name == "tool-two-in-one-delta" })
        let upstream = try ScriptedUpstream(golden)
        func reply(streaming: Bool) -> String {
            let client = ClientRequest.plain(
                at: .chat, streaming: streaming,
                #""functions":[{"name":"Read","parameters":{"type":"object"}}]"#)
            return String(decoding: upstream.run(streaming: streaming, to: client).output, as: UTF8.self)
        }
        let (streamed, whole) = (reply(streaming: true), reply(streaming: false))
        let chunks = [
            #""delta":{"function_call":{"name":"Read","arguments":""}}"#,
            #""delta":{"function_call":{"arguments":"{\"a\":1}"}}"#,
            #""delta":{},"logprobs":null,"finish_reason":"function_call""#,
        ]
        for chunk in chunks { #expect(streamed.ranges(of: chunk).count == 1, "\(chunk)") }
        #expect(!(streamed + whole).contains("tool_calls"))
        #expect(whole.contains(#""function_call":{"name":"Read","arguments":"{\"a\":1}"}"#))
        #expect(whole.contains(#""finish_reason":"function_call""#))
    }

    @Test("grammar, and the fold of the chunks is the completion", arguments: rooms)
    func grammar(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        for includesUsage in [true, false] {
            let streamed = upstream.run(
                streaming: true, to: Self.client(streaming: true, includesUsage: includesUsage))
            guard streamed.0.failure == nil else { return #expect(streamed.output.isEmpty) }
            let grammar = ChatGrammar(streamed.output, includesUsage: includesUsage)
            #expect(grammar.faults == [])
            #expect(grammar.isComplete == (streamed.0.phase == .ended(.completed)))
            let whole = upstream.run(streaming: false, to: Self.client(streaming: false))
            if grammar.isComplete {
                #expect(grammar.differences(from: whole.output) == [])
            } else {
                #expect(whole.0.failure != nil)
            }
        }
    }

    @Test("opened early: the same chunks behind a comment", arguments: rooms)
    func early(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        let (reply, output) = upstream.run(
            streaming: true, early: true, to: Self.client(streaming: true))
        #expect(String(decoding: output, as: UTF8.self).hasPrefix(": ping\n\n"))
        let grammar = ChatGrammar(output, includesUsage: false)
        #expect(grammar.faults == [])
        #expect(grammar.isComplete == (reply.phase == .ended(.completed)))
    }

    @Test("the same bytes however they are cut", arguments: rooms)
    func cuts(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        var random = SeededRandom(seed: golden.name.utf8.reduce(11) { $0 &* 31 &+ UInt64($1) })
        for streaming in [true, false] {
            let client = Self.client(streaming: streaming, includesUsage: true)
            let expected = ScriptedUpstream.shown(upstream.run(streaming: streaming, to: client), at: .chat)
            for _ in 0..<10 {
                let cuts = random.cuts(upstream.body.count)
                let shown = ScriptedUpstream.shown(
                    upstream.run(streaming: streaming, cuts: cuts, to: client), at: .chat)
                #expect(shown == expected, "cuts \(cuts.prefix(20))")
            }
        }
    }
}
