// The suite: every figure of the project's table in one run, Dragoman interleaved with nginx as a plain
// proxy and with the bare mock. Phases are bounded; the whole run stays under four minutes.

import CSystem
import Glibc

final class Suite {
    let bed: Bed
    var findings = Findings()
    let streams: Int
    /// Shorter slices, for a look in between; not for the record.
    let quick: Bool
    private let only: Set<String>

    static let phases = [
        "startup", "small", "burst", "batch", "logged", "fleet", "size", "paced", "cancel", "kill", "restart",
    ]

    private init(_ options: Options) throws {
        try options.check(known: ["dragoman", "nginx", "only", "streams", "results", "quick", "verbose"])
        quick = options.has("quick")
        streams = try options.number("streams", or: 1000, in: 10...20_000)
        only = Set(options.text("only")?.split(separator: ",").map(String.init) ?? Self.phases)
        if let unknown = only.first(where: { !Self.phases.contains($0) }) {
            throw BenchError("unknown phase \(unknown); there are \(Self.phases.joined(separator: ", "))")
        }
        bed = try Bed(
            dragoman: options.text("dragoman") ?? ".build/release/dragoman",
            nginx: options.text("nginx") ?? "/usr/sbin/nginx", streams: streams,
            verbose: options.has("verbose"))
    }

    static func run(_ options: Options) throws {
        let suite = try Suite(options)
        defer { suite.bed.clear() }
        let begin = cs_now()
        let time = Machine.time
        let before = Machine.busySeconds - suite.bed.cpuSeconds
        try suite.carryOut()
        let seconds = Double(cs_now() - begin) / 1e9
        // Figures of latency mean little when strangers had the processors.
        let others = (Machine.busySeconds - suite.bed.cpuSeconds - before) / seconds
        let header = [
            ("time", time), ("machine", Machine.description), ("seconds", seconds.fixed(0)),
            ("cores used by others", max(0, others).fixed(2)),
        ]
        let folder = options.text("results") ?? "bench-results"
        mkdir(folder, 0o755)
        let title = header.map { "\($0): \($1)" }.joined(separator: " · ")
        let table = "\(title)\n\n\(suite.findings.table)"
        try Files.write(suite.findings.json(header: header), to: "\(folder)/\(time).json")
        try Files.write(table, to: "\(folder)/latest.md")
        writeOutput("\n\(table)\n\(suite.findings.missed) targets missed · \(folder)/\(time).json\n")
    }

    private func carryOut() throws {
        say("starting the mock, nginx and Dragoman")
        try bed.startMock()
        try startup(measured: only.contains("startup"))
        let steps: [(String, () throws -> Void)] = [
            ("small", small), ("burst", burst), ("batch", batch), ("size", size), ("paced", paced),
            ("cancel", cancel), ("logged", logged), ("fleet", fleet), ("kill", kill), ("restart", restart),
        ]
        try selfCheck()
        for (name, step) in steps where only.contains(name) {
            try bed.checkInterrupted()
            try step()
        }
    }

    func say(_ text: String) { writeOutput("· \(text)\n") }

    /// A checker that cannot fail proves nothing: spoiled answers must be counted as failed, directly and
    /// through every subject.
    private func selfCheck() throws {
        for subject in Subject.allCases {
            for spoil in [Directive.Spoil.text, .ending, .cut] {
                let report = try bed.finish(
                    bed.beginLoad(
                        [subject],
                        ["--mode", "alternate", "--requests", "2", "--spoil", String(spoil.rawValue)]))
                guard report.figure("failed") == 2 else {
                    throw BenchError(
                        "spoiled answers (\(spoil)) through \(subject.rawValue) passed as good: \(report.text)"
                    )
                }
            }
        }
        say("spoiled answers are noticed")
    }

    // MARK: start, idle

    private func startup(measured: Bool) throws {
        var times: [Subject: [Double]] = [:]
        for _ in 0..<(measured ? 3 : 1) {
            for subject in [Subject.nginx, .dragoman] {
                times[subject, default: []].append(try bed.start(subject))
            }
        }
        guard measured else { return }
        try bed.pause(1)
        let nginx = median(times[.nginx]), dragoman = median(times[.dragoman])
        findings.add(
            .init(
                metric: "start to first 200, ms", nginx: nginx, dragoman: dragoman, target: .atMost(50),
                goal: .atMost(20)))
        let idle = (nginx: bed.tree(.nginx)?.memory ?? .nan, dragoman: bed.tree(.dragoman)?.memory ?? .nan)
        findings.add(
            .init(
                metric: "idle memory (PSS), MB", nginx: idle.nginx, dragoman: idle.dragoman,
                target: .atMost(30),
                goal: .atMost(15), note: "supervisor and 2 workers"))
        say(
            "start \(dragoman.short) ms (nginx \(nginx.short)), idle \(idle.dragoman.short) MB (\(idle.nginx.short))"
        )
    }

    // MARK: CPU at saturation

