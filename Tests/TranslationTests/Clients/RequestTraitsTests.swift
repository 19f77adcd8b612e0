// What a request of Claude Code says of itself in its body.

import JSON
import Testing

@testable import Translation

struct RequestTraitsTests {
    private static func request(_ members: String) throws -> ClientRequest {
        let body = #"{"model":"m","max_tokens":10,\#(members)}"#
        return try ClientRequest(parsing: Array(body.utf8), at: .messages, head: MessagesHead())
    }

    private static func traits(_ members: String) throws -> RequestTraits { try request(members).traits }

    private static let hello = #""messages":[{"role":"user","content":"hi"}]"#

    @Test(
        "the conversation's id stands in the metadata, in two forms",
        arguments: [
            (#"{\"device_id\":\"d\",\"account_uuid\":\"\",\"session_id\":\"4f2a\"}"#, "4f2a"),
            ("user_abc_account__session_9c1e-77", "9c1e-77"), ("somebody", nil), (#"{\"a\":1}"#, nil),
            (#"{\"session_id\":7}"#, nil), (#"{\"session_id\":\"\"}"#, nil), ("_session_", nil),
            (String(repeating: "x", count: 5000) + "_session_1", nil),
        ])
    func session(userID: String, expected: String?) throws {
        let request = try Self.request(#""metadata":{"user_id":"\#(userID)"},\#(Self.hello)"#)
        #expect(request.session == expected)
    }

    @Test("an agent's line, a summary asked for, a title asked for")
    func kinds() throws {
        func system(_ text: String) -> String {
            #""system":[{"type":"text","text":"\#(text)"}],\#(Self.hello)"#
        }
        #expect(try Self.traits(Self.hello) == RequestTraits())
        let line = "x-anthropic-billing-header: cc_version=2.1; cc_entrypoint=cli; cc_is_subagent=true;"
        #expect(try Self.traits(system(line)).isSubagent)
        #expect(try !Self.traits(system("You know that cc_is_subagent=true.")).isSubagent)
        for words in [
            "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.",
            "Your task is to create a detailed summary of the conversation so far",
        ] {
            let last =
                #""messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"c"},{"type":"text","text":"\#(words)"}]}]"#
            #expect(try Self.traits(last).isCompaction)
            let earlier =
                #""messages":[{"role":"user","content":"\#(words)"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]"#
            #expect(try !Self.traits(earlier).isCompaction)
        }
        let format = #""output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},"#
        #expect(try Self.traits(format + Self.hello).isBackground)
        let tool = #""tools":[{"name":"Read","input_schema":{"type":"object"}}],"#
        #expect(try !Self.traits(format + tool + Self.hello).isBackground)
    }
}
