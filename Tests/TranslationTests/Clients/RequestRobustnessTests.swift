// Whatever becomes of a valid request on its way, the answer is a request or a client's error, and what
// goes out is JSON. All golden requests are changed at random, with a seed.

import BackendSettings
import JSON
import TestSupport
import Testing

@testable import Translation

@Suite struct RequestRobustnessTests {
    private static let values = [
        "null", "true", "-1", "1e999", "99999999999999999999", "\"\"", "\"x\"", "\"\\ud83d\"", "[]", "{}",
        "[null]",
        "[[]]", "{\"type\":\"text\"}", "{\"type\":\"tool_use\",\"id\":\"\",\"name\":\"\"}",
        "{\"type\":\"enabled\"}",
        "\"toolu_enc_\"", "\"assistant\"", "\"system\"", "\"tool_result\"", "{\"\":{}}",
    ]

    @Test("Lists that would keep the worker too long are refused by their length", arguments: [4096, 4097])
    func stopSequences(count: Int) throws {
        let stops = Array(repeating: "\"s\"", count: count).joined(separator: ",")
        let text =
            #"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"stop_sequences":["#
            + stops + "]}"
        if count <= 4096 {
            _ = try MessagesRequest(parsing: Array(text.utf8))
        } else {
            #expect(throws: Failure.self) { try MessagesRequest(parsing: Array(text.utf8)) }
        }
    }

    @Test("As many tools as are dealt with in one turn, and not one more", arguments: [16_384, 16_385])
    func tools(count: Int) throws {
        let tools = (0..<count).map { #"{"name":"f\#($0)","input_schema":{"type":"object"}}"# }
        let text =
            #"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"tools":["#
            + tools.joined(separator: ",") + "]}"
        if count <= 16_384 {
            _ = try MessagesRequest(parsing: Array(text.utf8))
        } else {
            #expect(throws: Failure.self) { try MessagesRequest(parsing: Array(text.utf8)) }
        }
    }

    @Test("As many messages as the API takes, and not one more", arguments: [100_000, 100_001])
    func messages(count: Int) throws {
        let messages = Array(repeating: #"{"role":"user","content":"x"}"#, count: count).joined(
            separator: ",")
        let text = #"{"model":"m","max_tokens":1,"messages":["# + messages + "]}"
        if count <= 100_000 {
            _ = try MessagesRequest(parsing: Array(text.utf8))
        } else {
            #expect(throws: Failure.self) { try MessagesRequest(parsing: Array(text.utf8)) }
        }
    }

    /// One value of the text, picked by chance, replaced; or its bytes changed.
    private func changed(_ text: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var text = text
        guard Int.random(in: 0..<4, using: &random) > 0, let root = try? JSONDocument(parsing: text).root
        else {
            let at = Int.random(in: 0..<max(text.count, 1), using: &random)
            if at < text.count { text[at] = UInt8.random(in: 0x20..<0x7F, using: &random) }
            return text
        }
        var nodes: [JSONNode] = []
        var open = [root]
        while let node = open.popLast() {
            nodes.append(node)
            open += Array(node.elements) + node.members.map(\.value)
        }
        guard let victim = nodes.dropFirst().randomElement(using: &random) else { return text }
        let value = Bool.random(using: &random) ? nil : Self.values.randomElement(using: &random)
        let other = nodes.randomElement(using: &random).map { Array($0.raw) } ?? []
        text.replaceSubrange(victim.rawRange, with: value.map { Array($0.utf8) } ?? other)
        return text
    }

    @Test(arguments: 0..<24 as Range<UInt64>)
    func changedRequestsNeverTrap(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let profiles = Profile.all.keys.sorted().compactMap(Profile.named)
        var passed = 0
        for golden in GoldenCase.all(in: .requests) {
            var text = try golden.read().input("request") ?? []
            guard text.count < 5000 else { continue }
            for _ in 0..<Int.random(in: 1...3, using: &random) { text = changed(text, &random) }
            let profile = profiles.randomElement(using: &random) ?? .openaiCompatible
            _ = try? MessagesRequest(parsingCount: text).estimatedInputTokens
            do throws(Failure) {
                let request = try MessagesRequest(parsing: text)
                _ = request.localAnswer
                var target = UpstreamTarget(model: "m", profile: profile, contextWindow: 4096)
                target.settings.history = Bool.random(using: &random) ? .heal : .keep
                target.settings.toolCalls = Bool.random(using: &random) ? .sequential : .parallel
                let call = try request.converted(for: target)
                passed += 1
                #expect(
                    (try? JSONDocument(parsing: call.body)) != nil, "\(String(decoding: text, as: UTF8.self))"
                )
                try expectAnsweredCalls(call.body)
            } catch {
                #expect((400..<500).contains(error.status))
                #expect(!error.message.isEmpty)
            }
        }
        #expect(passed > 20)
    }

