import SchedulingTesting
import Shared
import Testing

@testable import Scheduling

/// A longer form of it runs with `make simulate`.
@Suite
struct RandomEventTests {
    private static let events = 40_000

    @Test(arguments: [
        (UInt64(1), Configuration.Balance.auto), (2, .auto), (3, .leastRequests), (4, .roundRobin),
        (5, .priority),
    ])
    func holds(_ seed: UInt64, _ balance: Configuration.Balance) throws {
        var world = RandomEvents(seed: seed, balance: balance)
        for event in 1...Self.events {
            try world.step()
            if event % 500 == 0 { judgeMemory(world) }
        }
        try world.finish()
        #expect(world.findings == [])
        let scheduler = world.scheduler
        #expect(scheduler.tickets.isEmpty && scheduler.resent.isEmpty && scheduler.waiters.isEmpty)
        #expect(scheduler.ledger.outstanding < 1)
        #expect(scheduler.records.allSatisfy { $0.queuedAtHome == 0 && $0.inFlight == 0 })
    }

    private func judgeMemory(_ world: RandomEvents) {
        let scheduler = world.scheduler
        let counts = world.counts
        #expect(scheduler.conversations.count <= world.settings.affinity?.sessions ?? 0)
        #expect(scheduler.prefixes.count <= PrefixIndex.maximum)
        #expect(scheduler.resent.count <= counts.waiting + counts.running)
        #expect(scheduler.ledger.views.count <= ClientLedger.maximum + 1)
        let held = scheduler.tickets.values.map(\.count).reduce(0, +)
        #expect(held == counts.waiting + counts.running + counts.over)
        #expect(scheduler.clientViews.map(\.inFlight).reduce(0, +) == counts.running)
        #expect(scheduler.clientViews.map(\.queued).reduce(0, +) == counts.waiting)
        #expect(scheduler.records.allSatisfy { $0.models.count <= BackendRecord.maximumModels })
    }
}
