// Backends and models as they are shown.

import Scheduling
import Shared
import Testing

@testable import Supervisor

private func backend(
    _ name: String, _ state: BackendState, _ models: [(String, Int?)] = [], type: String = "vllm"
) -> BackendStatus {
    var status = BackendStatus(name: name, url: "http://\(name)", type: type)
    status.view.state = state
    status.models = models.map { ModelFacts(id: $0.0, contextWindow: $0.1) }
    return status
}

@Suite("Backends as shown") struct BackendStatusTests {
    @Test("a backend in one line")
    func lines() {
        var down = backend("g", .down, type: "ollama")
        #expect(down.line == "g http://g (ollama) is down: no reason known")
        down.view.reason = "refused"
        #expect(down.line == "g http://g (ollama) is down: refused")
        #expect(BackendStatus.demo.line == "demo (built in; answers in a model's place and says so)")
        #expect(backend("g", .up).line == "g http://g (vllm) is up: no models")
        #expect(
            backend("g", .ejected, [("a", 9), ("b", nil)]).line
                == "g http://g (vllm) is ejected: a (9 tokens), b")
        let many = backend("g", .up, (0..<9).map { ("m\($0)", nil) })
        #expect(many.line == "g http://g (vllm) is up: m0, m1, m2, m3, m4, m5, and 3 more")
    }

    @Test("all backends in a few words")
    func shortLine() {
        #expect(BackendStatus.line(of: []) == "")
        #expect(BackendStatus.line(of: [.demo]) == "no backend, using the demo")
        let many = (0..<6).map { backend("b\($0)", $0 < 2 ? .up : .down) }
        #expect(BackendStatus.line(of: many) == "b0 up, b1 up, b2 down, b3 down, 2 more")
    }

    @Test("a model is one entry, whoever has it: the smallest window, loaded somewhere, all its other names")
    func models() {
        var first = backend("box1", .up, [("Qwen3:8b", 40_960), ("claude-x", nil)])
        var second = backend("box2", .up, [("qwen3:8B", 8192), ("llama:latest", nil), ("llama", 7)])
        first.models[0].isLoaded = false
        second.models[0].isLoaded = true
        second.models[1].isLoaded = false
        let rules = [
            ("gpt-*", "qwen3:8b"), ("fast", "box2/llama"), ("far", "box1/llama"), ("any", "auto"),
            ("no", "what"),
        ].map { Configuration.ModelRule(match: $0.0, use: $0.1) }
        let models = ModelStatus.all(of: [first, second], rules: rules)
        #expect(models.map(\.name) == ["Qwen3:8b", "claude-x", "llama:latest"])
        #expect(models.map(\.backends) == [["box1", "box2"], ["box1"], ["box2"]])
        #expect(models.map(\.contextWindow) == [8192, nil, 7])
        #expect(models.map(\.isLoaded) == [true, nil, nil])
        #expect(
            models.map(\.aliases) == [
                ["claude-local-Qwen3:8b", "gpt-*"], [], ["claude-local-llama:latest", "fast"],
            ])
        #expect(ModelStatus.all(of: [.demo], rules: []).map(\.backends) == [["demo"]])
    }
}
