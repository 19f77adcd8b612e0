// The next request of a conversation begins with the same bytes as the one before: what a backend has
// computed for a prompt can be used again. Conversations as Claude Code sends them, turn by turn.

import BackendSettings
import JSON
import Testing

@testable import Translation

@Suite struct PromptPrefixTests {
    private static let tools = ["Bash", "Read", "ToolSearch", "Write"]

    private func tool(_ name: String, isDeferred: Bool = false) -> String {
        """
        {"name":"\(name)","description":"\(name)s.","input_schema":{"$schema":"x","type":"object",\
        "properties":{"b":{"type":"number","maximum":1.10},"a":{"$ref":"#/$defs/q"}},"$defs":{"q":{"type":"string"}}}\
        \(isDeferred ? ",\"defer_loading\":true" : "")}
        """
    }

    private func request(_ messages: [String], build: String, deferred: [String] = []) -> [UInt8] {
        // As the client does: by name, wherever that puts them.
        let all = (Self.tools + deferred).sorted().map { tool($0, isDeferred: deferred.contains($0)) }
        let text = """
            {"model":"m","max_tokens":32000,"system":[{"type":"text","text":"x-anthropic-billing-header: cc=\(build);"},\
            {"type":"text","text":"You are a helper.","cache_control":{"type":"ephemeral"}}],\
            "tools":[\(all.joined(separator: ","))],"messages":[\(messages.joined(separator: ","))],"stream":true}
            """
        return Array(text.utf8)
    }

    /// The text of `messages` without its closing bracket, and of `tools`.
    private func upstream(
        _ body: [UInt8], _ profile: Profile, bent: Bool = false
    ) throws -> (messages: [UInt8], tools: [UInt8]) {
        var target = UpstreamTarget(model: "m", profile: profile)
        target.settings.history = bent ? .heal : .keep
        target.settings.toolCalls = bent ? .sequential : .parallel
        let call = try MessagesRequest(parsing: body).converted(for: target)
        let root = try JSONDocument(parsing: call.body).root
        let messages = try #require(root["messages"]), tools = try #require(root["tools"])
        return (Array(messages.raw.dropLast()), Array(tools.raw.dropLast()))
    }

