// Golden cases of relayed replies, under `Golden/relays`: what a backend of the client's own API sends, and what
// clients with and without a stream get, byte for byte.

import TestSupport
import Testing
import TranslationTesting

@testable import Translation

extension DrivenReply {
    /// What the worker learns: outcome, counts, what was mended.
    var facts: String {
        let outcome =
            switch phase {
            case .undecided: "undecided"
            case .streaming: "streaming"
            case .ended(.completed): "completed"
            case .ended(.truncated): "truncated"
            case .ended(.upstreamFailed): "upstream failed"
            case .ended(.cancelled): "cancelled"
            case .ended(.timedOut): "timed out"
            }
        return """
            outcome: \(outcome)
            input: \(usage.input) + \(usage.cacheRead) read + \(usage.cacheCreation) written
            output: \(usage.output)
            repaired: \(repairs.joined(separator: " "))

            """
    }
}

@Suite("golden relays")
struct PassthroughReplyTests {
    @Test func thereAreCases() { #expect(GoldenCase.all(in: .relays).count > 40) }

    @Test("exact bytes, outcome and counts", arguments: GoldenCase.all(in: .relays))
    func exact(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        let streamed = upstream.run(streaming: true)
        let whole = upstream.run(streaming: false)
        try golden.expect(ScriptedUpstream.shown(streamed, at: upstream.api), is: "stream")
        try golden.expect(streamed.0.facts, is: "facts")
        try golden.expect(ScriptedUpstream.shown(whole, at: upstream.api), is: "whole")
        #expect(!streamed.0.wantsMore && !whole.0.wantsMore)
    }

    @Test("the same bytes however they are cut", arguments: GoldenCase.all(in: .relays))
    func cuts(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        var random = SeededRandom(seed: golden.name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
        var manners = [Array(0..<upstream.body.count)]
        manners.append(upstream.body.indices.filter { upstream.body[$0] == 0x0A }.map { $0 + 1 })
        manners.append(upstream.body.indices.filter { upstream.body[$0] == 0x0D }.map { $0 + 1 })
        for _ in 0..<20 { manners.append(random.cuts(upstream.body.count)) }
        for streaming in [true, false] {
            let whole = upstream.run(streaming: streaming)
            for cuts in manners {
                let cut = upstream.run(streaming: streaming, cuts: cuts)
                #expect(
                    ScriptedUpstream.shown(cut, at: upstream.api)
                        == ScriptedUpstream.shown(whole, at: upstream.api), "cuts \(cuts.prefix(20))")
                #expect(cut.0.facts == whole.0.facts)
            }
        }
    }

    @Test(
        "opened early: one ping, then the same bytes or an error event",
        arguments: GoldenCase.all(in: .relays))
    func early(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        let late = upstream.run(streaming: true)
        let (reply, output) = upstream.run(streaming: true, early: true)
        let text = String(decoding: output, as: UTF8.self)
        let ping = upstream.api == .chat ? ": ping\n\n" : "event: ping\ndata: {\"type\":\"ping\"}\n\n"
        #expect((reply.failure == nil) == (late.0.failure == nil) && text.hasPrefix(ping))
        let rest = String(text.dropFirst(ping.count))
        guard let failure = late.0.failure else {
            return #expect(rest == String(decoding: late.output, as: UTF8.self))
        }
        // Comments may stand before the error; nothing else does.
        let body = String(
            decoding: failure.error(for: upstream.api).body(requestID: "req_golden"), as: UTF8.self)
        #expect(!body.contains("\n"))
        #expect(rest.hasSuffix("data: \(body)\n\n"), "\(rest)")
        #expect(!rest.contains("message_start") && reply.phase == late.0.phase)
    }

    @Test("every output is made of whole frames", arguments: GoldenCase.all(in: .relays))
    func wholeFrames(_ golden: GoldenCase) throws {
        let upstream = try ScriptedUpstream(golden)
        var reply = upstream.reply(streaming: true)
        reply.receive(head: upstream.head)
        for byte in upstream.body {
            reply.receive([byte])
            let output = reply.takeOutput()
            guard !output.isEmpty, reply.wantsMore else { continue }
            // A ping of ours may stand between any two outputs.
            let end = String(decoding: output.suffix(4), as: UTF8.self)
            #expect(end.hasSuffix("\n\n") || end.hasSuffix("\r\n\r\n") || end.hasSuffix("\r\r"), "\(end)")
        }
    }
}
