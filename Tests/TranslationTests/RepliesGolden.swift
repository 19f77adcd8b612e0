// Golden cases of replies: a folder each, named for what it shows. Upstream bytes in, client bytes out, compared
// byte for byte; `GOLDEN=record` writes what came out, for review as a diff.

import Foundation
import JSON
import Testing

@testable import Translation

/// A case under `Golden/streams` or `Golden/errors`.
struct GoldenCase: CustomTestStringConvertible, Sendable {
    let name: String
    let folder: URL

    var testDescription: String { name }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
        "Golden")
    static let isRecording = ProcessInfo.processInfo.environment["GOLDEN"] == "record"

    static func all(in room: String) -> [GoldenCase] {
        let folder = root.appendingPathComponent(room)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().map { GoldenCase(name: $0, folder: folder.appendingPathComponent($0)) }
    }

    func bytes(_ file: String) -> [UInt8]? {
        (try? Data(contentsOf: folder.appendingPathComponent(file))).map(Array.init)
    }

    /// Compares with the recorded file, or records it.
    func expect(_ bytes: [UInt8], is file: String, _ comment: Comment? = nil) throws {
        if Self.isRecording, comment == nil {
            return try Data(bytes).write(to: folder.appendingPathComponent(file))
        }
        let expected = self.bytes(file)
        #expect(
            expected.map { String(decoding: $0, as: UTF8.self) } == String(decoding: bytes, as: UTF8.self),
            comment ?? "\(name)/\(file)")
    }
}

/// Bytes of one answer as its upstream sends them, and how the transport ends.
struct ScriptedUpstream: Sendable {
    var head = UpstreamHead(status: 200, contentType: "text/event-stream")
    var body: [UInt8] = []
    var end = UpstreamEnd.complete
    var plan = ReplyPlan()

    init(head: UpstreamHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }

    init(_ golden: GoldenCase) throws {
        if let sse = golden.bytes("openai.sse") {
            body = sse
        } else if let lines = golden.bytes("ollama.ndjson") {
            body = lines
            head.contentType = "application/x-ndjson"
            plan.dialect = .ollama
        } else if let whole = golden.bytes("ollama.json") {
            body = whole
            head.contentType = "application/json"
            plan.dialect = .ollama
        } else if let sse = golden.bytes("messages.sse") {
            body = sse
            plan.dialect = .anthropic
        } else if let whole = golden.bytes("messages.json") {
            body = whole
            head.contentType = "application/json"
            plan.dialect = .anthropic
        } else {
            body = golden.bytes("openai.json") ?? []
            head.contentType = "application/json"
        }
        guard let text = golden.bytes("plan.json") else { return }
        let json = try JSONDocument(parsing: text).root
        if let status = json["status"]?.int { head.status = status }
        plan.toolNames = json["tools"]?.elements.compactMap(\.string) ?? []
        plan.knownCallIDs = Set(json["known"]?.elements.compactMap(\.string) ?? [])
        plan.stopSequences = json["stopSequences"]?.elements.compactMap(\.string) ?? []
        for member in json["renamed"]?.members ?? json.members where member.value.isString {
            if json["renamed"] != nil { plan.renamedTools[member.name.string ?? ""] = member.value.string }
        }
        if let schemas = json["schemas"] {
            for member in schemas.members {
                plan.toolSchemas[member.name.string ?? ""] = Array(member.value.raw)
            }
        }
        plan.prefill = json["prefill"]?.string
        switch json["prefillEcho"]?.string {
        case "never": plan.prefillEcho = .never
        case "always": plan.prefillEcho = .always
        default: break
        }
        plan.recoversTextCalls = json["textCalls"]?.bool ?? true
        plan.disableParallelToolUse = json["single"]?.bool ?? false
        plan.showsThinking = json["thinking"]?.bool ?? true
        plan.thinkingDisplayOmitted = json["omitted"]?.bool ?? false
        if json["echo"]?.bool == true { plan.reasoningEcho = .reasoningContent }
        plan.contextWindow = json["window"]?.int
        plan.loadedWindow = json["loaded"]?.int
        plan.promptEstimate = json["estimate"]?.int ?? 0
        plan.maxTokens = json["maxTokens"]?.int ?? 0
        if json["dialect"]?.string == "ollama" { plan.dialect = .ollama }
        switch json["thinkTags"]?.string {
        case "implicit": plan.thinkTags = .implicit
        case "off": plan.thinkTags = .off
        default: break
        }
        switch json["end"]?.string {
        case "broken": end = .broken(detail: "connection reset")
        case "unreachable": end = .unreachable(detail: "connection refused")
        case "misconfigured": end = .misconfigured(detail: "certificate has expired")
        case "timedOut": end = .timedOut(limit: "idle")
        default: break
        }
    }

    /// The reply, its upstream's bytes given in these pieces.
    func run(
        streaming: Bool, cuts: [Int] = [], early: Bool = false, chat: ChatStreamWriter.Head? = nil
    ) -> (TranslatedReply, output: [UInt8]) {
        var reply = TranslatedReply(
            plan: plan, streaming: streaming, messageID: "msg_golden", requestID: "req_golden",
            requestedModel: "claude-x", inputEstimate: 11, chat: chat)
        var output: [UInt8] = []
        if early { reply.commitEarly() }
        reply.receive(head: head)
        var start = 0
        for cut in cuts + [body.count] {
            reply.receive(body[start..<cut])
            start = cut
            output += reply.takeOutput()
        }
        reply.end(end)
        return (reply, output + reply.takeOutput())
    }

    /// What the client gets: the bytes, or the status and body of an error.
    static func shown(_ result: (TranslatedReply, output: [UInt8]), at door: ClientAPI = .messages) -> [UInt8]
    {
        guard let failure = result.0.failure else { return result.output }
        var text = "HTTP \(failure.status(at: door))\n"
        if let seconds = failure.retryAfter { text += "retry-after: \(seconds)\n" }
        if let retry = failure.shouldRetry { text += "x-should-retry: \(retry)\n" }
        return Array(text.utf8) + failure.body(requestID: "req_golden", door: door) + [0x0A]
    }

    func cuts(_ random: inout SeededRandom) -> [Int] {
        guard body.count > 1 else { return [] }
        let count = Int.random(in: 1...min(12, body.count), using: &random)
        return (0..<count).map { _ in Int.random(in: 0...body.count, using: &random) }.sorted()
    }
}

/// splitmix64.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
