// Replies that refuse a feature of the request: by status, by a frame, by a document.

import JSON
import Testing
import TranslationTesting

@testable import Translation

@Suite("refused replies")
struct RefusedReplyTests {
    private func reply(_ features: Set<Feature> = [.tools, .thinking], streaming: Bool = true)
        -> DrivenReply
    {
        var plan = ReplyPlan()
        plan.features = features
        return DrivenReply(plan: plan, streaming: streaming)
    }

    private let refusal = #"{"error":{"message":"m does not support tools","type":"api_error","code":400}}"#

    @Test("by status, by a frame, by a document", arguments: [true, false])
    func ways(streaming: Bool) {
        for (status, type, body) in [
            (400, "application/json", refusal), (200, "text/event-stream", "data: \(refusal)\n\n"),
            (200, "application/json", refusal),
        ] {
            var reply = reply(streaming: streaming)
            reply.receive(head: UpstreamHead(status: status, contentType: type))
            reply.receive(Array(body.utf8))
            reply.end(.complete)
            #expect(
                reply.refused == .feature(.tools, isPlain: true) && reply.failure?.status == 400,
                "\(status) \(type)")
        }
    }

    @Test("in Ollama's own dialect, by status and by a line")
    func ollama() {
        var plan = ReplyPlan()
        plan.dialect = .ollama
        plan.features = [.tools, .thinking]
        let words = #"{"error":"\"m\" does not support thinking"}"#
        for status in [400, 200] {
            var reply = DrivenReply(plan: plan, streaming: true)
            reply.receive(head: UpstreamHead(status: status, contentType: "application/x-ndjson"))
            reply.receive(Array((words + "\n").utf8))
            reply.end(.complete)
            #expect(
                reply.refused == .feature(.thinking, isPlain: true) && reply.failure?.status == 400,
                "\(status)")
        }
    }

    @Test("also when the status went out early, but not behind an answer's beginning")
    func late() {
        var early = reply()
        early.openEarly()
        early.receive(head: UpstreamHead(status: 400, contentType: "application/json"))
        early.receive(Array(refusal.utf8))
        early.end(.complete)
        #expect(early.refused == .feature(.tools, isPlain: true) && early.failure != nil)

        var begun = reply()
        begun.receive(head: UpstreamHead(status: 200, contentType: "text/event-stream"))
        begun.receive(
            Array("data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: \(refusal)\n\n".utf8))
        begun.end(.complete)
        #expect(begun.refused == nil && begun.failure == nil)
    }

    @Test("other failures refuse nothing")
    func others() {
        for end in [UpstreamEnd.broken(detail: "tools are not supported"), .timedOut(limit: "idle")] {
            var reply = reply()
            reply.end(end)
            #expect(reply.refused == nil && reply.failure != nil)
        }
    }
}
