// OpenAI's API: a request is refused in words or becomes JSON for every dialect; what a backend of the
// Messages API answers becomes chunks or one completion, however it is cut.

import JSON
import TestSupport
import TranslationTesting

@testable import Translation

private let profiles = Profile.all.values.sorted { $0.name < $1.name }

/// Chat requests, converted for some backend types and all dialects.
func fuzzChat(_ bytes: [UInt8], _ random: inout SeededRandom) {
    let request: ChatRequest
    do throws(Failure) { request = try ChatRequest(parsing: bytes) } catch {
        return check(error, limit: 600)
    }
    expect(request.estimatedInputTokens >= 0, "tokens are counted")
    for dialect in Dialect.allCases {
        let profile = profiles.randomElement(using: &random) ?? .openaiCompatible
        var target = UpstreamTarget(model: "gpt-oss-20b", profile: profile)
        target.profile.dialect = dialect
        target.contextWindow = [nil, 100, 8192, .max].randomElement(using: &random) ?? nil
        if Bool.random(using: &random) { target.lacking = [.thinking, .structuredOutput] }
        do throws(Failure) {
            let call = try request.converted(for: target)
            let text = String(decoding: call.body, as: UTF8.self)
            let root = (try? JSONDocument(parsing: call.body))?.root
            expect(root?.isObject == true && root?.hasLoneSurrogate == false, "an object: \(text)")
            expect(root?["model"]?.string == target.model, "the model: \(text)")
            expect(root?["messages"]?.first != nil, "a message: \(text)")
            if dialect == .anthropic { checkTurns(root, call.body, text) }
            for omission in call.omissions {
                expect(!omission.path.isEmpty && !omission.reason.isEmpty, "omissions are named: \(omission)")
                expect(
                    omission.path.utf8.count < 300 && omission.reason.utf8.count < 400, "short: \(omission)")
            }
        } catch { check(error, limit: 600) }
    }
}

/// What the real API takes: users and assistants by turns, a user first; each call answered in the next turn.
private func checkTurns(_ root: JSONNode?, _ body: [UInt8], _ text: String) {
    do throws(Failure) { _ = try MessagesRequest(parsing: body) } catch {
        expect(false, "our own reader takes it: \(error): \(text)")
    }
    var isUser = true
    var called: [String] = []
    var seen: Set<String> = []
    for message in root?["messages"].map({ Array($0.elements) }) ?? [] {
        expect(message["role"]?.string == (isUser ? "user" : "assistant"), "by turns: \(text)")
        var answered: [String] = []
        var next: [String] = []
        for block in message["content"].map({ Array($0.elements) }) ?? [] {
            switch block["type"]?.string {
            case "tool_use":
                next.append(block["id"]?.string ?? "")
                expect(seen.insert(next.last ?? "").inserted, "an id once: \(text)")
                expect(block["input"]?.isObject == true, "an input is an object: \(text)")
            case "tool_result": answered.append(block["tool_use_id"]?.string ?? "")
            default: break
            }
        }
        expect(answered == called, "each call answered, in order: \(text)")
        called = next
        isUser.toggle()
    }
    expect(called.isEmpty, "the last call is answered: \(text)")
}

/// - Parameter limit: bytes of our own words; a backend may say more.
private func check(_ failure: Failure, limit: Int = .max) {
    expectSayable(failure)
    let error = failure.error(for: .chat)
    expect(error.message.utf8.count < limit, "refused in few words: \(error.message)")
    let root = (try? JSONDocument(parsing: error.body(requestID: "req_1")))?.root
    expect(root?["error"]?["message"]?.isString == true, "an error has a message")
}

/// Answers of the Messages API for a chat client.
func fuzzEvents(_ bytes: [UInt8], _ random: inout SeededRandom) {
    var plan = ReplyPlan()
    plan.dialect = Bool.random(using: &random) ? .anthropic : .openAI
    plan.toolNames = ["weather", "now"]
    let includesUsage = Bool.random(using: &random)
    let status = [200, 200, 200, 400, 529].randomElement(using: &random) ?? 200
    let cuts = random.cuts(bytes.count)
    for streaming in [true, false] {
        let client = ClientRequest.plain(
            at: .chat, streaming: streaming, #""stream_options":{"include_usage":\#(includesUsage)}"#)
        let whole = run(bytes, plan, status, to: client, cuts: [])
        let cut = run(bytes, plan, status, to: client, cuts: cuts)
        expect(whole.output == cut.output && whole.failure == cut.failure, "the same when cut at \(cuts)")
        if let failure = whole.failure {
            expect(whole.output.isEmpty, "an error or a reply, not both")
            check(failure)
        } else if streaming {
            let grammar = ChatGrammar(whole.output, includesUsage: includesUsage)
            expect(
                grammar.faults.isEmpty,
                "\(grammar.faults)\n\(String(decoding: whole.output, as: UTF8.self))")
        } else {
            let root = (try? JSONDocument(parsing: whole.output))?.root
            expect(root?["object"]?.stringEquals("chat.completion") == true, "a completion")
            expect(root?.hasLoneSurrogate == false, "no lone surrogate")
        }
    }
}

private func run(
    _ bytes: [UInt8], _ plan: ReplyPlan, _ status: Int, to client: ClientRequest, cuts: [Int]
) -> (output: [UInt8], failure: Failure?) {
    var reply = DrivenReply(to: client, plan: plan)
    let head = UpstreamHead(status: status, contentType: "")
    let output = reply.play(head, bytes, cuts: cuts, early: false, .complete)
    expect(!reply.wantsMore, "the reply has ended")
    return (output, reply.failure)
}
