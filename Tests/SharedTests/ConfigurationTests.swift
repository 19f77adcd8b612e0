// What a good file means, and that the effective configuration reads back to the same value.

import BackendSettings
import Testing

@testable import Shared

@Suite struct ConfigurationTests {
    static let everything = """
        listen: ["127.0.0.1:8484", "[::1]:8485", unix:/run/dragoman.sock, "localhost:1"]
        workers: 3
        worker_slots: 77
        access: {keys: {file: /etc/keys}}
        hosts: [Gateway.local, 10.0.0.7]
        limits: {header: 16KiB, request_body: 1500000B}
        timeouts: {header: 1s, body: 1m30s, keepalive: 500ms, connect: 2s, first_byte: 1h30m, idle: 90s, hold_status: 0, drain: 1d}
        supervision:
          heartbeat: 200ms
          hung_after: 2s
          restart_delay_max: 5s
        log: {level: debug, format: plain}
        proxy: socks5h://proxy:1080
        backends:
          - &one
            name: gpu1
            url: http://10.0.0.5:8000/v1/
            type: vllm
            priority: 200
            weight: 3
            max_concurrent: 8
            models: ["qwen3:*", "!*embed*"]
            key: {credential: gpu1-key}
            dialect: openai
            think_tags: implicit
            text_calls: off
            history: heal
            tool_calls: sequential
            hold_status: 3s
          - name: far.2
            url: https://openrouter.ai/api/v1
            type: openrouter
            key: {env: ROUTER_KEY}
          - name: "6"
            url: http://[::1]:8080
            num_ctx: 65536
            keep_alive: -1
          - {name: o, url: "http://h", type: openai-compatible, dialect: ollama, keep_alive: 1h30m}
        models:
          - match: "claude-*haiku*"
            use: gpu1/qwen3:4b
          - match: "*\\"ü"
            use: Qwen/Qwen3-8B
          - {match: 'a\\b', use: x}
          - {match: '*', use: auto}
        balance: least-requests
        affinity: {sessions: 10, ttl: 5m}
        health: {interval: 1s, timeout: 500ms, fall: 2, rise: 4}
        breaker: {failures: 3, window: 1m, open: 2s, open_max: 1h}
        failover: {attempts: 5, within: 0}
        queue: {length: 0, wait: 10s}
        """

    static func good(_ text: String) throws -> Configuration {
        switch Configuration.parse(Array(text.utf8), name: "f") {
        case .good(let configuration): return configuration
        case .bad(let mistakes):
            Issue.record("\(mistakes)")
            throw mistakes[0]
        }
    }

    @Test(arguments: ["", "\n", "# nothing\n", "---\n", "~\n", "{}\n", "backends:\nmodels:\nlimits:\n"])
    func nothingMeansDefaults(_ text: String) throws {
        #expect(try Self.good(text) == Configuration())
    }

