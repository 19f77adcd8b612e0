// What comes from backends: event streams and whole replies give the same however they were cut, never break
// the event grammar and end exactly once; arguments of tools come out as one object; errors are always
// sayable.

import BackendSettings
import JSON
import TestSupport
import TranslationTesting

@testable import Translation

/// The frames of an event stream.
func fuzzSSE(_ bytes: [UInt8], _ random: inout SeededRandom) {
    let whole = frames(bytes, cuts: [])
    let cuts = random.cuts(bytes.count)
    expect(frames(bytes, cuts: cuts) == whole, "the same frames when cut at \(cuts)")
}

private struct SeenFrame: Equatable {
    var kind: SSEDecoder.Frame.Kind
    var data: [UInt8]
}

private func frames(_ bytes: [UInt8], cuts: [Int]) -> [SeenFrame] {
    var decoder = SSEDecoder()
    var seen: [SeenFrame] = []
    func note(_ frame: SSEDecoder.Frame) {
        let data = frame.isJoined ? decoder.joined[frame.range] : decoder.buffer[frame.range]
        seen.append(SeenFrame(kind: frame.kind, data: Array(data)))
    }
    var start = 0
    for cut in cuts + [bytes.count] {
        decoder.append(bytes[start..<cut].span)
        start = cut
        while let frame = decoder.next() { note(frame) }
    }
    while let frame = decoder.last() { note(frame) }
    return seen
}

/// Lines of JSON, and the replies of Ollama that consist of them.
func fuzzLines(_ bytes: [UInt8], _ random: inout SeededRandom) {
    let cuts = random.cuts(bytes.count)
    expect(lines(bytes, cuts: cuts) == lines(bytes, cuts: []), "the same lines when cut at \(cuts)")
    fuzzReply(bytes, &random, .ollama)
}

private func lines(_ bytes: [UInt8], cuts: [Int]) -> [[UInt8]] {
    var decoder = LineDecoder()
    var seen: [[UInt8]] = []
    var start = 0
    for cut in cuts + [bytes.count] {
        decoder.append(bytes[start..<cut].span)
        start = cut
        while let range = decoder.next() { seen.append(Array(decoder.buffer[range])) }
    }
    while let range = decoder.last() { seen.append(Array(decoder.buffer[range])) }
    return seen
}

/// Whole replies, streamed and not.
func fuzzReply(_ bytes: [UInt8], _ random: inout SeededRandom) { fuzzReply(bytes, &random, .openAI) }

private func fuzzReply(_ bytes: [UInt8], _ random: inout SeededRandom, _ dialect: Dialect) {
    var plan = ReplyPlan.any(&random)
    plan.dialect = dialect
    if dialect == .ollama {
        plan.contextWindow = Bool.random(using: &random) ? 4096 : nil
        plan.promptEstimate = 9000
    }
    var head = UpstreamHead(
        status: [200, 200, 200, 200, 400, 500].randomElement(using: &random) ?? 200, contentType: "")
    head.contentType =
        ["text/event-stream", "application/json", "text/html", ""].randomElement(using: &random) ?? ""
    let ends: [UpstreamEnd] = [.complete, .complete, .broken(detail: "reset"), .timedOut(limit: "idle")]
    let end = ends.randomElement(using: &random) ?? .complete
    let cuts = random.cuts(bytes.count)
    for streaming in [true, false] {
        let whole = ShownReply(bytes, plan, head, end, streaming: streaming, cuts: [])
        let cut = ShownReply(bytes, plan, head, end, streaming: streaming, cuts: cuts)
        expect(whole == cut, "the same reply when cut at \(cuts)")
        whole.check(streaming: streaming)
        guard streaming else { continue }
        // As when the status could not be held back any longer.
        ShownReply(bytes, plan, head, end, streaming: true, cuts: cuts, isEarly: true).check(streaming: true)
    }
}

private struct ShownReply: Equatable {
    var output: [UInt8] = []
    var phase: ReplyPhase
    var failure: Failure?
    var repairs: [String]
    var usage: Usage
    let isEarly: Bool

    init(
        _ bytes: [UInt8], _ plan: ReplyPlan, _ head: UpstreamHead, _ end: UpstreamEnd, streaming: Bool,
        cuts: [Int], isEarly: Bool = false
    ) {
        self.isEarly = isEarly
        var reply = DrivenReply(plan: plan, streaming: streaming)
        output = reply.play(head, bytes, cuts: cuts, early: isEarly, end)
        expect(!reply.wantsMore, "the reply has ended")
        phase = reply.phase
        failure = reply.failure
        repairs = reply.repairs
        usage = reply.usage
        // Nothing follows the end.
        reply.receive(Array("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n".utf8))
        reply.end(.complete)
        reply.ping()
        expect(reply.takeOutput().isEmpty && reply.phase == phase, "nothing after the end")
    }

    func check(streaming: Bool) {
        expect(usage.input >= 0 && usage.output >= 0 && usage.cacheRead >= 0, "counts are counts")
        if let failure {
            expectSayable(failure)
            // Behind a head that went out early its owner writes it as an event.
            guard isEarly else { return expect(output.isEmpty, "an error or a reply, not both") }
        }
        expect(!output.isEmpty, "there is an answer")
        guard !streaming else {
            let grammar = EventGrammar(output)
            return expect(
                grammar.faults.isEmpty, "\(grammar.faults)\n\(String(decoding: output, as: UTF8.self))")
        }
        let root = (try? JSONDocument(parsing: output))?.root
        expect(root?["type"]?.stringEquals("message") == true, "the answer is a message")
        expect(root?.hasLoneSurrogate == false, "the answer has no lone surrogate")
        for block in root?["content"]?.elements ?? JSONNode.nothing.elements
        where block["type"]?.stringEquals("tool_use") == true {
            expect(block["input"]?.isObject == true, "the input of a tool is an object")
        }
    }
}

