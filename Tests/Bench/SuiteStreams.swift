// Phases of the suite with many streams, with clients that leave, with workers and services that end.

import CSystem
import Glibc

extension Suite {
    // MARK: many streams at a human pace

    func paced() throws {
        let seconds = quick ? 4 : 12
        var cost: [Subject: Double] = [:]
        var memory: [Subject: Double] = [:]
        var gaps: [Subject: Double] = [:]
        var failed = 0.0
        for subject in Subject.allCases {
            let tree = bed.tree(subject)
            let before = (cpu: tree?.cpuSeconds ?? 0, memory: tree?.memory ?? 0)
            var peak = before.memory
            let load = try bed.beginLoad(
                [subject],
                [
                    "--mode", "once", "--connections", String(streams), "--ramp", "2", "--tokens",
                    String(seconds * 20),
                    "--delay-ms", "50", "--size", "2000", "--timeout", String(seconds * 2 + 10),
                ])
            let report = try bed.finish(load) { peak = max(peak, tree?.memory ?? 0) }
            cost[subject] = ((tree?.cpuSeconds ?? 0) - before.cpu) * 1e6 / report.figure("tokens")
            memory[subject] = (peak - before.memory) * 1000 / Double(streams)
            gaps[subject] = report.figure("gap_p99_ms")
            if subject == .dragoman { failed = report.figure("failed") }
            findings.record("paced_\(subject.rawValue)", raw: report.text)
            say(
                "\(streams) streams \(subject.rawValue): \(report.figure("failed").fixed(0)) failed \(report.errors), "
                    + "\((cost[subject] ?? 0).fixed(1)) µs per event, gap p99 \((gaps[subject] ?? 0).fixed(1)) ms, "
                    + "first token p50 \(report.figure("ttft_p50_ms").fixed(1)) p99 \(report.figure("ttft_p99_ms").fixed(1)) ms, "
                    + "+\((memory[subject] ?? 0).short) MB per 1000")
        }
        let nginx = (gap: gaps[.nginx] ?? .nan, memory: memory[.nginx] ?? .nan)
        let direct = gaps[.direct] ?? .nan
        findings.add(
            .init(
                metric: "CPU per event at 20 tokens/s, µs", direct: cost[.direct] ?? .nan,
                nginx: cost[.nginx] ?? .nan,
                dragoman: cost[.dragoman] ?? .nan, target: .timesNginx(2), goal: .timesNginx(1.3),
                note: "\(streams) streams"))
        findings.add(
            .init(
                metric: "\(streams) streams: failed", dragoman: failed, target: .atMost(0), goal: .atMost(0)))
        findings.add(
            .init(
                metric: "\(streams) streams: gap p99, ms", direct: direct, nginx: nginx.gap,
                dragoman: gaps[.dragoman] ?? .nan, target: .atMost(direct + 10), note: "direct + 10"))
        findings.add(
            .init(
                metric: "memory per 1000 streams, MB", nginx: nginx.memory,
                dragoman: memory[.dragoman] ?? .nan,
                target: .atMost(50), goal: .atMost(16)))
    }

    // MARK: the client leaves

    func cancel() throws {
        let cases: [(name: String, stream: Bool, directive: Directive)] = [
            ("mid-stream", true, directive(tokens: 1000, delay: 20, first: 0)),
            ("before the first token", true, directive(tokens: 5, delay: 0, first: 6000)),
            ("not streamed", false, directive(tokens: 5, delay: 0, first: 6000)),
        ]
        var id = 1
        for entry in cases {
            var worst: [Subject: Double] = [:]
            for subject in [Subject.nginx, .dragoman] {
                for _ in 0..<3 {
                    var asked = entry.directive
                    asked.id = id
                    id += 1
                    let time = try leave(subject, stream: entry.stream, asked)
                    worst[subject] = max(worst[subject] ?? 0, time)
                }
            }
            findings.add(
                .init(
                    metric: "client gone, \(entry.name), ms", nginx: worst[.nginx] ?? .nan,
                    dragoman: worst[.dragoman] ?? .nan, target: .atMost(5), goal: .atMost(2),
                    note: "worst of 3"))
            say(
                "client gone \(entry.name): \((worst[.dragoman] ?? .nan).fixed(2)) ms (nginx \((worst[.nginx] ?? .nan).fixed(2)))"
            )
        }
    }