    /// CPU microseconds of a subject's tree per `unit` of the load report, the median of interleaved rounds.
    private func saturate(
        _ name: String, per unit: StaticString, _ arguments: [String], rounds: Int = 3
    ) throws -> [Subject: Double] {
        var costs: [Subject: [Double]] = [:]
        for round in 0..<rounds {
            for subject in Subject.allCases {
                let before = bed.tree(subject)?.cpuSeconds ?? 0
                let report = try bed.finish(
                    bed.beginLoad(
                        [subject], arguments + ["--seconds", quick ? "0.7" : "2", "--connections", "32"]))
                let cpu = (bed.tree(subject)?.cpuSeconds ?? 0) - before
                let cost = cpu * 1e6 / report.figure(unit)
                costs[subject, default: []].append(cost)
                let failed = report.figure("failed")
                findings.record("\(name)_\(subject.rawValue)_\(round)", raw: report.text)
                say(
                    "\(name) \(subject.rawValue): \(cost.fixed(2)) µs, \(report.figure("requests_per_s").fixed(0)) req/s, "
                        + "p50 \(report.figure("total_p50_ms").fixed(2)) p99 \(report.figure("total_p99_ms").fixed(2)) ms"
                        + (failed > 0 ? ", \(failed.fixed(0)) FAILED \(report.errors)" : ""))
                if failed > 0, subject == .dragoman { addFailures(name, failed) }
            }
        }
        return costs.mapValues { median($0) }
    }

    private func addFailures(_ name: String, _ count: Double) {
        findings.add(
            .init(metric: "\(name): failed requests", dragoman: count, target: .atMost(0), goal: .atMost(0)))
    }

    private func small() throws {
        let cost = try saturate("small", per: "requests", ["--whole", "--tokens", "16"])
        addCost("CPU per small request, µs", cost, target: 3.5, goal: 2)
    }

    private func burst() throws {
        let cost = try saturate("burst", per: "tokens", ["--tokens", "100"])
        addCost("CPU per event, burst, one write each, µs", cost, target: 1.5, goal: 1)
    }

    private func batch() throws {
        let cost = try saturate("batch", per: "tokens", ["--tokens", "100", "--per-write", "100"])
        addCost("CPU per event, 100 in one write, µs", cost, target: 3, goal: 1.5)
    }

    private func addCost(_ metric: String, _ cost: [Subject: Double], target: Double, goal: Double) {
        findings.add(
            .init(
                metric: metric, direct: cost[.direct] ?? .nan, nginx: cost[.nginx] ?? .nan,
                dragoman: cost[.dragoman] ?? .nan, target: .timesNginx(target), goal: .timesNginx(goal),
                note: "direct = the mock's own"))
    }

    private func logged() throws {
        _ = try bed.start(.dragoman, logLevel: "info")
        let before = bed.tree(.dragoman)?.cpuSeconds ?? 0
        let report = try bed.finish(
            bed.beginLoad([.dragoman], ["--whole", "--tokens", "16", "--seconds", quick ? "0.7" : "2"]))
        let cost = ((bed.tree(.dragoman)?.cpuSeconds ?? 0) - before) * 1e6 / report.figure("requests")
        findings.add(
            .init(metric: "CPU per small request with a log line each, µs", dragoman: cost))
        say("small with a log line each: \(cost.fixed(2)) µs")
        _ = try bed.start(.dragoman)
    }

    // MARK: latency by size

    private func size() throws {
        let limits: [Int: (Double, Double)] = [2000: (0.3, 0.15), 50_000: (0.8, 0.25), 200_000: (3, 0.6)]
        for (bytes, limit) in limits.sorted(by: { $0.key < $1.key }) {
            let before = bed.tree(.dragoman)?.cpuSeconds ?? 0
            let rounds = quick ? 60 : 300
            let report = try bed.finish(
                bed.beginLoad(
                    Subject.allCases,
                    [
                        "--mode", "alternate", "--requests", String(rounds), "--size", String(bytes),
                        "--tokens", "5",
                    ]))
            let cpu = ((bed.tree(.dragoman)?.cpuSeconds ?? 0) - before) * 1e6 / Double(rounds + 3)
            let median = (0..<3).map { report.figure("ttft_p50_ms", target: $0) }
            let label = "\(bytes / 1000) KB"
            findings.add(
                .init(
                    metric: "added time to first token, \(label), ms", direct: median[0],
                    nginx: median[1] - median[0],
                    dragoman: median[2] - median[0], target: .atMost(limit.0), goal: .atMost(limit.1),
                    note: "\(cpu.fixed(0)) µs CPU"))
            findings.record("size_\(bytes)", raw: report.text)
            let failed = report.figure("failed", target: 2)
            if failed > 0 { addFailures("size \(label)", failed) }
            say(
                "\(label): +\((median[2] - median[0]).fixed(3)) ms (nginx +\((median[1] - median[0]).fixed(3)))"
            )
        }
    }

    func median(_ values: [Double]?) -> Double {
        let sorted = (values ?? []).sorted()
        return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
    }
}
