// Replies that are handed through: the same bytes however they were cut, in whole frames, with one end, and
// never an end that looks complete when it is none.

import JSON
import TestSupport
import TranslationTesting

@testable import Translation

/// Whole replies of both APIs, streamed and not.
func fuzzRelay(_ bytes: [UInt8], _ random: inout SeededRandom) {
    let api: ClientAPI = Bool.random(using: &random) ? .messages : .chat
    var head = UpstreamHead(
        status: [200, 200, 200, 200, 400, 529].randomElement(using: &random) ?? 200, contentType: "")
    head.contentType = ["text/event-stream", "text/html", ""].randomElement(using: &random) ?? ""
    head.shouldRetry = [nil, true, false].randomElement(using: &random) ?? nil
    let ends: [UpstreamEnd] = [.complete, .complete, .broken(detail: "reset"), .timedOut(limit: "idle")]
    let script = RelayScript(
        bytes: bytes, api: api, head: head, end: ends.randomElement(using: &random) ?? .complete)
    let cuts = random.cuts(bytes.count)
    for streaming in [true, false] {
        let whole = ShownRelay(script, streaming: streaming, cuts: [])
        let cut = ShownRelay(script, streaming: streaming, cuts: cuts)
        expect(whole == cut, "the same reply when cut at \(cuts)")
        whole.check(api, streaming: streaming)
        guard streaming else { continue }
        let early = ShownRelay(script, streaming: true, cuts: cuts, isEarly: true)
        early.check(api, streaming: true)
        expect((early.failure == nil) == (whole.failure == nil), "it fails early as it fails late")
    }
}

private struct RelayScript {
    var bytes: [UInt8]
    var api: ClientAPI
    var head: UpstreamHead
    var end: UpstreamEnd
}

private struct ShownRelay: Equatable {
    var output: [UInt8] = []
    var phase: ReplyPhase
    var failure: Failure?
    var repairs: [String]
    var usage: Usage
    let isEarly: Bool

    init(_ script: RelayScript, streaming: Bool, cuts: [Int], isEarly: Bool = false) {
        self.isEarly = isEarly
        var plan = ReplyPlan()
        plan.isPassthrough = true
        let request = ClientRequest.plain(at: script.api, model: "claude \"x\"", streaming: streaming)
        var reply = DrivenReply(to: request, plan: plan)
        output = reply.play(script.head, script.bytes, cuts: cuts, early: isEarly, script.end) { part in
            // A ping of ours may come next.
            expect(!streaming || part.isEmpty || part.endsFrame, "no half frame: \(part.suffix(40))")
        }
        expect(!reply.wantsMore, "the reply has ended")
        phase = reply.phase
        failure = reply.failure
        repairs = reply.repairs
        usage = reply.usage
        // Nothing follows the end.
        reply.receive(Array("data: {\"type\":\"message_stop\"}\n\n".utf8))
        reply.end(.complete)
        reply.ping()
        reply.openEarly()
        expect(reply.takeOutput().isEmpty && reply.phase == phase, "nothing after the end")
    }

    func check(_ api: ClientAPI, streaming: Bool) {
        expect(usage.input >= 0 && usage.output >= 0 && usage.cacheRead >= 0, "counts are counts")
        if let failure {
            expect(phase != .ended(.completed), "an error or a reply, not both")
            expectSayable(failure)
            // Behind a head that went out early its owner writes it as an event.
            guard isEarly else { return expect(output.isEmpty, "an error or a reply, not both") }
        }
        expect(!output.isEmpty, "there is an answer")
        let text = String(decoding: output, as: UTF8.self)
        guard streaming else {
            expect((try? JSONDocument(parsing: output))?.root.kind != nil, "the answer is JSON: \(text)")
            return
        }
        guard phase != .ended(.completed) else { return }
        // The last frame is the error, with our id where the API has one.
        let last = text.unicodeScalars.split { $0 == "\n" || $0 == "\r" }.last.map(String.init) ?? ""
        expect(
            last.hasPrefix("data: {") && last.contains("\"error\":"), "the end says that it is none: \(last)")
        expect(api == .chat || last.hasSuffix("\"request_id\":\"req_1\"}"), "with our id: \(last)")
    }
}

extension [UInt8] {
    /// Whether a blank line stands at the end.
    fileprivate var endsFrame: Bool {
        var ends = 0
        var at = endIndex
        while at > 0, ends < 2, self[at - 1] == 0x0A || self[at - 1] == 0x0D {
            at -= self[at - 1] == 0x0A && at > 1 && self[at - 2] == 0x0D ? 2 : 1
            ends += 1
        }
        return ends == 2 || at == 0
    }
}
