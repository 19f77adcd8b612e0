// What the gateway answers without a backend, in both forms.

import JSON
import Testing
import Translation

@Suite struct LocalAnswerTests {
    private let search = LocalAnswer.webSearchUnavailable(query: "a \"b\"")

    @Test func searchAsMessage() throws {
        let body = search.body(messageID: "msg_1a", model: "m", streaming: false, inputTokens: 7)
        #expect(
            String(decoding: body, as: UTF8.self)
                == #"{"id":"msg_1a","type":"message","role":"assistant","model":"m","content":[{"type":"server_tool_use","id":"srvtoolu_1a","name":"web_search","input":{"query":"a \"b\""}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1a","content":{"type":"web_search_tool_result_error","error_code":"unavailable"}},{"type":"text","text":"Web search is not available here: no search was made and there are no results."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}"#
        )
    }

    @Test func searchAsEvents() throws {
        let body = search.body(messageID: "msg_1a", model: "m", streaming: true, inputTokens: 7)
        let frames = String(decoding: body, as: UTF8.self).split(separator: "\n\n")
        var names: [String] = []
        for frame in frames {
            let lines = frame.split(separator: "\n")
            #expect(lines.count == 2)
            let name = try #require(lines.first).dropFirst("event: ".count)
            let data = Array(try #require(lines.last).dropFirst("data: ".count).utf8)
            #expect(try JSONDocument(parsing: data).root["type"]?.string == String(name))
            names.append(String(name))
        }
        let block = ["content_block_start", "content_block_delta", "content_block_stop"]
        #expect(
            names == ["message_start"] + block + ["content_block_start", "content_block_stop"] + block
                + ["message_delta", "message_stop"])
        #expect(frames[2].contains(#""partial_json":"{\"query\":\"a \\\"b\\\"\"}""#))
    }

    @Test func nothing() throws {
        let body = LocalAnswer.nothing.body(messageID: "msg_1", model: "m", streaming: false, inputTokens: 3)
        let root = try JSONDocument(parsing: body).root
        #expect(root["content"]?.isEmpty == true)
        #expect(root["stop_reason"]?.string == "max_tokens")
        #expect(root["usage"]?["output_tokens"]?.int == 0)
    }
}