    /// Turns of one conversation; each is sent with all before it. The last message of a request has its
    /// content as blocks with a cache mark, on later turns as the client's plain form.
    private static let turns: [[(last: String, later: String)]] = [
        [
            (
                #"{"role":"user","content":[{"type":"text","text":"do it","cache_control":{"type":"ephemeral"}}]}"#,
                #"{"role":"user","content":"do it"}"#
            ),
            (
                #"{"role":"system","content":[{"type":"text","text":"Skills: a, b\n","cache_control":{"type":"ephemeral"}}]}"#,
                #"{"role":"system","content":"Skills: a, b\n"}"#
            ),
        ],
        [
            (
                #"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"I look."},{"type":"tool_use","id":"toolu_01","name":"Read","input":{"b": 1.10,"a":[]}},{"type":"tool_use","id":"toolu_02","name":"Bash","input":{}}]}"#,
                ""
            ),
            (
                #"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01","content":"one"},{"type":"tool_result","tool_use_id":"toolu_02","content":"two","is_error":true,"cache_control":{"type":"ephemeral"}}]}"#,
                #"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01","content":"one"},{"type":"tool_result","tool_use_id":"toolu_02","content":"two","is_error":true}]}"#
            ),
            (
                #"{"role":"system","content":[{"type":"text","text":"9000 left","cache_control":{"type":"ephemeral"}}],"output_config":{"effort":"low"}}"#,
                #"{"role":"system","content":"9000 left"}"#
            ),
        ],
        [
            (
                #"{"role":"assistant","content":[{"type":"tool_use","id":"toolu_03","name":"ToolSearch","input":{"q":"web"}}]}"#,
                ""
            ),
            (
                #"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_03","content":[{"type":"tool_reference","tool_name":"Ask"}]}]}"#,
                ""
            ),
        ],
        [
            (#"{"role":"assistant","content":[{"type":"text","text":"Which one?"}]}"#, ""),
            (
                #"{"role":"user","content":[{"type":"text","text":"look:"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}"#,
                ""
            ),
            (#"{"role":"system","content":"note"}"#, ""),
        ],
        [
            (#"{"role":"assistant","content":"Done."}"#, ""),
            (#"{"role":"user","content":"thanks"}"#, ""),
        ],
    ]

    @Test(arguments: Profile.converted.map(\.name), [false, true])
    func everyTurnBeginsWithTheTurnBefore(type: String, bent: Bool) throws {
        let profile = try #require(Profile.named(type))
        var before: (messages: [UInt8], tools: [UInt8])?
        for count in 1...Self.turns.count {
            var messages: [String] = []
            for (index, turn) in Self.turns.prefix(count).enumerated() {
                for message in turn {
                    let isLast = index == count - 1
                    messages.append(isLast || message.later.isEmpty ? message.last : message.later)
                }
            }
            let deferred = count > 3 ? ["Ask"] : []
            let now = try upstream(
                request(messages, build: "build\(count)", deferred: deferred), profile, bent: bent)
            if let before {
                #expect(now.messages.starts(with: before.messages), "turn \(count)")
                #expect(now.messages.count > before.messages.count)
                #expect(now.tools.starts(with: before.tools), "turn \(count)")
            }
            before = now
        }
    }

    /// Healing changes what follows a failed round once, and nothing before it.
    @Test func healedRoundsChangeTheEndOnly() throws {
        func call(_ id: Int, _ input: String) -> String {
            #"{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1234567\#(id)","name":"Read","input":\#(input)}]}"#
        }
        func result(_ id: Int, _ text: String, _ isError: Bool) -> String {
            #"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1234567\#(id)","content":"\#(text)","is_error":\#(isError)}]}"#
        }
        let turns = [
            [#"{"role":"user","content":"x"}"#], [call(1, #"{"b":1}"#), result(1, "one", false)],
            [call(2, #"{"c":1}"#), result(2, "InputValidationError: c", true)],
            [call(3, #"{"b":2}"#), result(3, "two", false)],
            [call(4, #"{"b":3}"#), result(4, "three", false)],
        ]
        let sent = try (1...turns.count).map { count in
            try upstream(request(turns.prefix(count).flatMap(\.self), build: "a"), .vllm, bent: true).messages
        }
        #expect(sent[1].starts(with: sent[0]))
        #expect(sent[2].starts(with: sent[1]) && sent[3].starts(with: sent[1]))
        #expect(!sent[3].starts(with: sent[2]) && sent[4].starts(with: sent[3]))
    }

    /// Tools that messages add come behind those that are there, turn after turn.
    @Test func addedToolsMoveNothing() throws {
        let added = ["Zoo", "Ask", "Mid"].map {
            #"{"role":"system","content":[{"type":"tool_addition","tool":{"type":"tool_reference","name":"\#($0)"}}]}"#
        }
        var messages = [#"{"role":"user","content":"x"}"#]
        var before: (messages: [UInt8], tools: [UInt8])?
        for addition in added {
            messages += [addition, #"{"role":"assistant","content":"y"}"#, #"{"role":"user","content":"z"}"#]
            let now = try upstream(request(messages, build: "a", deferred: ["Zoo", "Ask", "Mid"]), .vllm)
            if let before {
                #expect(now.messages.starts(with: before.messages))
                #expect(now.tools.starts(with: before.tools))
                #expect(now.tools.count > before.tools.count)
            }
            before = now
        }
    }

    @Test func theBuildLineChangesNothing() throws {
        let messages = [#"{"role":"user","content":"x"}"#]
        let one = try upstream(request(messages, build: "a1"), .vllm)
        let two = try upstream(request(messages, build: "b2; cch=12345"), .vllm)
        #expect(one == two)
    }
}

extension Profile {
    /// Those for which a request is put into other words; to the others its bytes pass.
    static let converted = all.values.filter { $0.dialect != .anthropic }.sorted { $0.name < $1.name }
}
