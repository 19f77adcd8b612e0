// `make simulate`: how well the scheduler's `balance: auto` places coding sessions, next to perfect stickiness and to
// consistent hashing with bounded load.

import Glibc
import SchedulingTesting
import Shared

@main
enum Simulate {
    /// How many sessions there are at a time, and tokens that all caches hold together. With 100 the machines are busy
    /// and can do it: perfect stickiness has them read half of the time. With 150 and half the cache they cannot
    /// hold all conversations: whoever wastes a cache makes more work for all.
    private static let loads: [(developers: Int, cache: Int)] = [(100, 36_000_000), (150, 18_000_000)]

    static func main() {
        var isGood = true
        print(
            """
            \(Workload.sessions) sessions of 5 to 80 turns, prompts from 15k growing by 0.5k to 6k, pauses of 1 to 120 s,
            a shared system prompt of 12k, sub-agents in a fifth of the sessions; when a session ends the next begins.
            hit = prompt tokens from caches; first token = p50 / p95 in seconds, from the question on, queue included;
            busy = how much of the time the machines read prompts.
            """)
        var seeds = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
        if seeds.isEmpty { seeds = [1, 2, 3, 4, 5] }
        for load in loads {
            for count in [3, 12] {
                print(
                    "\n\(count) backends, \(load.developers) sessions at a time, "
                        + "caches of \(load.cache / 1_000_000)M tokens")
                compare(Fleet.machines(count, cache: load.cache), load.developers, seeds)
            }
        }
        print("")
        isGood = randomEvents() && isGood
        for backends in [1, 4, 64] { DecisionTime.measure(backends: backends) }
        if !isGood { exit(1) }
    }

    /// A million, over all balances.
    private static func randomEvents() -> Bool {
        var findings: [String] = []
        for seed in UInt64(10)..<20 {
            let balance = Configuration.Balance.allCases[Int(seed) % Configuration.Balance.allCases.count]
            var world = RandomEvents(seed: seed, balance: balance)
            do {
                for _ in 0..<100_000 { try world.step() }
                try world.finish()
            } catch {
                findings.append("seed \(seed): \(error)")
            }
            findings += world.findings.map { "seed \(seed), \($0)" }
        }
        print(findings.isEmpty ? "a million random events: nothing lost" : findings.joined(separator: "\n"))
        return findings.isEmpty
    }

    private struct Row {
        let name: String
        var outcomes: [Outcome] = []

        func mean(_ value: (Outcome) -> Double) -> Double {
            outcomes.map(value).reduce(0, +) / Double(max(outcomes.count, 1))
        }
    }

    private static func compare(_ machines: [Machine], _ developers: Int, _ seeds: [UInt64]) {
        print("seed  policy                   hit   makespan   first token       busy")
        var rows = [
            "auto", "auto without limits", "perfect stickiness", "bounded load 1.25", "bounded load 1.5",
        ].map {
            Row(name: $0)
        }
        for seed in seeds {
            let sessions = Workload.make(seed: seed)
            func run(_ policy: some Policy) -> Outcome {
                var simulation = Simulation(policy, machines: machines, sessions: sessions)
                return simulation.run(developers: developers)
            }
            let outcomes = [
                run(Ours(machines: machines, isLimited: true)),
                run(Ours(machines: machines, isLimited: false)),
                run(PerfectStickiness(backends: machines.count)),
                run(BoundedLoadHashing(backends: machines.count, factor: 1.25)),
                run(BoundedLoadHashing(backends: machines.count, factor: 1.5)),
            ]
            for (index, outcome) in outcomes.enumerated() {
                rows[index].outcomes.append(outcome)
                line("\(seed)", rows[index].name, outcome)
            }
        }
        let ours = rows[0]
        for row in rows {
            let hits = (ours.mean(\.hitRate) - row.mean(\.hitRate)) * 100
            let time = (1 - ours.mean(\.makespan) / max(row.mean(\.makespan), 1)) * 100
            let figures = "\(fixed(row.mean(\.hitRate) * 100, 1, 6)) % \(fixed(row.mean(\.makespan), 0, 8)) s"
            let difference = "auto: hit \(fixed(hits, 1, 5)) points, makespan \(fixed(-time, 1, 5)) %"
            print(
                padded("mean", 6) + padded(row.name, 22) + figures
                    + (row.name == ours.name ? "" : "   " + difference))
        }
    }

    private static func line(_ seed: String, _ name: String, _ outcome: Outcome) {
        print(
            padded(seed, 6) + padded(name, 22) + "\(fixed(outcome.hitRate * 100, 1, 6)) % "
                + "\(fixed(outcome.makespan, 0, 8)) s \(fixed(outcome.firstToken(0.5), 1, 6)) / "
                + "\(fixed(outcome.firstToken(0.95), 1, 6)) \(fixed(outcome.busy * 100, 0, 6)) %")
    }

    private static func padded(_ word: String, _ width: Int) -> String {
        word + String(repeating: " ", count: max(width - word.count, 0))
    }

    private static func fixed(_ value: Double, _ digits: Int, _ width: Int) -> String {
        let scale = digits == 0 ? 1.0 : 10.0
        let rounded = (value * scale).rounded() / scale
        let text = digits == 0 ? "\(Int(rounded))" : "\(rounded)"
        return String(repeating: " ", count: max(width - text.count, 0)) + text
    }
}