    @Test func everyKey() throws {
        let read = try Self.good(Self.everything)
        var made = Configuration()
        made.listen = [
            .tcp(host: "127.0.0.1", port: 8484), .tcp(host: "::1", port: 8485),
            .unix(path: "/run/dragoman.sock"), .tcp(host: "127.0.0.1", port: 1),
        ]
        made.workers = .fixed(3)
        made.workerSlots = 77
        made.access = .keys(.file("/etc/keys"))
        made.hosts = ["gateway.local", "10.0.0.7"]
        made.limits.header = 16 << 10
        made.limits.requestBody = 1_500_000
        made.timeouts.header = .seconds(1)
        made.timeouts.body = .seconds(90)
        made.timeouts.keepalive = .milliseconds(500)
        made.timeouts.connect = .seconds(2)
        made.timeouts.firstByte = .seconds(5400)
        made.timeouts.idle = .seconds(90)
        made.timeouts.holdStatus = .zero
        made.timeouts.drain = .seconds(86_400)
        made.supervision.heartbeat = .milliseconds(200)
        made.supervision.hungAfter = .seconds(2)
        made.supervision.restartDelayMax = .seconds(5)
        made.log.level = .debug
        made.log.format = .plain
        made.proxy = "socks5h://proxy:1080"
        var first = Configuration.Backend(name: "gpu1", url: "http://10.0.0.5:8000")
        first.type = .vllm
        first.priority = 200
        first.weight = 3
        first.models = ["qwen3:*", "!*embed*"]
        first.maxConcurrent = 8
        first.key = .credential("gpu1-key")
        first.dialect = .openai
        first.conversion.thinkTags = .implicit
        first.conversion.textCalls = .off
        first.conversion.history = .heal
        first.conversion.toolCalls = .sequential
        first.holdStatus = .seconds(3)
        var second = Configuration.Backend(name: "far.2", url: "https://openrouter.ai/api")
        second.type = .openrouter
        second.key = .environment("ROUTER_KEY")
        var third = Configuration.Backend(name: "6", url: "http://[::1]:8080")
        third.contextWindow = .tokens(65_536)
        third.conversion.keepAlive = .seconds(-1)
        var fourth = Configuration.Backend(name: "o", url: "http://h")
        fourth.type = .openaiCompatible
        fourth.dialect = .ollama
        fourth.conversion.keepAlive = .time("1h30m")
        made.backends = [first, second, third, fourth]
        made.models = [
            .init(match: "claude-*haiku*", use: "gpu1/qwen3:4b"),
            .init(match: "*\"ü", use: "Qwen/Qwen3-8B"), .init(match: "a\\b", use: "x"),
            .init(match: "*", use: "auto"),
        ]
        made.service.balance = .leastRequests
        made.service.affinity?.sessions = 10
        made.service.affinity?.ttl = .seconds(300)
        made.service.health.interval = .seconds(1)
        made.service.health.timeout = .milliseconds(500)
        made.service.health.fall = 2
        made.service.health.rise = 4
        made.service.breaker.failures = 3
        made.service.breaker.window = .seconds(60)
        made.service.breaker.open = .seconds(2)
        made.service.breaker.openMax = .seconds(3600)
        made.service.failover.attempts = 5
        made.service.failover.within = .zero
        made.service.queue.length = 0
        made.service.queue.wait = .seconds(10)
        #expect(read == made)
    }

    @Test func affinityOff() throws {
        for text in ["affinity: off\n", "affinity: \"off\"\n"] {
            #expect(try Self.good(text).service.affinity == nil)
        }
        #expect(try Self.good("affinity:\n").service.affinity == Configuration.Affinity())
    }

    @Test func effectiveTextReadsBack() throws {
        for text in [
            Self.everything, "", "affinity: off\n", "access: open\n", "access: {keys: {credential: k}}\n",
        ] {
            let first = try Self.good(text)
            let written = first.effectiveText()
            #expect(try Self.good(written) == first)
            #expect(try Self.good(written).effectiveText() == written)
        }
    }

