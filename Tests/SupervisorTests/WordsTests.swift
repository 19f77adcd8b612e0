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
        (["-v"], .version), (["help", "serve"], .help),
        (["check", "/etc/f"], .check(configuration: "/etc/f")),
        (["translate", "--help", "-"], .translate(["--help", "-"])), (["translate"], .translate([])),
    ]

    @Test("what is understood", arguments: good)
    func understood(arguments: [String], command: Command) throws {
        #expect(try Command.parse(arguments) == command)
    }

    static let bad: [([String], String)] = [
        (["reload"], "not supported in this version"), (["doctor"], "not supported in this version"),
        (["dance"], "unknown command `dance`"), (["stauts"], "did you mean `status`?"),
        (["--listen"], "needs a value"), (["--frobnicate"], "unknown option `--frobnicate` for `serve`"),
        (["status", "--config", "x"], "unknown option `--config` for `status`"),
        (["serve", "extra"], "unknown argument `extra` for `serve`"),
        (["--config", "a", "--config", "b"], "twice"), (["status", "--json=yes"], "unknown argument `=yes`"),
        (["--workers", "1", "--workers", "2"], "twice"), (["check", "a", "b"], "one file"),
        (["check", "--config", "a", "b"], "one file"), (["help", "dance"], "unknown argument"),
    ]

    @Test("what is refused, and why", arguments: bad)
    func refused(arguments: [String], reason: String) throws {
        let mistake = #expect(throws: UsageMistake.self) { try Command.parse(arguments) }
        #expect(mistake?.text.contains(reason) == true, "\(mistake?.text ?? "")")
    }

    @Test("the help fits into a terminal")
    func help() { #expect(Command.usage.split(separator: "\n").allSatisfy { $0.count <= Wording.width }) }
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
                worker: 0, number: 0, pid: 1, age: .zero, served: 0, connections: 0, ending: .signalled(9),
                killedFor: nil, restart: restart, wasClean: false
            ).restartText
        }
        #expect(text(.zero) == "now")
        #expect(text(.milliseconds(400)) == "in 400ms")
        #expect(text(nil) == "never")
    }

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

    private func report(backends: String) -> StatusReport {
        var figures = WorkerFigures()
        figures.connections = 4
        figures.exchanges = 1
        figures.served = 5
        var total = figures
        total.served = 105
        total.failed = 2
        return StatusReport(
            pid: 42, state: "running", uptimeSeconds: 61, generation: .first,
            listeners: [.init(name: "api", address: "127.0.0.1:8484")],
            workers: [
                .init(
                    number: 0, pid: 43, state: "serving", ageSeconds: 3, restarts: 2, figures: figures,
                    total: total),
                .init(
                    number: 1, pid: 0, state: "restarting", ageSeconds: 0, restarts: 1, figures: .init(),
                    total: .init()),
            ], connections: 4, queue: 3, backends: backends,
            backendsLine: BackendSummary.line(of: BackendSummary.all(in: backends)))
    }

    @Test("the status line has the real numbers and the backends")
    func statusLine() {
        #expect(
            report(backends: "[]").line
                == "1/2 workers serving, 4 connections, 1 exchange in flight, 105 served (2 failed), "
                + "3 waiting for a slot, 3 restarts")
        func line(_ backends: String) -> Substring {
            report(backends: backends).line.split(separator: ";")[1]
        }
        #expect(line(#"[{"name":"demo","type":"demo","state":"demo"}]"#) == " no backend, using the demo")
        let many = (0..<6).map { #"{"name":"b\#($0)","type":"vllm","state":"\#($0 < 2 ? "up" : "down")"}"# }
        #expect(
            line("[\(many.joined(separator: ","))]") == " b0 up, b1 up, b2 down, b3 down, 2 more")
    }

    @Test("status fits into a terminal")
    func statusWidth() throws {
        let models = (0..<6).map { #"{"id":"some-model-name-\#($0):8b","context":40960}"# }
        let backends =
            #"[{"name":"g","url":"http://h:1","type":"vllm","state":"up","models":[\#(models.joined(separator: ","))],"#
            + #""learnt":[{"model":"\u001b[2J","lacks":["images","tools","reasoning_effort","json_schema"]}]}]"#
        let table = StatusCommand.table(try JSONDocument(parsing: report(backends: backends).json).root)
        #expect(table.split(separator: "\n").allSatisfy { $0.count <= Wording.width }, "\(table)")
        #expect(!table.contains("\u{1b}"))
        #expect(
            table.contains(
                """
                now         4 connections, 1 exchange in flight, 3 waiting for a slot
                since start 105 served, 2 failed, 3 worker restarts
                worker  pid       state  for  connections  in flight  served  failed  restarts
                0        43     serving   3s            4          1     105       2         2
                1         0  restarting   0s            0          0       0       0         1
                """), "\(table)")
    }

    @Test("without a daemon the next step is named")
    func notRunning() {
        #expect(StatusCommand.notRunning(socketListens: true).contains("dragoman.socket is listening"))
        #expect(StatusCommand.notRunning(socketListens: false).contains("`dragoman serve`"))
    }

    @Test("status as JSON, with the workers' own report of the backends in it as it came")
    func statusJSON() throws {
        let backends =
            #"[{"name":"g","url":"http://h:1","type":"vllm","state":"up","#
            + #""models":[{"id":"a","context":8192},{"id":"b"}],"default_model":"b","#
            + #""learnt":[{"model":"a","lacks":["images","tools"],"output_limit":8192,"tokens_per_thousand":1160},{"model":"b"}]}]"#
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
                "\n  learnt    a does not take images, tools; answers with 8192 tokens at most;\n"
                    + "            counts 1160 tokens for 1000 estimated"))
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
