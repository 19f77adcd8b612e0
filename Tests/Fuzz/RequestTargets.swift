// What comes from clients and administrators: a request is refused in words or converted into JSON for every
// backend type; a configuration is good or has mistakes that can be shown.

import JSON
import Shared
import TestSupport

@testable import Translation

private let profiles = Profile.all.values.sorted { $0.name < $1.name }

/// Requests, converted for some backend types.
func fuzzRequest(_ bytes: [UInt8], _ random: inout SeededRandom) {
    do throws(Failure) {
        let counted = try MessagesRequest(parsingCount: bytes)
        expect(counted.estimatedInputTokens >= 0, "tokens are counted")
    } catch {
        expectSayable(error)
        let words = error.error(for: .messages).message
        expect(words.utf8.count < 600, "refused in few words: \(words)")
    }
    let request: MessagesRequest
    do throws(Failure) { request = try MessagesRequest(parsing: bytes) } catch {
        return expectSayable(error)
    }
    if let answer = request.localAnswer { check(answer, request) }
    let start = Int.random(in: 0..<profiles.count, using: &random)
    for step in 0..<4 {
        var target = UpstreamTarget(model: "gpt-oss-20b", profile: profiles[(start + step) % profiles.count])
        if Bool.random(using: &random) { target.model = "o3" }
        if Bool.random(using: &random) { target.profile.vision.toggle() }
        if Bool.random(using: &random) { target.profile.reasoningEcho = .thinkTags }
        target.contextWindow = [nil, 100, 8192, .max].randomElement(using: &random) ?? nil
        convert(request, target)
    }
}

private func convert(_ request: MessagesRequest, _ target: UpstreamTarget) {
    do throws(Failure) {
        let call = try request.converted(for: target)
        let root = (try? JSONDocument(parsing: call.body))?.root
        let text = String(decoding: call.body, as: UTF8.self)
        expect(root?.isObject == true, "\(target.profile.name) gets an object: \(text)")
        expect(root?.hasLoneSurrogate == false, "no lone surrogate: \(text)")
        expect(root?["messages"]?.first != nil, "\(target.profile.name) gets a message: \(text)")
        expect(root?["model"]?.string == target.model, "the model: \(text)")
        if target.profile.dialect == .anthropic { return expectPassed(request, call) }
        expect(call.plan.maxTokens > 0, "at least one token is asked for")
        for omission in call.omissions {
            // They reach the journal and a header of the reply.
            expect(!omission.path.isEmpty && !omission.reason.isEmpty, "omissions are named: \(omission)")
            expect(omission.path.utf8.count < 300 && omission.reason.utf8.count < 400, "short: \(omission)")
        }
        if let root { expectPairs(root, text) }
    } catch {
        expectSayable(error)
        let words = error.error(for: .messages).message
        expect(words.utf8.count < 600, "refused in few words: \(words)")
    }
}

/// Where the bytes pass, the model's name is all that changes, but for surrogates that stand alone.
private func expectPassed(_ request: MessagesRequest, _ call: UpstreamCall) {
    expect(call.plan.isPassthrough && call.omissions.isEmpty, "nothing is left out")
    let root = request.root
    guard !root.hasLoneSurrogate, let sent = (try? JSONDocument(parsing: call.body))?.root else { return }
    expect(sent.replacingModel(with: request.model) == root.replacingModel(with: request.model), "bytes pass")
}

/// Every call has its result at once, every result its call before it: what all backends insist on.
private func expectPairs(_ root: JSONNode, _ text: String) {
    var open: Set<String> = []
    for message in root["messages"]?.elements ?? root.elements {
        if message["role"]?.stringEquals("tool") == true {
            let id = message["tool_call_id"]?.string ?? ""
            expect(open.remove(id) != nil, "the result of \(id) has its call: \(text)")
            continue
        }
        expect(open.isEmpty, "\(open) have results: \(text)")
        for call in message["tool_calls"]?.elements ?? root.elements {
            let id = call["id"]?.string ?? ""
            expect(!id.isEmpty && open.insert(id).inserted, "call ids differ: \(text)")
            let node = call["function"]?["arguments"]
            // Ollama takes the object itself.
            let arguments = node?.isObject == true ? Array(node?.raw ?? []) : Array((node?.string ?? "").utf8)
            expect((try? JSONDocument(parsing: arguments))?.root.isObject == true, "arguments: \(text)")
        }
    }
    expect(open.isEmpty, "\(open) have results at the end: \(text)")
}

private func check(_ answer: LocalAnswer, _ request: MessagesRequest) {
    let bytes = answer.body(
        messageID: "msg_1", model: request.model, streaming: request.stream, inputTokens: 1)
    guard !request.stream else { return }
    expect((try? JSONDocument(parsing: bytes))?.root["type"]?.stringEquals("message") == true, "a message")
}

/// What travels through the client: ids of calls and hidden reasoning.
func fuzzCarriers(_ bytes: [UInt8], _ random: inout SeededRandom) {
    let text = String(decoding: bytes, as: UTF8.self)
    let id = ToolIdentifier.forClient(text, salt: "abc9")
    expect(!id.isEmpty && id.utf8.allSatisfy(UpstreamToolNames.isAllowed), "an id that clients take: \(id)")
    expect(ToolIdentifier.forUpstream(id) == text, "an id comes back: \(id)")
    _ = ToolIdentifier.forUpstream(text)
    let hidden = ReasoningCarrier.hidden(in: ReasoningCarrier.signature(hidden: Array(text.utf8)))
    expect(hidden == (text.isEmpty ? nil : Array(text.utf8)), "reasoning comes back")
    for signature in [text, "drgm1." + text] {
        guard let hidden = ReasoningCarrier.hidden(in: signature) else { continue }
        expect(String(validating: hidden, as: UTF8.self) != nil, "hidden reasoning is text")
    }
}

/// Configuration files.
func fuzzConfiguration(_ bytes: [UInt8], _ random: inout SeededRandom) {
    switch Configuration.parse(bytes, name: "dragoman.yaml") {
    case .good(let configuration):
        expect(configuration.backends.count <= Configuration.maximumBackends, "limits hold")
        expect(!configuration.listen.isEmpty, "there is an address to listen on")
    case .bad(let mistakes):
        expect(!mistakes.isEmpty, "a refusal says why")
        for mistake in mistakes {
            let text = mistake.description
            expect(
                !text.unicodeScalars.contains { $0.properties.generalCategory == .control },
                "a mistake can be shown: \(text)")
        }
    }
}