extension JSONNode {
    fileprivate static var nothing: JSONNode {
        var parser = JSONParser()
        guard let node = try? parser.parse(Array("null".utf8), range: 0..<4) else {
            fatalError("null is JSON")
        }
        return node
    }
}

/// An error that a client can be told.
func expectSayable(_ failure: Failure) {
    let error = failure.error(for: .messages)
    expect((400...599).contains(error.status), "\(error.status) is an error's status")
    expect(!error.message.isEmpty, "an error has words")
    expect(error.message.utf8.count < 16 << 10, "\(error.message.utf8.count) bytes of words")
    expect((error.retryAfter ?? 0) >= 0, "retry-after is not before now")
    let root = (try? JSONDocument(parsing: error.body(requestID: "req_1")))?.root
    expect(root?["error"]?["message"]?.string == error.message, "the error's body is JSON")
}

extension ReplyPlan {
    private static let schemas: [String: String] = [
        "Read":
            #"{"type":"object","properties":{"file_path":{"type":"string"},"limit":{"type":"integer"},"pages":{"type":"string"}},"required":["file_path"],"additionalProperties":false}"#,
        "Edit":
            #"{"type":"object","properties":{"a":{"type":["string","null"]},"b":{"type":"array","items":{"type":"string"}},"c":{"type":"boolean"},"d":{"type":"number"},"e":{"anyOf":[{"type":"object"},{"type":"null"}]}},"required":["a","b"]}"#,
        "Bash": #"{"type":"object","properties":{"command":{"type":"string"}}}"#,
        "odd": "{\"properties\":{\"\\ud800\":{\"type\":\"string\"}}}", "broken": "{",
    ]

    static func any(_ random: inout SeededRandom) -> ReplyPlan {
        var plan = ReplyPlan()
        plan.toolNames = ["Read", "Edit", "Bash", "odd", "broken"]
        plan.renamedTools = ["bash_1": "Bash"]
        plan.toolSchemas = schemas.mapValues { Array($0.utf8) }
        plan.stopSequences = Bool.random(using: &random) ? ["END", "\n\n"] : []
        plan.showsThinking = Bool.random(using: &random)
        plan.thinkingDisplayOmitted = Bool.random(using: &random)
        plan.settings.thinkTags = [.auto, .implicit, .off].randomElement(using: &random) ?? .auto
        plan.disableParallelToolUse = Bool.random(using: &random)
        plan.reasoningEcho = Bool.random(using: &random) ? .reasoningContent : .none
        plan.prefill = Bool.random(using: &random) ? "He" : nil
        plan.maxTokens = 100
        return plan
    }
}

/// Arguments of a tool call: `schema NUL arguments`, or the arguments alone.
func fuzzArguments(_ bytes: [UInt8], _ random: inout SeededRandom) {
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    let text = Array(parts.last ?? [])
    let known = ReplyPlan.any(&random).toolSchemas.values.sorted { $0.lexicographicallyPrecedes($1) }
    let schema = parts.count > 1 ? Array(parts[0]) : known.randomElement(using: &random)
    let last = text.suffix(Int.random(in: 0...text.count, using: &random))
    for isCut in [false, true] {
        switch ToolArguments.read(text, isCut: isCut, schema: schema, restated: Array(last)) {
        case .exact(let object):
            expectObject(object)
            heal(object, schema)
        case .repaired(let object, let name):
            expect(!name.isEmpty, "a repair has a name")
            expectObject(object)
            expect(
                ToolArguments.read(object, isCut: false, schema: schema) == .exact(object),
                "what was put right is right")
            heal(object, schema)
        case .unreadable: break
        }
    }
}

private func heal(_ object: [UInt8], _ schema: [UInt8]?) {
    guard let healed = ArgumentHealing.healed(object, schema: schema) else { return }
    expect(!healed.repairs.isEmpty, "a repair has a name")
    expectObject(healed.bytes)
}

private func expectObject(_ bytes: [UInt8]) {
    let root = (try? JSONDocument(parsing: bytes))?.root
    expect(
        root?.isObject == true && root?.hasLoneSurrogate == false,
        "one object: \(String(decoding: bytes, as: UTF8.self))")
}

/// Errors of backends: `retry-after LF reset LF body`.
func fuzzFailure(_ bytes: [UInt8], _ random: inout SeededRandom) {
    let parts = bytes.split(separator: 0x0A, maxSplits: 2, omittingEmptySubsequences: false)
    let body = Array(parts.last ?? [])
    var head = UpstreamHead(
        status: Int.random(in: 100...599, using: &random), contentType: "application/json")
    if parts.count > 1 { head.retryAfter = String(decoding: parts[0], as: UTF8.self) }
    if parts.count > 2 { head.rateLimitReset = String(decoding: parts[1], as: UTF8.self) }
    head.receivedAt = Bool.random(using: &random) ? 1_790_000_000 : 0
    for status in [head.status, 429, 503, 400] {
        head.status = status
        expectSayable(.upstream(.answer(head: head, body: body, model: "claude-x")))
        var plan = ReplyPlan()
        plan.contextWindow = 4096
        plan.promptEstimate = 9000
        expectSayable(.upstream(OllamaFaults.answer(head: head, body: body, model: "claude-x", plan)))
    }
    expectSayable(.upstream(.named(data: body[...])))
    if let root = (try? JSONDocument(parsing: body))?.root, let fault = UpstreamFault.inside(root) {
        expectSayable(.upstream(fault))
    }
}
