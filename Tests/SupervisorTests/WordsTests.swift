// What people type and read: the command line, obituaries, status, the lines on the terminal.

import JSON
import Shared
import Testing

@testable import Supervisor

@Suite("Command line") struct ArgumentTests {
    private static func serve(
        _ configuration: String? = nil, _ listen: [String] = [], _ workers: String? = nil
    ) -> Command {
        .serve(configuration: configuration, listen: listen, workers: workers)
    }

    static let good: [([String], Command)] = [
        ([], serve()), (["serve"], serve()),
        (["--listen", "a:1", "--listen=b:2"], serve(nil, ["a:1", "b:2"])),
        (["serve", "--config", "f", "--workers=3"], serve("f", [], "3")),
        (["check", "--config=/x=y"], .check(configuration: "/x=y")), (["check"], .check(configuration: nil)),
        (["status"], .status(json: false)), (["status", "--json"], .status(json: true)),
        (["--version"], .version), (["serve", "--help"], .help), (["-h"], .help), (["help"], .help),
    ]

    @Test("what is understood", arguments: good)
    func understood(arguments: [String], command: Command) throws {
        #expect(try Command.parse(arguments) == command)
    }

    static let bad: [([String], String)] = [
        (["reload"], "not supported in this version"), (["doctor"], "not supported in this version"),
        (["dance"], "unknown command"), (["--listen"], "needs a value"), (["--frobnicate"], "does not know"),
        (["status", "--config", "x"], "does not know"), (["serve", "extra"], "does not know"),
        (["--config", "a", "--config", "b"], "twice"), (["status", "--json=yes"], "does not know"),
        (["--workers", "1", "--workers", "2"], "twice"),
    ]

    @Test("what is refused, and why", arguments: bad)
    func refused(arguments: [String], reason: String) throws {
        let mistake = #expect(throws: UsageMistake.self) { try Command.parse(arguments) }
        #expect(mistake?.text.contains(reason) == true, "\(mistake?.text ?? "")")
    }
}

@Suite("Texts") struct TextTests {
    @Test("signals have their names")
    func signals() {
        #expect(signalName(9) == "SIGKILL")
        #expect(signalName(11) == "SIGSEGV")
        #expect(signalName(40) == "signal 40")
    }

    @Test("when the successor starts")
    func restartText() {
        func text(_ restart: Duration?) -> String {
            Obituary(
                worker: 0, pid: 1, age: .zero, served: 0, connections: 0, ending: .signalled(9),
                killedFor: nil, restart: restart, wasClean: false
            ).restartText
        }
        #expect(text(.zero) == "now")
        #expect(text(.milliseconds(400)) == "in 400ms")
        #expect(text(nil) == "never")
    }

    @Test("the lines for Claude Code name the window when it is known, and never a key")
    func hints() {
        let open = Progress.hints(base: "http://127.0.0.1:8484", access: .loopback, context: 32_768)
        #expect(open.contains("  export ANTHROPIC_BASE_URL=http://127.0.0.1:8484"))
        #expect(open.contains("  export ANTHROPIC_AUTH_TOKEN=dragoman"))
        #expect(open.contains("  export CLAUDE_CODE_MAX_CONTEXT_TOKENS=32768"))
        let keyed = Progress.hints(base: "http://h", access: .keys(.environment("K")), context: nil)
        #expect(!keyed.contains { $0.contains("MAX_CONTEXT") })
        #expect(keyed.contains { $0.contains("one of your keys") })
    }

