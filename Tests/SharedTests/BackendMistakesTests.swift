// One row per mistake an operator can make in backends and models: the text, and what `check` prints for it.

import Testing

@testable import Shared

private let row = "backends: [{name: a, url: 'http://h:1'"

@Suite struct BackendMistakesTests {
    @Test(arguments: [
        // Backends
        ("backends: {name: a}\n", "f:1: backends: expected a list, found a mapping"),
        ("backends: [http://h]\n", "f:1: backends[0]: expected a mapping with name and url, found http://h"),
        ("backends:\n  - url: http://h\n", "f:2: backends[0].name: expected a value, found none"),
        ("backends:\n  - name: a\n", "f:2: backends[0].url: expected a value, found none"),
        (
            "backends: [{name: -a, url: 'http://h'}]\n",
            "f:1: backends[0].name: expected \(ConfigurationReader.nameExpected), found -a"
        ),
        (
            "backends: [{name: auto, url: 'http://h'}]\n",
            "f:1: backends[0].name: expected \(ConfigurationReader.nameExpected), found auto"
        ),
        (
            "backends: [{name: a/b, url: 'http://h'}]\n",
            "f:1: backends[0].name: expected \(ConfigurationReader.nameExpected), found a/b"
        ),
        (
            "backends:\n  - {name: a, url: 'http://h'}\n  - {name: A, url: 'http://h'}\n",
            "f:3: backends[1].name: duplicate name A (already used by backends[0])"
        ),
        (
            "backends: [{name: a, url: 'h:80'}]\n",
            "f:1: backends[0].url: expected a URL with http or https, found \"h:80\""
        ),
        (
            "backends: [{name: a, url: 'http://'}]\n",
            "f:1: backends[0].url: expected a host name or address, with or without :port, found \"http://\""
        ),
        (
            "backends: [{name: a, url: 'http://h:0'}]\n",
            "f:1: backends[0].url: expected a host name or address, with or without :port, found \"http://h:0\""
        ),
        (
            "backends: [{name: a, url: 'http://h/?a=1'}]\n",
            "f:1: backends[0].url: expected a URL without ? and #, found something else (not shown)"
        ),
        (
            "backends: [{name: a, url: 'http://h/v1/chat/completions'}]\n",
            "f:1: backends[0].url: expected the base URL alone, without the path of one call, found \"http://h/v1/chat/completions\""
        ),
        (
            "backends: [{name: a, url: 'http://h/v1/v1'}]\n",
            "f:1: backends[0].url: expected /v1 once at most, found \"http://h/v1/v1\""
        ),
        (
            "backends: [{name: a, url: 'http://u:p@h'}]\n",
            "f:1: backends[0].url: expected a URL without user and password, found one with (not shown)"
        ),
        (
            "\(row), type: vlm}]\n",
            "f:1: backends[0].type: expected one of ollama, vllm, llamacpp, lmstudio, sglang, openai, openrouter, deepseek, groq, together, fireworks, mistral, gemini, anthropic, openai-compatible, auto (nearest: vllm), found vlm"
        ),
        (
            "\(row), type: vllm, dialect: ollama}]\n",
            "f:1: backends[0].dialect: expected auto or openai or anthropic with type vllm, found ollama"
        ),
        (
            "\(row), type: ollama, num_ctx: 100}]\n",
            "f:1: backends[0].num_ctx: expected auto or 512…16777216, found 100"
        ),
        (
            "\(row), num_ctx: 64k}]\n",
            "f:1: backends[0].num_ctx: expected auto or 512…16777216, found 64k"
        ),
        (
            "\(row), type: llamacpp, num_ctx: auto}]\n",
            "f:1: backends[0].num_ctx: expected nothing here (only Ollama's own dialect takes num_ctx), found auto"
        ),
        (
            "\(row), type: ollama, dialect: openai, keep_alive: 10m}]\n",
            "f:1: backends[0].keep_alive: expected nothing here (only Ollama's own dialect takes keep_alive), found 10m"
        ),
        (
            "\(row), type: ollama, keep_alive: 1d}]\n",
            "f:1: backends[0].keep_alive: expected a time such as 10m, seconds, -1 (for ever) or null, found 1d"
        ),
        (
            "\(row), type: ollama, keep_alive: -2}]\n",
            "f:1: backends[0].keep_alive: expected a time such as 10m, seconds, -1 (for ever) or null, found -2"
        ),
        (
            "\(row), type: gemini, dialect: anthropic}]\n",
            "f:1: backends[0].dialect: expected auto or openai with type gemini, found anthropic"
        ),
        (
            "\(row), type: anthropic, dialect: openai}]\n",
            "f:1: backends[0].dialect: expected auto or anthropic with type anthropic, found openai"
        ),
        ("\(row), weight: 0}]\n", "f:1: backends[0].weight: expected 1…100, found 0"),
        ("\(row), weight: 101}]\n", "f:1: backends[0].weight: expected 1…100, found 101"),
        ("\(row), priority: high}]\n", "f:1: backends[0].priority: expected 0…1000, found high"),
        ("\(row), priority: 1001}]\n", "f:1: backends[0].priority: expected 0…1000, found 1001"),
        ("\(row), models: qwen3}]\n", "f:1: backends[0].models: expected a list, found qwen3"),
        (
            "\(row), models: [qwen3, '!']}]\n",
            "f:1: backends[0].models[1]: expected a model's name or pattern, `!` in front to exclude it, "
                + "found \"!\""
        ),
        (
            "\(row), models: ['a b']}]\n",
            "f:1: backends[0].models[0]: expected a model's name or pattern, `!` in front to exclude it, "
                + "found \"a b\""
        ),
        ("\(row), max_concurrent: 0}]\n", "f:1: backends[0].max_concurrent: expected 1…1000000, found 0"),
        (
            "\(row), think_tags: on}]\n",
            "f:1: backends[0].think_tags: expected one of auto, implicit, off, found on"
        ),
        (
            "\(row), text_calls: yes}]\n",
            "f:1: backends[0].text_calls: expected one of auto, on, off, found yes"
        ),
        (
            "\(row), text_calls: onn}]\n",
            "f:1: backends[0].text_calls: expected one of auto, on, off (nearest: on), found onn"
        ),
        (
            "\(row), type: anthropic, text_calls: on}]\n",
            "f:1: backends[0].text_calls: expected auto or off with dialect anthropic, found on"
        ),
        (
            "\(row), history: heall}]\n",
            "f:1: backends[0].history: expected one of keep, heal (nearest: heal), found heall"
        ),
        (
            "\(row), tool_calls: 1}]\n",
            "f:1: backends[0].tool_calls: expected one of parallel, sequential, found 1"
        ),
        (
            "\(row), type: anthropic, history: heal, tool_calls: parallel}]\n",
            "f:1: backends[0].history: expected keep with dialect anthropic, found heal"
        ),
        (
            "\(row), dialect: anthropic, tool_calls: sequential, history: keep}]\n",
            "f:1: backends[0].tool_calls: expected parallel with dialect anthropic, found sequential"
        ),
        (
            "\(row), hold_status: 8}]\n",
            "f:1: backends[0].hold_status: expected a time such as 10s, 0s…1d, found 8"
        ),
        (
            "\(row), key: sk-very-secret}]\n",
            "f:1: backends[0].key: expected {credential: NAME} or {file: PATH} or {env: NAME}, found something else (not shown)"
        ),
        (
            "\(row), key: {value: sk-very-secret}}]\n",
            "f:1: backends[0].key: expected {credential: NAME} or {file: PATH} or {env: NAME}, found other keys (not shown)"
        ),
        (
            "\(row), key: {env: sk-very-secret}}]\n",
            "f:1: backends[0].key.env: expected a variable's name (letters, digits, `_`), found something else (not shown)"
        ),
        (
            "\(row), key: {credential: ../../etc/shadow}}]\n",
            "f:1: backends[0].key.credential: expected a credential's name without slashes, found something else (not shown)"
        ),
        (
            "\(row), key: {file: relative}}]\n",
            "f:1: backends[0].key.file: expected an absolute path, found something else (not shown)"
        ),
        // Models
        ("models: [{match: a}]\n", "f:1: models[0].use: expected a value, found none"),
        ("models: [{use: a}]\n", "f:1: models[0].match: expected a value, found none"),
        (
            "models: [{match: '', use: a}]\n",
            "f:1: models[0].match: expected a model's name or pattern, 1…256 visible characters, found \"\""
        ),
        (
            "models: [{match: a, use: 'b*'}]\n",
            "f:1: models[0].use: expected a model's name or pattern, 1…256 visible characters, found \"b*\""
        ),
        (
            "models:\n  - {match: 'claude-*', use: auto}\n  - {match: 'Claude-*', use: x}\n",
            "f:3: models[1].match: duplicate pattern Claude-* (models[0] always matches first)"
        ),
        (
            "backends: [{name: gpu1, url: 'http://h'}]\nmodels:\n  - match: x\n    use: gpu2/qwen\n",
            "f:4: models[0].use: expected a backend's name before the slash (nearest: gpu1), found gpu2"
        ),
        // Not in this version
        (
            "balance: fair\n",
            "f:1: balance: expected one of auto, least-requests, round-robin, priority, found fair"
        ),
        (
            "balance: round_robin\n",
            "f:1: balance: expected one of auto, least-requests, round-robin, priority (nearest: round-robin), found round_robin"
        ),
        (
            "affinity: on\n",
            "f:1: affinity: expected off or {sessions: N, ttl: TIME}, found on"
        ),
        (
            "affinity: {sessions: 0}\n",
            "f:1: affinity.sessions: expected 1…1000000, found 0"
        ),
        (
            "affinity: {ttl: 1ms}\n",
            "f:1: affinity.ttl: expected a time such as 10s, 1s…1d, found 1ms"
        ),
        (
            "health: {intervall: 10s}\n",
            "f:1: health.intervall: expected a known key (nearest: interval), found intervall"
        ),
        (
            "health: {interval: 1ms}\n",
            "f:1: health.interval: expected a time such as 10s, 100ms…1h, found 1ms"
        ),
        (
            "health: {fall: 0}\n",
            "f:1: health.fall: expected 1…100, found 0"
        ),
        (
            "breaker: {failures: 0}\n",
            "f:1: breaker.failures: expected 1…1000, found 0"
        ),
        (
            "breaker: {open: 10m}\n",
            "f:1: breaker.open_max: expected at least `open` (10m), found 5m"
        ),
        (
            "failover: {attempts: 0}\n",
            "f:1: failover.attempts: expected 1…64, found 0"
        ),
        (
            "failover: {within: soon}\n",
            "f:1: failover.within: expected a time such as 10s, 0s…1d, found soon"
        ),
        (
            "queue: {length: 10001}\n",
            "f:1: queue.length: expected 0…10000, found 10001"
        ),
        (
            "queue: {wait: -1s}\n",
            "f:1: queue.wait: expected a time such as 10s, 0s…1d, found -1s"
        ),
        (
            "queue: [1]\n",
            "f:1: queue: expected a mapping with length, …, found a list"
        ),
    ])
    func oneMistake(_ text: String, _ expected: String) {
        #expect(ConfigurationMistakesTests.mistakes(text) == [expected])
    }
}
