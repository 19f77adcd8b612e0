// Status for people, for the service manager and as JSON.

import JSON
import Scheduling
import Shared
import Testing

@testable import Supervisor

private func report(_ backends: [BackendStatus], state: String = "running") -> StatusReport {
    var figures = WorkerFigures()
    figures.connections = 4
    figures.exchanges = 1
    figures.served = 5
    var total = figures
    total.served = 105
    total.failed = 2
    total.inputTokens = 9000
    total.outputTokens = 800
    var report = StatusReport(
        pid: 42, state: state, uptimeSeconds: 61, generation: .first,
        listeners: [.init(name: "api", address: "127.0.0.1:8484")],
        workers: [
            .init(
                number: 0, pid: 43, generation: .first, state: "serving", ageSeconds: 3, restarts: 2,
                memoryKiB: 20_480, figures: figures, total: total),
            .init(
                number: 1, pid: 0, generation: .first, state: "restarting", ageSeconds: 0, restarts: 1,
                figures: .init(), total: .init()),
        ], connections: 4, waitingConnections: 3)
    report.backends = backends
    report.models = ModelStatus.all(of: backends, rules: [.init(match: "gpt-*", use: "a")])
    return report
}

private let gpu: BackendStatus = {
    var gpu = BackendStatus(name: "gpu", url: "http://h:1", type: "vllm")
    gpu.view.state = .up
    gpu.view.inFlight = 1
    gpu.view.queued = 2
    gpu.view.requests = 100
    gpu.view.failures = 2
    gpu.limit = 8
    gpu.models = [ModelFacts(id: "a", contextWindow: 8192, isLoaded: true), ModelFacts(id: "b")]
    gpu.openModels = ["b"]
    gpu.automatic = gpu.models.last
    var learned = BackendStatus.Learned(model: "a")
    learned.lacks = ["images", "tools"]
    learned.outputLimit = 8192
    learned.tokensPerThousand = 1160
    gpu.learned = [learned]
    return gpu
}()

private let box: BackendStatus = {
    var box = BackendStatus(name: "box", url: "http://b", type: "ollama")
    box.view.state = .down
    box.view.breaker = .open
    box.view.reason = "connection refused"
    return box
}()

private func whole() -> StatusReport {
    var whole = report([gpu, box])
    whole.queued = 2
    var client = Scheduler.ClientView(name: "key-12ab34cd")
    client.requests = 105
    client.inputTokens = 9000
    client.outputTokens = 800
    client.inFlight = 1
    client.queued = 2
    client.limited = 7
    whole.clients = [client]
    whole.affinity.sessions = 1
    whole.affinity.hits = 90
    whole.affinity.moves = 3
    whole.configurationFile = "/etc/dragoman/dragoman.yaml"
    whole.loadedAt = WallTime(nanoseconds: 1_767_323_045_678_000_000)
    return whole
}