    @Test("a terminal is told of backends once, and later only what has changed")
    func progress() {
        func json(_ name: String, _ state: String, _ window: Int) -> String {
            #"{"name":"\#(name)","url":"u","type":"vllm","state":"\#(state)","#
                + #""models":[{"id":"m","context":\#(window)}],"default_model":"m"}"#
        }
        var told: [String] = []
        let progress = Progress(isOn: true, access: .loopback) { told.append($0) }
        func said(_ reports: String...) -> [String] {
            told = []
            for report in reports { progress.backends("[\(report)]") }
            return told.flatMap { $0.split(separator: "\n").map(String.init) }
        }
        #expect(said(json("a", "up", 1)).isEmpty)
        progress.ready(["127.0.0.1:1"], base: "http://127.0.0.1:1")
        #expect(told.joined().contains("listening on 127.0.0.1:1\n"))
        #expect(told.joined().contains("backend a u (vllm) is up: m (1 tokens)\n"))
        #expect(told.joined().contains("export CLAUDE_CODE_MAX_CONTEXT_TOKENS=1\n"))
        // One more, of less preference: only that.
        #expect(
            said(json("a", "up", 1) + "," + json("b", "up", 2)) == ["backend b u (vllm) is up: m (2 tokens)"])
        // Another one answers: its window, not all the lines again.
        #expect(
            said(json("a", "down", 1) + "," + json("b", "up", 2)) == [
                "backend a u (vllm) is down: no reason known",
                "  export CLAUDE_CODE_MAX_CONTEXT_TOKENS=2   # b answers now",
            ])
        #expect(said("") == ["no backend answers"])
        #expect(said("", "").isEmpty)
    }

    private func report(backends: String) -> StatusReport {
        var figures = WorkerFigures()
        figures.connections = 4
        figures.exchanges = 1
        figures.served = 5
        var total = figures
        total.served = 105
        total.failed = 2
        return StatusReport(
            pid: 42, state: "running", uptimeSeconds: 61,
            listeners: [.init(name: "api", address: "127.0.0.1:8484")],
            workers: [
                .init(
                    number: 0, pid: 43, state: "serving", ageSeconds: 3, restarts: 2, figures: figures,
                    total: total),
                .init(
                    number: 1, pid: 0, state: "restarting", ageSeconds: 0, restarts: 1, figures: .init(),
                    total: .init()),
            ], connections: 4, lobby: 3, backends: backends)
    }

    @Test("the status line has the real numbers")
    func statusLine() {
        #expect(
            report(backends: "[]").line
                == "1/2 workers serving, 4 connections, 1 exchanges in flight, 105 served (2 failed), "
                + "3 waiting for a slot, 3 restarts")
    }

    @Test("status as JSON, with the workers' own report of the backends in it as it came")
    func statusJSON() throws {
        let backends =
            #"[{"name":"g","url":"http://h:1","type":"vllm","state":"up","#
            + #""models":[{"id":"a","context":8192},{"id":"b"}],"default_model":"b","#
            + #""learnt":[{"model":"a","lacks":["images","tools"],"tokens_per_thousand":1160},{"model":"b"}]}]"#
        let root = try JSONDocument(parsing: report(backends: backends).json).root
        #expect(root["pid"]?.int == 42 && root["lobby"]?.int == 3 && root["restarts"]?.int == 3)
        #expect(root["served"]?.int == 105 && root["failed"]?.int == 2)
        let workers = root["workers"].items
        #expect(workers.map { $0["state"]?.string } == ["serving", "restarting"])
        #expect(workers.map { $0["served"]?.int } == [105, 0])
        #expect(
            root["backends"].items.first.map { String(decoding: $0.raw, as: UTF8.self) }
                == String(backends.dropFirst().dropLast()))
        let table = StatusCommand.table(root)
        #expect(table.contains("dragoman \(dragomanVersion), pid 42, running for 1m01s"))
        #expect(
            StatusCommand.table(try JSONDocument(parsing: report(backends: "[]").json).root)
                .contains("backend     none known yet"))
        #expect(table.contains("backend     g http://h:1 (vllm) is up: a (8192 tokens), b"))
        #expect(
            table.hasSuffix(
                "\n  learnt    a does not take images, tools; counts 1160 tokens for 1000 estimated"))
    }

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

    @Test("a backend in one line, and the window of the model that answers", arguments: summaries)
    func summary(json: String, line: String, context: Int?) throws {
        let summary = BackendSummary(try JSONDocument(parsing: Array(json.utf8)).root)
        #expect(summary.line == line && summary.defaultContext == context)
    }
}
