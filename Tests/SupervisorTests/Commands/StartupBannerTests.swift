// What a terminal reads when the service starts, and later.

import JSON
import Shared
import Testing

@testable import Supervisor

@Suite("Startup banner") struct StartupBannerTests {
    private static func summary(_ json: String) throws -> BackendSummary {
        BackendSummary(try JSONDocument(parsing: Array(json.utf8)).root)
    }

    @Test("the lines for Claude Code name model and window, fit into a terminal, and never show a key")
    func hints() throws {
        let best = try Self.summary(
            #"{"type":"ollama","state":"up","default_model":"qwen3:8b","default_context":40960}"#)
        let open = StartupBanner.hints(
            base: "http://127.0.0.1:8484", access: .loopback, model: StartupBanner.modelLines(best))
        #expect(
            open.filter { $0.contains("export ") } == [
                "  export ANTHROPIC_BASE_URL=http://127.0.0.1:8484", "  export ANTHROPIC_AUTH_TOKEN=dragoman",
                "  export ANTHROPIC_MODEL=qwen3:8b", "  export CLAUDE_CODE_MAX_CONTEXT_TOKENS=40960",
                "  export CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY=1",
            ])
        #expect(open.allSatisfy { $0.count <= Wording.width })
        // With the demo alone: a model that is to come is not known yet.
        let keyed = StartupBanner.hints(base: "http://h", access: .keys(.environment("K")), model: [])
        #expect(!keyed.contains { $0.contains("MAX_CONTEXT") || $0.contains("ANTHROPIC_MODEL") })
        #expect(keyed.count { $0.contains("one of your keys") } == 2)
    }

    @Test("a model's name is a word for the shell, whatever the backend calls it")
    func shellWords() {
        #expect(
            ["a/b:c-1.5@x", "a b", "x;reboot", "it's", "$(id)", ""].map(Wording.shellWord) == [
                "a/b:c-1.5@x", "'a b'", "'x;reboot'", #"'it'\''s'"#, "'$(id)'", "''",
            ])
        #expect(Wording.shown("a\u{1b}[31mb\u{202e}c\n") == "a?[31mb?c?")
    }

    @Test("a terminal is told of backends once, and later only what has changed")
    func banner() throws {
        func json(_ name: String, _ state: String, _ window: Int) -> String {
            #"{"name":"\#(name)","url":"u","type":"vllm","state":"\#(state)","#
                + #""models":[{"id":"m","context":\#(window)}],"default_model":"m"}"#
        }
        let demo = #"{"name":"demo","type":"demo","state":"demo","default_model":"demo"}"#
        var told: [String] = []
        let banner = StartupBanner(isOn: true, access: .loopback) { told.append($0) }
        func said(_ reports: String...) -> [String] {
            told = []
            for report in reports { banner.backends(BackendSummary.all(in: "[\(report)]")) }
            return told.flatMap { $0.split(separator: "\n").map(String.init) }
        }
        #expect(said(demo).isEmpty)
        banner.ready(["127.0.0.1:1"], base: "http://127.0.0.1:1")
        #expect(told.joined().contains("listening on 127.0.0.1:1\nno model server on"))
        #expect(!told.joined().contains("ANTHROPIC_MODEL"))
        #expect(told.allSatisfy { $0.split(separator: "\n").allSatisfy { $0.count <= Wording.width } })
        // The demo leaves before the first backend's report comes: that is not news.
        #expect(
            said("", json("a", "up", 1)) == [
                "backend a u (vllm) is up: m (1 tokens)", "a answers now; for Claude Code:",
                "  export ANTHROPIC_MODEL=m", "  export CLAUDE_CODE_MAX_CONTEXT_TOKENS=1",
            ])
        // One more, of less preference: only that.
        #expect(
            said(json("a", "up", 1) + "," + json("b", "up", 2)) == ["backend b u (vllm) is up: m (2 tokens)"])
        // Another one answers: its model and window, not all the lines again.
        #expect(
            said(json("a", "down", 1) + "," + json("b", "up", 2)) == [
                "backend a u (vllm) is down: no reason known", "b answers now; for Claude Code:",
                "  export ANTHROPIC_MODEL=m", "  export CLAUDE_CODE_MAX_CONTEXT_TOKENS=2",
            ])
        #expect(said("", json("a", "down", 1) + "," + json("b", "up", 2)).isEmpty)
    }
}
