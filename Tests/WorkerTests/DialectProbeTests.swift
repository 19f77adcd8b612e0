// How a backend of Anthropic's API is found: by the shape of its list, of its refusals, or by its paths.

import EventLoop
import LoopTesting
import Routing
import Shared
import Testing
import Translation

@testable import Worker

private let list = #"{"object":"list","data":[{"id":"m"}]}"#

@Suite struct DialectProbeTests {
    init() { LoopThread.start() }

    @Test(
        "what a server speaks is found out where its kind is unknown",
        arguments: [
            // A list in Anthropic's shape.
            (
                ["/v1/models": #"{"data":[{"type":"model","id":"m"}],"has_more":false}"#], [:],
                Dialect.anthropic
            ),
            (["/v1/models": #"{"data":[],"has_more":false}"#], [:], .anthropic),
            // The path is known by what it says to an empty request.
            (["/v1/models": list], ["/v1/messages": 400], .anthropic),
            (["/v1/models": list], ["/v1/messages": 401, "/v1/chat/completions": 404], .anthropic),
            (["/v1/models": list], ["/v1/messages": 422, "/v1/chat/completions": 405], .anthropic),
            ([:], ["/v1/models": 405, "/v1/messages": 400], .anthropic),
            ([:], ["/v1/messages": 400], .anthropic),
            // Both: translation.
            (["/v1/models": list], ["/v1/messages": 400, "/v1/chat/completions": 422], nil),
            (["/v1/models": list], ["/v1/messages": 405], nil),
            (["/v1/models": list], ["/v1/messages": 200], nil),
            // A kind that is known keeps translation.
            (["/v1/models": InquiryTests.owned("vllm")], ["/v1/messages": 400], nil),
        ] as [([String: String], [String: Int], Dialect?)])
    @Loop func dialect(_ paths: [String: String], _ statuses: [String: Int], _ expected: Dialect?) async {
        let answers = Answers()
        answers.table["http://h"] = paths
        for (path, status) in statuses { answers.statuses["http://h" + path] = status }
        var inquiry = Inquiry(url: "http://h", key: nil, carrier: answers.carrier)
        guard case .up = await inquiry.ask(.auto, strict: false) else {
            Issue.record("not up")
            return
        }
        #expect(inquiry.dialect == expected)
    }

    @Test("who refuses in Anthropic's words is asked again in Anthropic's way")
    @Loop func anthropicItself() async {
        let answers = Answers()
        answers.table["http://h"] = [
            "/v1/models": #"{"type":"error","error":{"type":"authentication_error","message":"x-api-key"}}"#,
            "/v1/models?limit=1000":
                #"{"data":[{"type":"model","id":"claude-x","max_input_tokens":200000}],"has_more":false}"#,
        ]
        answers.statuses["http://h/v1/models"] = 401
        var inquiry = Inquiry(url: "http://h", key: nil, carrier: answers.carrier)
        guard case .up(.anthropic, let models) = await inquiry.ask(.auto, strict: false) else {
            Issue.record("not found")
            return
        }
        #expect(models.first?.contextWindow == 200_000 && models.first?.isChat == true)
        #expect(answers.asked == ["http://h/v1/models", "http://h/v1/models?limit=1000", "as Anthropic's"])
        // Refused in that way too, it is the key.
        answers.statuses["http://h/v1/models?limit=1000"] = 401
        #expect(await inquiry.ask(.auto, strict: false) == .down("HTTP 401: it refuses the key"))
    }

    @Test("the pages of a list are turned, and not for ever")
    @Loop func pages() async {
        let answers = Answers()
        func page(_ ids: String..., more: Bool) -> String {
            let data = ids.map { #"{"type":"model","id":"\#($0)"}"# }.joined(separator: ",")
            return #"{"data":[\#(data)],"has_more":\#(more),"last_id":"x"}"#
        }
        answers.table["http://h"] = [
            "/v1/models?limit=1000": page("a", "b/c d", more: true),
            "/v1/models?limit=1000&after_id=b%2Fc%20d": page("b/c d", "e", more: true),
            "/v1/models?limit=1000&after_id=e": page("e", more: true),
        ]
        var inquiry = Inquiry(url: "http://h", key: nil, carrier: answers.carrier)
        guard case .up(.anthropic, let models) = await inquiry.ask(.anthropic, strict: false) else {
            Issue.record("not up")
            return
        }
        #expect(models.map(\.id) == ["a", "b/c d", "e"])
        #expect(answers.asked.filter { $0.hasPrefix("http") }.count == 4)
    }
}
