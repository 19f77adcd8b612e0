// What a client hears of a backend's failure: golden cases of status, headers and body, and tables for the parts.

import JSON
import TestSupport
import Testing

@testable import Translation

@Suite("errors")
struct UpstreamFailureTests {
    @Test("a failing answer", arguments: GoldenCase.all(in: .errors))
    func answer(_ golden: GoldenCase) throws {
        var upstream = try ScriptedUpstream(golden)
        upstream.head.receivedAt = 784_111_777
        let shown = ScriptedUpstream.shown(upstream.run(streaming: true))
        try golden.expect(shown, is: "error")
        #expect(ScriptedUpstream.shown(upstream.run(streaming: false)) == shown)
        var random = SeededRandom(seed: 1)
        for _ in 0..<10 {
            let cuts = random.cuts(upstream.body.count)
            #expect(ScriptedUpstream.shown(upstream.run(streaming: true, cuts: cuts)) == shown)
        }
        // A connection that breaks behind the status does not hide what was said.
        upstream.end = .broken(detail: "reset")
        #expect(ScriptedUpstream.shown(upstream.run(streaming: true)) == shown)
    }

    @Test(
        "when to try again",
        arguments: [
            ("20", nil, "", 20), ("1.5", nil, "", 2), (" 3 ", nil, "", 3), ("0", nil, "", 0),
            ("-1", nil, "", nil), ("inf", nil, "", nil), ("1e99", nil, "", 86_400), ("soon", nil, "", nil),
            ("1m30s", nil, "", 90), (nil, "6m0s", "", 360), (nil, "250ms", "", 1), (nil, "1h", "", 3600),
            ("Sun, 06 Nov 1994 08:49:37 GMT", nil, "", 0), ("Mon, 07 Nov 1994 08:49:37 GMT", nil, "", 86_400),
            ("Sun, 99 Nov 1994 08:49:37 GMT", nil, "", nil), ("Sun, 06 Nov 1994 99:49:37 GMT", nil, "", nil),
            (nil, nil, "Please try again in 1m2.5s.", 63), (nil, nil, "Try again in 4 seconds", 4),
            (nil, nil, "please retry after 9 seconds", 9), (nil, nil, "try again in a moment", nil),
        ] as [(String?, String?, String, Int?)])
    func retryAfter(_ header: String?, _ reset: String?, _ message: String, _ seconds: Int?) {
        #expect(
            RetryAfter.seconds(header: header, reset: reset, message: message, now: 784_111_777) == seconds)
    }

    @Test("dates say nothing to someone without a clock")
    func noClock() {
        #expect(
            RetryAfter.seconds(header: "Sun, 06 Nov 1994 08:49:37 GMT", reset: nil, message: "", now: 0)
                == nil)
    }

    @Test(
        "no overflow",
        arguments: [
            "rate limit: tokens per minute exceeded", "context deadline exceeded", "tokens", "",
            "Request too large for model on tokens per minute (TPM): Limit 6000, Requested 12000",
        ])
    func noOverflow(_ text: String) {
        #expect(ContextOverflow(text: text) == nil)
    }

    @Test("numbers beyond reason do not stop the recogniser")
    func hugeNumbers() throws {
        let overflow = try #require(
            ContextOverflow(text: "maximum context length is 99999999999999999999999 tokens"))
        #expect(overflow.limit == nil)
    }

    @Test("where the official SDKs look for the class of an error: error.details.error_code")
    func bodyWithCode() {
        let failure = Failure.request(
            .malformed(Complaint("m", code: "thread_unsupported_request")))
        #expect(
            String(decoding: failure.error(for: .messages).body(requestID: "req_1"), as: UTF8.self)
                == #"{"type":"error","error":{"type":"invalid_request_error","message":"m","details":{"error_code":"thread_unsupported_request"}},"request_id":"req_1"}"#
        )
    }

    @Test("the body of an error")
    func body() {
        let failure = Failure.invalid("a \"quoted\"\nline")
        #expect(
            String(decoding: failure.error(for: .messages).body(requestID: "req_1"), as: UTF8.self)
                == #"{"type":"error","error":{"type":"invalid_request_error","message":"a \"quoted\"\nline"},"request_id":"req_1"}"#
        )
    }
}
