// What is said of a failing backend besides its own words: its name, whether to try again, what the journal may
// keep; and what must never be said: the gateway's key for it.

import JSON
import Testing
import TranslationTesting

@testable import Translation

@Suite("words of failures")
struct FailureWordsTests {
    static let key = "sk-own/key+0123456789"
    static let backend = BackendIdentity(
        name: "gpu1", place: "10.0.0.7:8000", secret: BackendSecret(Array(key.utf8)))

    /// The error of a reply, translated or relayed, to these bytes.
    static func failure(
        _ status: Int, _ body: String, type: String = "application/json", relayed: ClientAPI? = nil,
        streaming: Bool = true, cuts: [Int] = [], end: UpstreamEnd = .complete
    ) -> (error: Failure?, output: String, outcome: Outcome?) {
        var plan = ReplyPlan()
        plan.backend = backend
        plan.isPassthrough = relayed != nil
        let text = relayed == .chat ? chat(streaming) : messages(streaming)
        guard
            let request = try? ClientRequest(
                parsing: Array(text.utf8), at: relayed ?? .messages, head: MessagesHead())
        else { return (nil, "", nil) }
        var reply = ClientReply(
            to: request, UpstreamCall(path: "/", body: [], omissions: [], plan: plan), messageID: "msg_1",
            requestID: "req_1", created: 0)
        reply.receive(head: UpstreamHead(status: status, contentType: type))
        let bytes = Array(body.utf8)
        var output: [UInt8] = []
        var start = 0
        for cut in cuts.filter({ $0 <= bytes.count }) + [bytes.count] {
            reply.receive(Array(bytes[start..<cut]))
            output += reply.takeOutput()
            start = cut
        }
        reply.end(end)
        output += reply.takeOutput()
        var outcome: Outcome?
        if case .ended(let ended) = reply.phase { outcome = ended }
        return (reply.failure, String(decoding: output, as: UTF8.self), outcome)
    }

    static func messages(_ streaming: Bool) -> String {
        #"{"model":"m","max_tokens":9,"stream":\#(streaming),"messages":[{"role":"user","content":"hi"}]}"#
    }

    static func chat(_ streaming: Bool) -> String {
        #"{"model":"m","stream":\#(streaming),"messages":[{"role":"user","content":"hi"}]}"#
    }

    // MARK: Trying again

