// A backend in one line, out of the workers' report.

import JSON
import Shared
import Testing

@testable import Supervisor

@Suite("Backend summary") struct BackendSummaryTests {
    static let summaries: [(String, String, Int?)] = [
        (
            #"{"name":"demo","type":"demo","state":"demo","default_model":"demo","models":[{"id":"demo"}]}"#,
            "demo (built in; answers in a model's place and says so)", nil
        ),
        (
            #"{"name":"g","url":"http://h","type":"ollama","state":"down","models":[],"error":"refused"}"#,
            "g http://h (ollama) is down: refused", nil
        ),
        (
            #"{"name":"g","url":"u","type":"vllm","state":"up","models":[{"id":"a","context":1}],"#
                + #""default_model":"b","default_context":7}"#, "g u (vllm) is up: a (1 tokens)", 7
        ),
        (
            #"{"name":"g","url":"u","type":"vllm","state":"up","models":[{"id":"a","context":9},{"id":"b"}],"#
                + #""default_model":"b"}"#, "g u (vllm) is up: a (9 tokens), b", nil
        ),
        (#"{"name":"g","url":"u","type":"vllm","state":"up"}"#, "g u (vllm) is up: no models", nil),
        ("[1]", "?  (?) is ?: no models", nil),
    ]

    @Test(
        "every state that a worker reports is read, and other words are none",
        arguments: BackendState.allCases)
    func states(state: BackendState) throws {
        func read(_ word: String) throws -> BackendState? {
            let json = #"{"name":"g","state":"\#(word)"}"#
            return BackendSummary(try JSONDocument(parsing: Array(json.utf8)).root).state
        }
        #expect(try read(state.rawValue) == state)
        #expect(try read(state.rawValue + "ish") == nil)
    }

    @Test("a backend in one line, and the window of the model that answers", arguments: summaries)
    func summary(json: String, line: String, context: Int?) throws {
        let summary = BackendSummary(try JSONDocument(parsing: Array(json.utf8)).root)
        #expect(summary.line == line && summary.defaultContext == context)
    }
}
