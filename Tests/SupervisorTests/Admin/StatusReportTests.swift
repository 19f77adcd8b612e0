// Status for people, for the service manager and as JSON.

import JSON
import Shared
import Testing

@testable import Supervisor

@Suite("Status") struct StatusReportTests {
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
}