    @Test(
        "whether to try again is a matter of the cause",
        arguments: [
            (400, #"{"error":{"message":"bad"}}"#, 400, false, nil), (401, "{}", 502, false, nil),
            (402, "{}", 402, false, nil), (403, "{}", 502, false, nil),
            (404, #"{"error":{"message":"no such model"}}"#, 404, false, nil), (404, "{}", 502, false, nil),
            (405, "{}", 500, false, nil), (408, "{}", 504, nil, nil), (409, "{}", 409, nil, nil),
            (413, "{}", 413, false, nil), (415, "{}", 500, false, nil), (422, "{}", 400, false, nil),
            (429, "{}", 429, nil, nil), (429, #"{"error":{"message":"try again in 0s"}}"#, 429, nil, 1),
            (429, #"{"error":{"message":"try again in 6h"}}"#, 429, nil, 60),
            (429, #"{"error":{"code":"insufficient_quota"}}"#, 402, false, nil), (500, "{}", 500, nil, nil),
            (500, #"{"error":{"message":"image input is not supported - hint: mmproj"}}"#, 400, false, nil),
            (501, "{}", 400, false, nil), (502, "{}", 502, nil, nil), (503, "{}", 529, true, 5),
            (504, "{}", 504, nil, nil), (529, #"{"error":{"message":"retry after 900 s"}}"#, 529, true, 60),
            (301, "", 502, false, nil), (200, "<html>hello", 502, false, nil),
            (200, "not JSON {", 502, false, nil), (599, "{}", 502, nil, nil), (418, "{}", 400, false, nil),
        ] as [(Int, String, Int, Bool?, Int?)])
    func tryingAgain(_ status: Int, _ body: String, _ told: Int, _ retry: Bool?, _ after: Int?) {
        let error = Self.failure(status, body).error
        #expect(
            error?.status == told && error?.shouldRetry == retry && error?.retryAfter == after,
            "\(error as Any)")
        #expect(error?.noted != nil)
    }

    @Test(
        "how the transport ended",
        arguments: [
            (.complete, 502, nil, nil), (.broken(detail: "reset"), 529, nil, 5),
            (.unreachable(detail: "refused"), 529, nil, 5), (.misconfigured(detail: "TLS"), 502, false, nil),
            (.timedOut(limit: "idle"), 504, nil, nil),
        ] as [(UpstreamEnd, Int, Bool?, Int?)])
    func transport(_ end: UpstreamEnd, _ told: Int, _ retry: Bool?, _ after: Int?) {
        for relayed in [nil, .messages, .chat] as [ClientAPI?] {
            let error = Self.failure(200, "", relayed: relayed, end: end).error
            #expect(error?.status == told && error?.shouldRetry == retry && error?.retryAfter == after)
            #expect(error?.message.hasPrefix("The backend gpu1 ") == true)
            #expect(error?.message.hasSuffix(".") == true && error?.message.hasSuffix("..") == false)
        }
    }

    @Test("every kind of error says whether it is final, and no wait is longer than a minute")
    func kinds() {
        for (kind, final) in [
            (.invalidRequest, true), (.authentication, true), (.billing, true), (.permission, true),
            (.notFound, true), (.requestTooLarge, true), (.conflict, false), (.rateLimit, false),
            (.timeout, false), (.api, false), (.overloaded, false),
        ] as [(ErrorKind, Bool)] {
            let terms = FailureTerms(kind.status, kind, "m")
            #expect(terms.shouldRetry == (final ? false : nil), "\(kind)")
        }
        for (asked, told) in [(0, 1), (-5, 1), (1, 1), (60, 60), (61, 60), (Int.max, 60)] {
            #expect(FailureTerms(529, .overloaded, "m", retryAfter: asked).retryAfter == told)
        }
    }

    @Test("a relayed picture that the model cannot see is the request's fault")
    func pictures() {
        let said =
            #"{"type":"error","error":{"type":"api_error","message":"image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"}}"#
        let error = Self.failure(500, said, relayed: .messages).error
        #expect(error?.status == 400 && error?.kind == .invalidRequest && error?.shouldRetry == false)
        #expect(error?.message.hasPrefix("image input is not supported") == true)
        let chat = #"{"error":{"code":500,"type":"server_error","message":"image input is not supported"}}"#
        #expect(Self.failure(500, chat, relayed: .chat).error?.status == 400)
        #expect(
            Self.failure(500, chat.replacing("image", with: "whisper"), relayed: .chat).error?.status == 500)
    }

    // MARK: Pages

    @Test(
        "a page or text instead of an answer is named for what it is",
        arguments: [
            ("text/html", "<html>\n<head><title> Sign\n in </title>", "a web page (Sign in) instead of JSON"),
            ("text/event-stream", " <html>Welcome", "a web page (<html>Welcome) instead of JSON"),
            ("application/json", "<!DOCTYPE html>\n<p>x", "a web page (<!DOCTYPE html>) instead of JSON"),
            ("text/plain", "\n Ollama is running\nreally", "text (Ollama is running) instead of JSON"),
            ("", "Hello", "text (Hello) instead of JSON"),
        ])
    func pages(_ type: String, _ body: String, _ words: String) {
        for relayed in [nil, .messages, .chat] as [ClientAPI?] {
            for streaming in [true, false] {
                for cuts in [[], Array(1..<body.utf8.count)] {
                    let error = Self.failure(
                        200, body, type: type, relayed: relayed, streaming: streaming, cuts: cuts
                    ).error
                    #expect(
                        error?.message
                            == "The backend gpu1 answered with \(words); check that its API is at 10.0.0.7:8000."
                    )
                    #expect(error?.status == 502 && error?.shouldRetry == false)
                    #expect(
                        error?.noted?.contains("…") == true && error?.noted?.contains("Ollama is") == false)
                }
            }
        }
    }

    @Test(
        "text is told as such behind a status that was sent early, too",
        arguments: [ClientAPI.messages, .chat])
    func pagesBehindPings(api: ClientAPI) {
        var plan = ReplyPlan()
        plan.isPassthrough = true
        var reply = DrivenReply(to: .plain(at: api, streaming: true), plan: plan)
        reply.openEarly()
        reply.receive(head: UpstreamHead(status: 200, contentType: "text/plain"))
        reply.receive(Array("Ollama is running".utf8))
        reply.end(.complete)
        let output = String(decoding: reply.takeOutput(), as: UTF8.self)
        #expect(output.contains("text (Ollama is running) instead of JSON"))
    }

    @Test("events that are said to be text are events all the same")
    func eventsAsText() {
        let chunk = #"data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}"#
        let reply = Self.failure(200, "\(chunk)\n\ndata: [DONE]\n\n", type: "text/plain")
        #expect(reply.error == nil && reply.output.contains(#""text":"hi""#))
        #expect(Self.failure(200, "data: ", type: "text/plain").error?.message.contains("closed") == true)
    }

    // MARK: The key

    @Test("the gateway's own key never reaches a client or the journal, whoever echoes it")
    func keys() {
        let escaped = Self.key.replacing("/", with: #"\/"#)
        let unicode = Self.key.replacing("o", with: #"\u006f"#)
        let kinds = ["invalid_request_error", "api_error", "overloaded_error", "rate_limit_error"]
        for said in [Self.key, escaped, unicode] {
            for relayed in [nil, .messages, .chat] as [ClientAPI?] {
                for status in [200, 400, 401, 404, 413, 418, 429, 500, 502, 503, 529] {
                    for kind in kinds {
                        let text = "model: Bearer \(said) is \(said)"
                        let error =
                            #"{"type":"\#(kind)","code":"\#(said)","param":"\#(said)","message":"\#(text)"}"#
                        let body = #"{"type":"error","error":\#(error)}"#
                        for (type, bytes) in [
                            ("application/json", body), ("text/plain", text), ("text/html", "<title>\(text)"),
                            ("text/event-stream", "event: error\ndata: \(body)\n\n"),
                        ] {
                            for streaming in [true, false] {
                                expectHidden(
                                    Self.failure(
                                        status, bytes, type: type, relayed: relayed, streaming: streaming),
                                    at: relayed ?? .messages)
                            }
                        }
                    }
                }
            }
        }
    }

    @Test("nor in an error in mid-stream")
    func keyInStream() {
        let error = #"{"type":"error","error":{"type":"api_error","message":"Bearer \#(Self.key)"}}"#
        let start = #"{"type":"message_start","message":{"id":"msg_1","model":"x","content":[],"usage":{}}}"#
        let chunk = #"{"choices":[{"delta":{"content":"hi"}}]}"#
        for (relayed, body) in [
            (nil, "data: \(chunk)\n\ndata: \(error)\n\n"), (.chat, "data: \(chunk)\n\ndata: \(error)\n\n"),
            (.messages, "event: message_start\ndata: \(start)\n\nevent: error\ndata: \(error)\n\n"),
        ] as [(ClientAPI?, String)] {
            let reply = Self.failure(200, body, type: "text/event-stream", relayed: relayed)
            #expect(reply.error == nil && reply.output.contains("Bearer ***"), "\(reply)")
            expectHidden(reply, at: relayed ?? .messages)
        }
    }

    private func expectHidden(
        _ reply: (error: Failure?, output: String, outcome: Outcome?), at api: ClientAPI
    ) {
        var texts = [reply.output, "\(String(describing: reply.outcome))"]
        if let error = reply.error {
            texts.append(String(decoding: error.error(for: api).body(requestID: "req_1"), as: UTF8.self))
            texts.append("\(error)")
        }
        for text in texts {
            let decoded = (try? JSONDocument(parsing: Array(text.utf8)))?.root["error"]
            let strings = [text] + (decoded?.members.compactMap { $0.value.string } ?? [])
            #expect(!strings.contains { $0.contains(Self.key) }, "\(text)")
        }
    }

    @Test("short words are no keys; a key shows itself nowhere")
    func noKeys() {
        var fault = UpstreamFault(.requestRejected, status: 400, said: "abc of abcd")
        BackendSecret(Array("abc".utf8)).hide(in: &fault)
        #expect(fault.said == "abc of abcd")
        BackendSecret(Array("abcd".utf8)).hide(in: &fault)
        #expect(fault.said == "abc of ***")
        #expect(!"\(BackendSecret(Array("abcd".utf8)))".contains("97"))
    }

    // MARK: The journal

    @Test("the journal keeps our words, and nothing that others wrote")
    func noted() {
        func noted(_ body: String) -> String? {
            do throws(Failure) {
                _ = try MessagesRequest(parsing: Array(body.utf8))
                return nil
            } catch { return error.noted }
        }
        #expect(
            noted("{\"model\":") == "Invalid JSON: the text ends too early at byte 9"
                || noted("{\"model\":")?.hasPrefix("Invalid JSON: ") == true)
        #expect(noted(#"{"model":"m","secret":1,"secret":2}"#)?.contains("secret") == false)
        #expect(
            noted(#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":7}]}"#)?.contains(
                "messages.0.content") == true)
        let tool =
            #"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"tool_choice":{"type":"tool","name":"secret"}}"#
        #expect(noted(tool)?.contains("Tool '…' not found") == true)
        #expect(
            Self.failure(400, #"{"error":{"message":"your prompt: secret"}}"#).error?.noted
                == "The backend gpu1 answered with status 400.")
        #expect(
            Self.failure(502, #"{"error":{"message":"secret"}}"#).error?.noted
                == "The backend gpu1 answered with status 502: ….")
        #expect(Self.failure(404, #"{"error":{"message":"model secret"}}"#).error?.noted == "model: m (…)")
    }

    // MARK: Nothing at all

    @Test("an answer without a byte is told apart")
    func nothing() throws {
        for relayed in [nil, .messages, .chat] as [ClientAPI?] {
            let error = Self.failure(200, "", type: "text/event-stream", relayed: relayed).error
            #expect(error?.message == "The backend gpu1 closed the stream early.")
        }
        let text = #"{"model":"a","stream": true ,"stream_options":{"include_usage":true},"messages":[]}"#
        let root = try JSONDocument(parsing: Array(text.utf8)).root
        #expect(
            String(decoding: root.replacingModel(with: "b", withoutStream: true), as: UTF8.self)
                == #"{"model":"b","stream": false ,"stream_options":null,"messages":[]}"#)
    }
}