@Suite("Status") struct StatusReportTests {
    @Test("the status line has the real numbers and the backends")
    func statusLine() {
        #expect(
            report([]).line
                == "1/2 workers serving, 4 connections, 1 exchange in flight, 105 served (2 failed), "
                + "3 waiting for a slot, 3 restarts")
        #expect(report([.demo]).line.hasSuffix("; no backend, using the demo"))
        #expect(
            whole().line.hasSuffix(
                "105 served (2 failed), 2 waiting for a backend, 3 waiting for a slot, 3 restarts; gpu up, box down"
            ))
        #expect(report([], state: "draining").line.hasPrefix("draining: 1/2 workers"))
    }

    @Test("the whole as JSON")
    func json() {
        let expected = """
            {"version":"\(dragomanVersion)","pid":42,"state":"running","generation":1,"uptime_s":61,\
            "listeners":[{"name":"api","address":"127.0.0.1:8484"}],"connections":4,"waiting_connections":3,\
            "in_flight":1,"queued":2,"requests":105,"failed":2,"input_tokens":9000,"output_tokens":800,"restarts":3,\
            "workers":[\
            {"number":0,"pid":43,"generation":1,"state":"serving","age_s":3,"connections":4,"in_flight":1,\
            "requests":105,"failed":2,"input_tokens":9000,"output_tokens":800,"restarts":2,"memory_kib":20480},\
            {"number":1,"pid":0,"generation":1,"state":"restarting","age_s":0,"connections":0,"in_flight":0,\
            "requests":0,"failed":0,"input_tokens":0,"output_tokens":0,"restarts":1,"memory_kib":null}],\
            "backends":[\
            {"name":"gpu","url":"http://h:1","type":"vllm","state":"up","breaker":"closed","in_flight":1,"limit":8,\
            "queued":2,"requests":100,"failures":2,"models":[{"name":"a","context_window":8192,"loaded":true},\
            {"name":"b","context_window":null,"loaded":null,"breaker":"open"}],"default_model":"b",\
            "default_context":null,"learned":[{"model":"a","lacks":["images","tools"],"output_limit":8192,\
            "tokens_per_thousand":1160}]},\
            {"name":"box","url":"http://b","type":"ollama","state":"down","breaker":"open",\
            "error":"connection refused","in_flight":0,"limit":null,"queued":0,"requests":0,"failures":0,\
            "models":[],"learned":[]}],\
            "models":[{"name":"a","backends":["gpu"],"context_window":8192,"loaded":true,\
            "aliases":["claude-local-a","gpt-*"]},{"name":"b","backends":["gpu"],"context_window":null,\
            "loaded":null,"aliases":["claude-local-b"]}],\
            "clients":[{"name":"key-12ab34cd","requests":105,"input_tokens":9000,"output_tokens":800,\
            "in_flight":1,"queued":2,"limited":7}],"affinity":{"sessions":1,"hits":90,"moves":3},\
            "configuration":{"file":"/etc/dragoman/dragoman.yaml","loaded_at":"2026-01-02T03:04:05.678Z",\
            "refused":null}}
            """
        #expect(String(decoding: whole().json, as: UTF8.self) == expected)
        let plain = String(decoding: report([]).json, as: UTF8.self)
        #expect(plain.contains(#""configuration":{"file":null,"#))
    }

    @Test("lists are bounded, and say how many more there are")
    func bounds() throws {
        var large = gpu
        large.models = (0..<3000).map { ModelFacts(id: "m\($0)") }
        var full = report([large])
        full.clients = (0..<4096).map { number in
            var client = Scheduler.ClientView(name: "c\(number)")
            client.requests = UInt64(number % 3)
            return client
        }
        let root = try JSONDocument(parsing: full.json).root
        let backend = try #require(root["backends"].items.first)
        #expect(backend["models"].items.count == 100 && backend["models_more"]?.int == 2900)
        #expect(root["models"].items.count == 1000 && root["models_more"]?.int == 2000)
        #expect(root["clients"].items.count == 1000 && root["clients_more"]?.int == 3096)
        // Who asks most comes first.
        #expect(root["clients"].items.allSatisfy { $0["requests"]?.int == 2 })
        #expect(StatusTable(root: root).text.split(separator: "\n").count < 100)
    }

    @Test("in pieces no character is cut, and together they are the whole", arguments: [4, 5, 7, 100])
    func pieces(limit: Int) {
        let text = "aé€😀" + String(repeating: "ü😀", count: 20)
        let pieces = StatusReport.pieces(of: Array(text.utf8), atMost: limit)
        #expect(pieces.joined() == text && pieces.allSatisfy { $0.utf8.count <= limit })
        #expect(StatusReport.pieces(of: []) == [])
    }

    @Test(
        "each who has asked gets the whole answer; of too many the first are forgotten, and those of the dead"
    )
    func questions() {
        var questions = StatusQuestions()
        #expect(questions.askedAt == nil && questions.answers([1]).isEmpty)
        questions.ask(7, by: 1, at: 5)
        questions.ask(8, by: 2, at: 6)
        questions.ask(7, by: 3, at: 7)
        questions.forget(2)
        #expect(questions.askedAt == 5)
        let answers = questions.answers(Array(repeating: 0x20, count: maximumReportBytes + 1))
        #expect(answers.map(\.worker) == [1, 1, 3, 3])
        let isLast = answers.map { answer in
            if case .status(7, let isLast, _) = answer.1 { isLast } else { false }
        }
        #expect(isLast == [false, true, false, true])
        for token in 0..<100 { questions.ask(UInt64(token), by: 1, at: 9) }
        #expect(questions.answers([0x20]).count == StatusQuestions.maximum && questions.askedAt == nil)
    }

    @Test("resident memory as the kernel writes it")
    func memory() {
        func resident(_ text: String) -> Int? { ProcessMemory.resident(statm: Array(text.utf8), pageKiB: 4) }
        #expect(resident("1000 250 3 4 5 6 0\n") == 1000)
        #expect(resident("1000") == nil && resident("") == nil && resident("1 x") == nil)
        #expect(resident("1 \(Int.max)") == nil && ProcessMemory.resident(0) == nil)
    }

    @Test("without a daemon the next step is named")
    func notRunning() {
        #expect(StatusCommand.notRunning(socketListens: true).contains("dragoman.socket is listening"))
        #expect(StatusCommand.notRunning(socketListens: false).contains("`dragoman serve`"))
    }
}