    @Test func effectiveTextOfDefaults() {
        #expect(
            Configuration().effectiveText() == """
                listen: ["127.0.0.1:8484"]
                workers: auto
                worker_slots: 1024
                access: loopback
                hosts: []
                limits:
                  header: 64KiB
                  request_body: 32MiB
                timeouts:
                  header: 10s
                  body: 1m
                  keepalive: 1m15s
                  connect: 5s
                  first_byte: 15m
                  idle: 5m
                  hold_status: 8s
                  drain: 10m
                supervision:
                  heartbeat: 1s
                  hung_after: 10s
                  restart_delay_max: 30s
                log:
                  level: info
                  format: auto
                proxy: null
                backends: []
                models: []
                balance: auto
                affinity: {sessions: 65536, ttl: 1h}
                health: {interval: 10s, timeout: 5s, fall: 3, rise: 1}
                breaker: {failures: 5, window: 30s, open: 10s, open_max: 5m}
                failover: {attempts: 3, within: 30s}
                queue: {length: 256, wait: 5m}

                """)
    }

    @Test func effectiveTextOfABackend() throws {
        let text = try Self.good(
            "backends: [{name: a, url: 'http://h/x/v1/', key: {env: KEY}}]\nmodels: [{match: 'c*', use: a/m}]\n"
        ).effectiveText()
        #expect(
            text.hasSuffix(
                """
                backends:
                  - name: "a"
                    url: "http://h/x"
                    type: auto
                    priority: 100
                    weight: 1
                    max_concurrent: null
                    models: []
                    key: {env: "KEY"}
                    dialect: auto
                    think_tags: auto
                    text_calls: auto
                    history: keep
                    tool_calls: parallel
                    hold_status: null
                    num_ctx: auto
                    keep_alive: null
                models:
                  - match: "c*"
                    use: "a/m"
                balance: auto
                affinity: {sessions: 65536, ttl: 1h}
                health: {interval: 10s, timeout: 5s, fall: 3, rise: 1}
                breaker: {failures: 5, window: 30s, open: 10s, open_max: 5m}
                failover: {attempts: 3, within: 30s}
                queue: {length: 256, wait: 5m}

                """))
    }

    @Test(arguments: [
        ("http://h:1", "http://h:1"), ("http://h:1/", "http://h:1"),
        ("HTTPS://H.example/v1", "https://H.example"),
        ("http://h/api/v1//", "http://h/api"), ("http://h/av1", "http://h/av1"),
        ("http://h/v1beta/openai", "http://h/v1beta/openai"), ("http://[::1]:8/v1", "http://[::1]:8"),
        ("http://h/chat", "http://h/chat"), ("http://h/v1/x", "http://h/v1/x"),
    ])
    func baseURL(_ typed: String, _ kept: String) throws {
        #expect(try URLWord.base(typed) == kept)
    }

    @Test(arguments: ["10s", "500ms", "1h30m", "1d", "1m1s1ms", "0s", "5us"])
    func timesReadBack(_ text: String) {
        #expect(TimeWord.parse(text).map(TimeWord.written) == text)
    }

    @Test(arguments: ["", "s", "10", "-1s", "1.5s", "1s ", " 1s", "1S", "1ms1s", "1s1s", "٣s", "1e3s"])
    func noTime(_ text: String) { #expect(TimeWord.parse(text) == nil) }

    @Test(arguments: [
        ("32MiB", 33_554_432), ("1kB", 1000), ("7B", 7), ("1GiB", 1_073_741_824), ("0B", 0),
        ("33000000", 33_000_000),
    ])
    func sizes(_ text: String, _ bytes: Int) {
        #expect(SizeWord.parse(text) == bytes)
        #expect(SizeWord.parse(SizeWord.written(bytes)) == bytes)
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("::ffff:127.0.0.1", true),
        ("0.0.0.0", false),
        ("::", false), ("10.0.0.1", false), ("::ffff:10.0.0.1", false), ("1::1", false), ("fe80::1", false),
    ])
    func loopback(_ host: String, _ expected: Bool) {
        #expect(Configuration.ListenAddress.tcp(host: host, port: 1).isLoopback == expected)
    }

    @Test("a port alone is one of this machine", arguments: ["8484", ":8484", "127.0.0.1:8484"])
    func port(_ text: String) {
        #expect(ListenWord.parse(text) == .tcp(host: "127.0.0.1", port: 8484))
    }

    @Test("what the command line said reaches a worker as it was typed")
    func overridesHandedOver() {
        for overrides in [
            ConfigurationOverrides(), .init(listen: ["8484", "unix:/run/a b=c"], workers: "3"),
        ] {
            let variables = Dictionary(
                uniqueKeysWithValues: overrides.variables.map { variable in
                    let parts = variable.split(separator: "=", maxSplits: 1)
                    return (String(parts[0]), String(parts[1]))
                })
            #expect(ConfigurationOverrides(inherited: { variables[$0] }) == overrides)
        }
    }

    @Test("what only `check` says")
    func hints() throws {
        #expect(Configuration().hints.isEmpty)
        let hints = try Self.good(
            """
            listen: [":1"]
            backends: [{name: gpu1, url: 'http://h'}]
            models:
              - {match: a, use: nope/qwen}
              - {match: b, use: gpu1/qwen}
              - {match: c, use: qwen}
            """
        ).hints
        #expect(hints.map { $0.prefix(14) } == ["listen is igno", "models[0].use:"])
    }

    @Test func notes() throws {
        let text =
            "backends: [{name: o, url: 'http://h', type: ollama, dialect: openai}, {name: v, url: 'http://h', type: ollama}, {name: a, url: 'http://h', type: ollama, dialect: anthropic}]\n"
        let notes = try Self.good(text).notes
        #expect(notes.map { $0.prefix(24) } == ["backend o: Ollama silent", "backend a: Ollama silent"])
        #expect(Configuration().notes.isEmpty)
    }

    @Test(arguments: [
        ("worker", "workers"), ("WORKERS", "workers"), ("wrokers", "workers"), ("xx", nil), ("", nil),
        ("timeuots", "timeouts"),
    ])
    func nearest(_ typed: String, _ expected: String?) {
        #expect(Nearest.name(to: typed, among: ["listen", "workers", "timeouts"]) == expected)
    }

    @Test(arguments: [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("kitten", "sitting", 3), ("A", "a", 0)])
    func distance(_ left: String, _ right: String, _ edits: Int) {
        #expect(Nearest.distance(left, right) == edits)
        #expect(Nearest.distance(right, left) == edits)
    }
}
