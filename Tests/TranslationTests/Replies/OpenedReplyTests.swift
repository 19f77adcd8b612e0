// A stream whose head went out before its backend was chosen, or before the first one failed: whoever answers
// behind it, the client sees one stream.

import JSON
import Testing
import TranslationTesting

@testable import Translation

struct OpenedReplyTests {
    private static let openAI = Array(
        """
        data: {"id":"x","model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}]}

        data: {"id":"x","model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

        data: [DONE]


        """.utf8)
    private static let anthropic = Array(
        """
        event: message_start
        data: {"type":"message_start","message":{"id":"msg_up","type":"message","role":"assistant","model":"up","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

        event: content_block_start
        data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":0}

        event: message_delta
        data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}

        event: message_stop
        data: {"type":"message_stop"}


        """.utf8)
    private static let anthropicWhole = Array(
        """
        {"id":"msg_up","type":"message","role":"assistant","model":"up","content":[{"type":"text","text":"Hi"}],\
        "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}
        """.utf8)

    private static func plan(_ dialect: Dialect, passes: Bool) -> ReplyPlan {
        var plan = ReplyPlan()
        plan.dialect = dialect
        plan.isPassthrough = passes
        plan.streamRequested = true
        return plan
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    private static func count(_ word: String, in text: String) -> Int {
        text.split(separator: "\n").count { $0 == word }
    }

    private static let streams = UpstreamHead(status: 200, contentType: "text/event-stream")

    @Test(
        "opened by nobody, answered by any backend: one message_start, ours, and the whole answer",
        arguments: [
            (Dialect.openAI, false, openAI, streams), (.anthropic, true, anthropic, streams),
            (.anthropic, false, anthropic, streams),
            (.anthropic, true, anthropicWhole, UpstreamHead(status: 200, contentType: "application/json")),
        ])
    func messages(dialect: Dialect, passes: Bool, body: [UInt8], head: UpstreamHead) {
        let request = ClientRequest.plain(streaming: true)
        var opener = DrivenReply(opening: request, messageID: "msg_ours")
        opener.openEarly()
        var output = Self.text(opener.takeOutput())
        #expect(output.hasPrefix("event: message_start\n") && output.contains(#""id":"msg_ours""#))
        #expect(output.hasSuffix("event: ping\ndata: {\"type\":\"ping\"}\n\n"))
        opener.ping()
        output += Self.text(opener.takeOutput())

        var failing = DrivenReply(
            to: request, plan: Self.plan(.openAI, passes: false), opening: opener.opening)
        failing.ping()
        output += Self.text(failing.takeOutput())
        failing.end(.unreachable(detail: "refused"))
        #expect(failing.failure != nil && failing.opening == .started)

        var reply = DrivenReply(to: request, plan: Self.plan(dialect, passes: passes), opening: .started)
        reply.openEarly()
        #expect(reply.takeOutput().isEmpty)
        output += Self.text(reply.play(head, body, cuts: [], early: false, .complete))
        #expect(reply.phase == .ended(.completed))
        #expect(Self.count("event: message_start", in: output) == 1 && !output.contains("msg_up"))
        #expect(Self.count("event: message_stop", in: output) == 1 && output.contains(#""text":"Hi""#))
        #expect(Self.count("event: ping", in: output) == 3)
        #expect(EventGrammar(Array(output.utf8)).faults == [])
    }

    @Test("a backend of the same API that was waited for says its own beginning, its successor too")
    func head() {
        let request = ClientRequest.plain(streaming: true)
        var first = DrivenReply(to: request, plan: Self.plan(.anthropic, passes: true))
        first.openEarly()
        #expect(Self.text(first.takeOutput()) == "event: ping\ndata: {\"type\":\"ping\"}\n\n")
        #expect(first.opening == .head)
        first.end(.broken(detail: "reset"))
        for (dialect, passes, body) in [
            (Dialect.openAI, false, Self.openAI), (.anthropic, true, Self.anthropic),
        ] {
            var second = DrivenReply(to: request, plan: Self.plan(dialect, passes: passes), opening: .head)
            second.ping()
            let output = Self.text(second.play(Self.streams, body, cuts: [], early: false, .complete))
            #expect(output.hasPrefix("event: ping\n"))
            #expect(Self.count("event: message_start", in: output) == 1)
            #expect(second.phase == .ended(.completed))
        }
    }

    @Test(
        "OpenAI's clients see comments until the answer, whose chunks have one id", arguments: [false, true])
    func chat(passes: Bool) {
        let request = ClientRequest.plain(at: .chat, streaming: true)
        var opener = DrivenReply(opening: request, messageID: "chatcmpl-ours")
        opener.openEarly()
        #expect(Self.text(opener.takeOutput()) == ": ping\n\n" && opener.opening == .head)
        var reply = DrivenReply(to: request, plan: Self.plan(.openAI, passes: passes), opening: .head)
        reply.ping()
        let output = Self.text(reply.play(Self.streams, Self.openAI, cuts: [], early: false, .complete))
        #expect(output.hasPrefix(": ping\n\ndata: {") && output.hasSuffix("data: [DONE]\n\n"))
        #expect(output.components(of: passes ? #""id":"x""# : #""id":"msg_1""#) > 1)
        #expect(reply.phase == .ended(.completed))
    }

    @Test(
        "what fails behind an opened head and before an answer is left to its owner, who tells it as an event"
    )
    func failures() {
        for (api, dialect, passes) in [
            (ClientAPI.messages, Dialect.openAI, false), (.messages, .anthropic, true),
            (.chat, .openAI, true), (.chat, .openAI, false), (.messages, .ollama, false),
        ] {
            var reply = DrivenReply(
                to: .plain(at: api, streaming: true), plan: Self.plan(dialect, passes: passes))
            reply.openEarly()
            _ = reply.takeOutput()
            reply.receive(head: UpstreamHead(status: 500, contentType: "application/json"))
            reply.receive(Array(#"{"error":{"message":"no"}}"#.utf8))
            reply.end(.complete)
            #expect(reply.failure != nil)
            let event = Self.text(reply.takeOutput())
            #expect(event.hasPrefix(api == .messages ? "event: error\ndata: {" : "data: {\"error\""))
            #expect(reply.takeOutput().isEmpty)
        }
    }
}

extension String {
    fileprivate func components(of word: String) -> Int {
        var (count, rest) = (0, self[...])
        while let place = rest.firstRange(of: word) {
            count += 1
            rest = rest[place.upperBound...]
        }
        return count
    }
}
