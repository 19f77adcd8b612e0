// What a terminal reads when the service starts, and later.

import Scheduling
import Shared
import Testing

@testable import Supervisor

@Suite("Startup banner") struct StartupBannerTests {
    private static func backend(
        _ name: String, _ state: BackendState, _ model: String, _ window: Int
    ) -> BackendStatus {
        var backend = BackendStatus(name: name, url: "u", type: "vllm")
        backend.view.state = state
        backend.models = [ModelFacts(id: model, contextWindow: window)]
        backend.automatic = backend.models.first
        return backend
    }

    @Test("the lines for Claude Code name model and window, fit into a terminal, and never show a key")
    func hints() {
        let best = Self.backend("g", .up, "qwen3:8b", 40_960)
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
    func banner() {
        func one(_ name: String, _ state: BackendState, _ window: Int) -> BackendStatus {
            Self.backend(name, state, "m", window)
        }
        var told: [String] = []
        let banner = StartupBanner(isOn: true, access: .loopback) { told.append($0) }
        func said(_ reports: [BackendStatus]...) -> [String] {
            told = []
            for report in reports { banner.backends(report) }
            return told.flatMap { $0.split(separator: "\n").map(String.init) }
        }
        #expect(said([.demo]).isEmpty)
        banner.ready(["127.0.0.1:1"], base: "http://127.0.0.1:1")
        #expect(told.joined().contains("listening on 127.0.0.1:1\nno model server on"))
        #expect(!told.joined().contains("ANTHROPIC_MODEL"))
        #expect(told.allSatisfy { $0.split(separator: "\n").allSatisfy { $0.count <= Wording.width } })
        // The demo leaves before the first backend's report comes: that is not news.
        #expect(
            said([], [one("a", .up, 1)]) == [
                "backend a u (vllm) is up: m (1 tokens)", "a answers now; for Claude Code:",
                "  export ANTHROPIC_MODEL=m", "  export CLAUDE_CODE_MAX_CONTEXT_TOKENS=1",
            ])
        // One more, of less preference: only that.
        #expect(
            said([one("a", .up, 1), one("b", .up, 2)]) == ["backend b u (vllm) is up: m (2 tokens)"])
        // Another one answers: its model and window, not all the lines again.
        #expect(
            said([one("a", .down, 1), one("b", .up, 2)]) == [
                "backend a u (vllm) is down: no reason known", "b answers now; for Claude Code:",
                "  export ANTHROPIC_MODEL=m", "  export CLAUDE_CODE_MAX_CONTEXT_TOKENS=2",
            ])
        #expect(said([], [one("a", .down, 1), one("b", .up, 2)]).isEmpty)
    }
}
