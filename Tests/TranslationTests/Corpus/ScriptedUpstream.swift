// An upstream that says what a golden case says, and the reply that is made of it.

import JSON
import TranslationTesting

@testable import Translation

/// Bytes of one answer as its upstream sends them, and how the transport ends.
struct ScriptedUpstream: Sendable {
    var head = UpstreamHead(status: 200, contentType: "text/event-stream")
    var body: [UInt8] = []
    var end = UpstreamEnd.complete
    /// What is made of the request with a stream, and of the one without.
    private var calls: (streamed: GoldenCall, whole: GoldenCall)

    /// The answer to a request of which nothing but a plan is made, given later.
    init(head: UpstreamHead, body: [UInt8]) {
        self.head = head
        self.body = body
        calls = (GoldenCall(.plain(streaming: true)), GoldenCall(.plain(streaming: false)))
    }

    init(_ golden: GoldenCase) throws {
        let file = try golden.read()
        let circumstances = try golden.circumstances(file)
        calls = (
            try GoldenCall(golden.room, file, circumstances, streaming: true),
            try GoldenCall(golden.room, file, circumstances, streaming: false)
        )
        head = circumstances.answer
        end = circumstances.end
        (body, head.contentType) = file.answer
    }

    var api: ClientAPI { calls.whole.request.api }

    var plan: ReplyPlan {
        get { calls.whole.call.plan }
        set { (calls.streamed.call.plan, calls.whole.call.plan) = (newValue, newValue) }
    }

    /// - Parameter client: who gets the reply instead of the one who asked.
    func reply(streaming: Bool, to client: ClientRequest? = nil) -> DrivenReply {
        let made = streaming ? calls.streamed : calls.whole
        let request = client ?? made.request
        return DrivenReply(
            to: request, made.call, messageID: request.api == .chat ? "chatcmpl-golden" : "msg_golden",
            requestID: "req_golden", created: 1_700_000_000)
    }

    /// The reply, its upstream's bytes given in these pieces.
    func run(
        streaming: Bool, cuts: [Int] = [], early: Bool = false, to client: ClientRequest? = nil
    ) -> (DrivenReply, output: [UInt8]) {
        var reply = reply(streaming: streaming, to: client)
        let output = reply.play(head, body, cuts: cuts, early: early, end)
        return (reply, output)
    }

    /// What the client gets: the bytes, or the status and body of an error.
    static func shown(_ result: (DrivenReply, output: [UInt8]), at api: ClientAPI = .messages) -> [UInt8] {
        guard let failure = result.0.failure else { return result.output }
        let error = failure.error(for: api)
        var text = "HTTP \(error.status)\n"
        if let seconds = error.retryAfter { text += "retry-after: \(seconds)\n" }
        if let retry = error.shouldRetry { text += "x-should-retry: \(retry)\n" }
        return Array(text.utf8) + error.body(requestID: "req_golden") + [0x0A]
    }
}

/// A client's request, and the call that is made of it as for the backend of a golden case.
private struct GoldenCall: Sendable {
    var request: ClientRequest
    var call: UpstreamCall

    /// The prompt's tokens as a client reads them until the backend has counted. Not the estimate: with every
    /// better one, all cases would have to be recorded anew.
    private static let shownTokens = 11

    init(_ request: ClientRequest) {
        self.request = request
        call = UpstreamCall(path: "", body: [], omissions: [], plan: ReplyPlan())
        call.estimate.text = Self.shownTokens
    }

    init(_ room: GoldenRoom, _ file: CaseFile, _ circumstances: Circumstances, streaming: Bool) throws {
        let api = room == .chatStreams ? .chat : circumstances.client
        let body = file.input("request") ?? Self.hello(at: api)
        guard body.first == UInt8(ascii: "{") else { throw CaseFile.Mistake("the request is no object") }
        self.init(
            try ClientRequest(
                parsing: Array(#"{"stream":\#(streaming),"#.utf8) + body.dropFirst(), at: api,
                head: circumstances.head))
        var target = circumstances.target
        if room == .relays, api == .messages { target.profile = .anthropic }
        // What a backend of OpenAI's API says is passed to clients of that API. It is written anew for them
        // where the demo says it, whose plans are as for any backend.
        let isDemo = room == .chatStreams && target.profile.dialect == .openAI
        if isDemo { target.profile = .ollamaNative }
        call = try request.converted(for: target)
        if isDemo { call.plan.dialect = .openAI }
        if let estimate = circumstances.estimate { call.plan.promptEstimate = estimate }
        call.estimate = PromptEstimate()
        call.estimate.text = Self.shownTokens
    }

    /// What is asked in cases that have no request.
    private static func hello(at api: ClientAPI) -> [UInt8] {
        let members =
            switch api {
            case .messages: #""max_tokens":32000"#
            case .chat: #""stream_options":{"include_usage":true}"#
            }
        return Array(
            #"{"model":"claude-x",\#(members),"messages":[{"role":"user","content":"Hello"}]}"#.utf8)
    }
}

extension CaseFile {
    /// What the backend answers, and the type that it says it is of.
    var answer: (body: [UInt8], contentType: String) {
        let types = [
            "answer.sse": "text/event-stream", "answer.ndjson": "application/x-ndjson",
            "answer.json": "application/json", "answer.html": "text/html",
        ]
        let section = sections.first { $0.kind == .input && types[$0.name] != nil }
        return (section?.bytes ?? [], section.flatMap { types[$0.name] } ?? "")
    }
}
