import Scheduling
import Shared
import TestSupport
import Testing

/// Clients that always have requests waiting: what each has had by settled figures.
@Suite
struct FairnessTests {
    private struct Load: Sendable, CustomTestStringConvertible {
        let seed: UInt64
        let backends: UInt16
        let limit: Int
        let hasSessions: Bool

        var testDescription: String { "\(backends) × \(limit), sessions: \(hasSessions)" }
    }

    private struct Running {
        let client: Int
        let began: Double
        let end: Double
    }

    private static let loads = [
        Load(seed: 1, backends: 1, limit: 1, hasSessions: false),
        Load(seed: 2, backends: 1, limit: 4, hasSessions: false),
        Load(seed: 3, backends: 3, limit: 2, hasSessions: false),
        Load(seed: 4, backends: 3, limit: 2, hasSessions: true),
        Load(seed: 5, backends: 6, limit: 1, hasSessions: true),
    ]

    @Test(arguments: loads)
    private func backloggedClientsAreServedAlike(_ load: Load) throws {
        var random = SeededRandom(seed: load.seed)
        let backends = Array(0..<load.backends)
        var driver = SchedulerDriver(SchedulerDriver.backends(load.backends, limit: load.limit)) {
            $0.queue.wait = .seconds(100_000)
        }
        // Short requests of one, long ones of the other, mixed ones of the third.
        let durations = [0.5...2.0, 5.0...40.0, 0.5...60.0]
        let waiting = 6
        var owner: [Scheduler.Ticket: Int] = [:]
        var running: [Scheduler.Ticket: Running] = [:]
        var served = [0.0, 0.0, 0.0]
        var lowest: [[Double]] = Array(repeating: [0, 0, 0], count: 3)
        var largest = 0.0
        var heldAtOnce = 0.0
        var spread = 0.0
        func ask(_ client: Int) throws {
            let session = UInt64(client * 100) + UInt64.random(in: 1...5, using: &random)
            let ticket = try driver.ask(backends, client: "client-\(client)") {
                $0.session = load.hasSessions ? session : 0
                $0.promptTokens = UInt32.random(in: 100...8000, using: &random)
            }
            owner[ticket] = client
        }
        func notice() {
            for (ticket, client) in owner where running[ticket] == nil && driver.granted[ticket] != nil {
                let duration = Double.random(in: durations[client], using: &random)
                let now = Double(driver.now.nanoseconds) / 1e9
                running[ticket] = Running(client: client, began: now, end: now + duration)
            }
        }
        for client in 0..<3 { for _ in 0..<waiting { try ask(client) } }
        for _ in 0..<2000 {
            notice()
            heldAtOnce = max(heldAtOnce, running.values.map { $0.end - $0.began }.reduce(0, +))
            let first = try #require(
                running.min { ($0.value.end, $0.key.number) < ($1.value.end, $1.key.number) })
            driver.wait(first.value.end - Double(driver.now.nanoseconds) / 1e9)
            let duration = first.value.end - first.value.began
            largest = max(largest, duration)
            served[first.value.client] += duration
            running[first.key] = nil
            owner[first.key] = nil
            // Its place among those waiting is taken before its end is known, so nobody is ever without.
            try ask(first.value.client)
            try driver.end(first.key) {
                $0.firstByte = UInt64(duration * 0.5e6)
                $0.duration = UInt64(duration * 1e6)
                $0.inputTokens = 4000
                $0.cachedTokens = 0
            }
            for left in 0..<3 {
                for right in 0..<3 {
                    let difference = served[left] - served[right]
                    lowest[left][right] = min(lowest[left][right], difference)
                    spread = max(spread, difference - lowest[left][right])
                }
            }
        }
        let bound = 2 * max(largest, heldAtOnce)
        #expect(spread <= bound, "\(spread) s of \(bound) s")
        #expect(driver.refused.isEmpty)
    }
}