    private func directive(tokens: Int, delay: Int, first: Int) -> Directive {
        var directive = Directive()
        directive.tokens = tokens
        directive.delayMilliseconds = delay
        directive.firstMilliseconds = first
        return directive
    }

    /// Milliseconds from the client's close to the mock's notice; infinite when not within three seconds.
    private func leave(_ subject: Subject, stream: Bool, _ asked: Directive) throws -> Double {
        let port = bed.port(subject)
        var client = OneShot(port: port)
        let request = RequestBodies.request(
            dialect: subject.dialect, port: port, stream: stream, size: 300, directive: asked)
        guard client?.send(request) == true else { return .infinity }
        if asked.firstMilliseconds == 0 {
            guard client?.read(until: "data: {", times: 5) == true else { return .infinity }
        } else {
            try bed.pause(0.2)
        }
        let closed = cs_now()
        client = nil
        for _ in 0..<300 {
            usleep(10_000)
            guard let answer = OneShot.get("/bench/stats?id=\(asked.id)", port: bed.port(.direct)) else {
                continue
            }
            let json = answer.body.span
            let state = JSONScan.member("state", of: 0, in: json)
            if JSONScan.isString("left", at: state, in: json),
                let at = JSONScan.number(at: JSONScan.member("at_ns", of: 0, in: json), in: json)
            {
                return max(0, Double(at) - Double(closed)) / 1e6
            }
            if JSONScan.isString("finished", at: state, in: json) { break }
        }
        return .infinity
    }

    // MARK: deaths

    /// 50 small requests a second whatever happens, and 20 streams of two seconds one after the other.
    private func underLoad(_ seconds: Double, _ action: () throws -> Void) throws -> (
        unary: LoadReport, streams: LoadReport
    ) {
        let unary = try bed.beginLoad(
            [.dragoman],
            [
                "--mode", "open", "--rate", "50", "--seconds", seconds.fixed(1), "--whole", "--first-ms",
                "20", "--timeout", "8",
            ])
        let streams = try bed.beginLoad(
            [.dragoman],
            [
                "--mode", "closed", "--connections", "20", "--ramp", "1", "--seconds", seconds.fixed(1),
                "--tokens", "100",
                "--delay-ms", "20", "--timeout", "8",
            ])
        try bed.pause(seconds * 0.4)
        try action()
        return (try bed.finish(unary), try bed.finish(streams))
    }

    func kill() throws {
        guard let tree = bed.tree(.dragoman) else { return }
        var held = 0
        let reports = try underLoad(5) {
            guard let victim = tree.busiestChild else { throw BenchError("Dragoman has no worker processes") }
            held = ProcessTree.connections(of: victim, port: bed.port(.dragoman))
            Glibc.kill(victim, SIGKILL)
        }
        try addDeath("worker killed", reports, allowed: held)
    }

    func restart() throws {
        _ = try bed.start(.dragoman, activated: true)
        let reports = try underLoad(6) {
            bed.child(.dragoman)?.end(with: SIGTERM, patience: 10)
            _ = try bed.start(.dragoman, activated: true)
        }
        try addDeath("restart", reports, allowed: 0)
    }

    private func addDeath(
        _ name: String, _ reports: (unary: LoadReport, streams: LoadReport), allowed: Int
    ) throws {
        let both = [reports.unary, reports.streams]
        let refused = both.reduce(0) { $0 + $1.failures(["refused", "status"]) }
        let failed = both.reduce(0.0) { $0 + $1.figure("failed") }
        let total = both.reduce(0.0) { $0 + $1.figure("requests") }
        findings.record("\(name)_unary", raw: reports.unary.text)
        findings.record("\(name)_streams", raw: reports.streams.text)
        findings.add(
            .init(
                metric: "\(name) under load: refused", dragoman: Double(refused), target: .atMost(0),
                goal: .atMost(0)))
        findings.add(
            .init(
                metric: "\(name) under load: failed in all", dragoman: failed,
                target: .atMost(Double(allowed)),
                goal: allowed == 0 ? .atMost(0) : nil,
                note: allowed > 0
                    ? "\(allowed) connections on that worker; \(total.fixed(0)) requests"
                    : "of \(total.fixed(0))"))
        say(
            "\(name): \(failed.fixed(0)) of \(total.fixed(0)) failed; unary \(reports.unary.errors) streams \(reports.streams.errors)"
        )
    }
}
