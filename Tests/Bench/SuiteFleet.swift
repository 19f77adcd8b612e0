// What it costs to have more than one backend: the same small request before one, four and 64 of them, interleaved.

extension Suite {
    func fleet() throws {
        let sizes = [1, 4, 64]
        var costs: [Int: [Double]] = [:]
        for round in 0..<3 {
            for count in sizes {
                _ = try bed.start(.dragoman, backends: count)
                // Its first questions to the backends are not what is measured.
                try bed.pause(0.3)
                let before = bed.tree(.dragoman)?.cpuSeconds ?? 0
                let report = try bed.finish(
                    bed.beginLoad(
                        [.dragoman],
                        [
                            "--whole", "--tokens", "16", "--seconds", quick ? "0.7" : "2", "--connections",
                            "32",
                        ]))
                let cost = ((bed.tree(.dragoman)?.cpuSeconds ?? 0) - before) * 1e6 / report.figure("requests")
                costs[count, default: []].append(cost)
                findings.record("fleet_\(count)_\(round)", raw: report.text)
                say("small request, \(count) backends: \(cost.fixed(2)) µs")
            }
        }
        let one = median(costs[1])
        for (count, most) in [(4, 15.0), (64, 25.0)] {
            findings.add(
                .init(
                    metric: "added by a choice of \(count) backends, µs",
                    dragoman: median(costs[count]) - one,
                    target: .atMost(most), goal: .atMost(most)))
        }
        _ = try bed.start(.dragoman)
    }
}