@Suite("Status table") struct StatusTableTests {
    private func table(_ report: StatusReport) throws -> String {
        StatusTable(root: try JSONDocument(parsing: report.json).root).text
    }

    @Test("what is wrong stands first, then all there is")
    func golden() throws {
        #expect(
            try table(whole()) == """
                dragoman \(dragomanVersion), pid 42, running for 1m01s
                problem     1 of 2 workers serve
                problem     gpu is left alone for b after failures
                problem     box is down: connection refused
                listening   127.0.0.1:8484
                now         4 connections, 1 request in flight, 2 waiting for a backend, 3 for a slot
                since start 105 requests, 2 failed, 3 worker restarts
                affinity    1 conversation remembered, 90 requests stayed, 3 moved
                configured  by /etc/dragoman/dragoman.yaml, loaded 2026-01-02T03:04:05.678Z

                worker  state       pid  for  connections  in flight  requests  failed  restarts  memory
                0       serving      43   3s            4          1       105       2         2  20 MiB
                1       restarting    0   0s            0          0         0       0         1       –

                backend  state  breaker  in flight  queued  requests  failed  models
                gpu      up     closed         1/8       2       100       2       2
                box      down   open             0       0         0       0       0
                  gpu is vllm at http://h:1; a Claude name means b
                    learned: a does not take images, tools; answers with 8192 tokens at most; counts 1160 tokens for
                            1000 estimated
                  box is ollama at http://b

                model  backends  also   window  loaded
                a      gpu       gpt-*    8192     yes
                b      gpu                   –       –

                client        requests  in flight  queued  refused  input tokens  output tokens
                key-12ab34cd       105          1       2        7          9000            800
                """)
    }

    @Test("nobody is wrong about a service that has nothing yet, or only the demo")
    func empty() throws {
        var starting = report([], state: "starting")
        starting.workers = []
        let text = try table(starting)
        #expect(text.contains("backend     none known yet") && !text.contains("problem"))
        let demo = try table(report([.demo]))
        #expect(demo.contains("demo is built in") && !demo.contains("no backend can answer"))
        #expect(try table(report([box])).contains("problem     no backend can answer"))
        // Another version's answer, or none of ours.
        #expect(
            StatusTable(root: try JSONDocument(parsing: Array("[1]".utf8)).root).text.contains("dragoman ?"))
    }

    @Test("no line is too wide, whatever things are called, and no name moves the cursor")
    func width() throws {
        var strange = gpu
        let name = "\u{1b}[2J" + String(repeating: "long", count: 70)
        strange.models = (0..<50).map { ModelFacts(id: "\(name)\($0)", contextWindow: .max) }
        strange.view.state = .down
        strange.view.reason = name + " " + name
        strange.learned = (0..<50).map { .init(model: "\(name)\($0)", lacks: ["images", "tools", name]) }
        strange.view.requests = .max
        var all = report(Array(repeating: strange, count: 3))
        all.clients = [Scheduler.ClientView(name: name)]
        let lines = try table(all).split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= StatusTable.width && !$0.contains("\u{1b}") })
        #expect(lines.contains { $0.hasPrefix("and ") })
    }
}