    /// Each call is followed by its result before anything else.
    private func expectAnsweredCalls(_ body: [UInt8]) throws(Failure) {
        guard let messages = (try? JSONDocument(parsing: body))?.root["messages"] else { return }
        var open: [String] = []
        for message in messages.elements {
            if message["role"]?.stringEquals("tool") == true {
                #expect(open.first == message["tool_call_id"]?.string)
                open = Array(open.dropFirst())
            } else {
                #expect(open.isEmpty)
                open = (message["tool_calls"]?.elements).map { $0.compactMap { $0["id"]?.string } } ?? []
            }
            let isSilent = message["content"]?.isNull == true && message["tool_calls"] == nil
            #expect(!isSilent)
        }
        #expect(open.isEmpty)
    }

    /// Whatever is wrong three thousand times, the list of what was left out stays short.
    @Test(
        arguments: [
            #"{"role":"system","content":"x"}"#, #"{"role":"user","content":"x"}"#,
            #"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]}"#,
            #"{"role":"assistant","content":""},{"role":"user","content":"x"}"#,
            #"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}"#,
        ])
    func longConversationsAreReportedInShort(message: String) throws {
        let first = [
            #"{"role":"user","content":"x"}"#,
            #"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]}"#,
        ]
        let all = first + Array(repeating: message, count: 3_000) + [#"{"role":"user","content":"end"}"#]
        let body = Array(
            "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[\(all.joined(separator: ","))]}".utf8)
        for profile in [Profile.vllm, .mistral] {
            let call = try MessagesRequest(parsing: body).converted(
                for: UpstreamTarget(model: "m", profile: profile))
            #expect(call.omissions.count < 200)
            #expect(!call.body.isEmpty)
        }
    }

    @Test("names and types that nobody knows are told short, on one line")
    func foreignWordsAreBounded() throws {
        let long = String(repeating: "x", count: 5000) + #"\r\nset-cookie: a"#
        let body = """
            {"model":"m","\(long)":1,"":2,"a\\r\\nb":3,"messages":[{"role":"\(long)","content":"x"},
            {"role":"user","content":[{"type":"\(long)"}]}],
            "thinking":{"type":"\(long)"},"tools":[{"name":"a"},{"name":"a"},{"type":"\(long)","name":"n"}]}
            """
        let omissions = try MessagesRequest(parsing: Array(body.utf8)).content.omissions
        #expect(omissions.count >= 6)
        #expect(omissions.contains { $0.path == #""""# })
        #expect(omissions.contains { $0.path == "a??b" })
        for omission in omissions {
            #expect(!omission.path.isEmpty && omission.path.utf8.count < 200, "\(omission)")
            #expect(omission.reason.utf8.count < 200, "\(omission)")
            #expect(!(omission.path + omission.reason).contains { $0.isNewline }, "\(omission)")
        }
        let twice = "{\"\(long)\":1,\"\(long)\":2}"
        #expect { try MessagesRequest(parsing: Array(twice.utf8)) } throws: { error in
            (error as? Failure)?.message.utf8.count ?? .max < 200
        }
    }

    @Test(
        "a conversation of which nothing is left is refused, not sent empty",
        arguments: [
            #"{"role":"user","content":[{"type":"search_result"}]}"#,
            #"{"role":"assistant","content":" "}"#,
            #"{"role":"user","content":[{"type":"thinking","thinking":"a","signature":"b"}]}"#,
        ])
    func nothingLeft(message: String) throws {
        let request = try MessagesRequest(parsing: Array(#"{"model":"m","messages":[\#(message)]}"#.utf8))
        for profile in Profile.converted {
            #expect(throws: Failure.self) {
                try request.converted(for: UpstreamTarget(model: "m", profile: profile))
            }
        }
    }

    @Test func tooManyBlocksAreRefused() {
        let blocks = Array(repeating: "\"x\"", count: 200_001).joined(separator: ",")
        let body = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[\(blocks)]}]}"
        #expect(throws: Failure.self) { try MessagesRequest(parsing: Array(body.utf8)) }
    }
}
