import Scheduling
import Shared
import TestSupport
import Testing

@Suite
struct SlotTests {
    /// Three conversations on a server of four slots, with sub-agents and auxiliary calls in between.
    @Test
    func noMainPrefixIsDisplaced() throws {
        var driver = SchedulerDriver([SchedulerDriver.backend(0)])
        driver.scheduler.listed(BackendNumber(0), models: 1, slots: 4)
        var random = SeededRandom(seed: 11)
        var held: [UInt16: UInt64] = [:]
        var running: [Scheduler.Ticket] = []
        var mains = 0
        var displaced = 0
        var left = 0
        for call in 0..<1000 {
            // Of each conversation one at a time, at most two together.
            if running.count > 1 || Bool.random(using: &random) {
                for ticket in running { try driver.end(ticket) }
                running = []
            }
            let session = UInt64(call % 3 + 1)
            let lane = [Lane.main, .auxiliary, .subagent, .compaction].randomElement(using: &random) ?? .main
            let isMain = lane == .main || lane == .compaction
            let ticket = try driver.ask([0]) {
                $0.session = session
                $0.lane = lane
                $0.agent = lane == .subagent ? UInt64(call / 10 + 1) : 0
                $0.promptTokens = isMain ? 50_000 : 2000
            }
            running.append(ticket)
            driver.wait(0.1)
            // More short requests at a time than there are slots to spare: the backend chooses.
            guard let slot = driver.granted[ticket]?.slot else {
                left += 1
                continue
            }
            #expect(slot < 4)
            if let owner = held[slot], !(isMain && owner == session) { displaced += 1 }
            if isMain {
                if held.contains(where: { $0.value == session && $0.key != slot }) { displaced += 1 }
                held[slot] = session
                mains += 1
            }
        }
        #expect(left < 300)
        #expect(mains > 300)
        #expect(displaced == 0)
    }

    @Test
    func withoutAFreeSlotTheBackendChooses() throws {
        var driver = SchedulerDriver([SchedulerDriver.backend(0)])
        driver.scheduler.listed(BackendNumber(0), models: 1, slots: 2)
        let tickets = try (1...3).map { session in try driver.ask([0]) { $0.session = UInt64(session) } }
        #expect(tickets.map { driver.granted[$0]?.slot } == [0, 1, nil])
        // What was sent without a slot may be in any of them.
        try driver.end(tickets[1])
        let beside = try driver.ask([0]) { $0.session = 4 }
        #expect(driver.granted[beside]?.slot == nil)
        for ticket in [tickets[2], beside] { try driver.end(ticket) }
        let next = try driver.ask([0]) { $0.session = 3 }
        #expect(driver.granted[next]?.slot == 1)
    }

    @Test
    func aConversationsSecondRequestAtATimeIsAGuest() throws {
        var driver = SchedulerDriver([SchedulerDriver.backend(0)])
        driver.scheduler.listed(BackendNumber(0), models: 1, slots: 3)
        func ask(_ session: UInt64) throws -> Scheduler.Ticket {
            try driver.ask([0]) { $0.session = session }
        }
        let other = try ask(2)
        try driver.end(other)
        let both = [try ask(1), try ask(1), try ask(1)]
        #expect(both.map { driver.granted[$0]?.slot } == [1, 2, nil])
        for ticket in both { try driver.end(ticket) }
        let next = [try ask(1), try ask(2)]
        #expect(next.map { driver.granted[$0]?.slot } == [1, 0])
    }

    @Test
    func aShortRequestGoesWhereItDisplacesNothing() throws {
        var driver = SchedulerDriver(SchedulerDriver.backends(2))
        for backend in UInt16(0)...1 {
            driver.scheduler.listed(BackendNumber(backend), models: 1, slots: 2)
        }
        // Both slots of the first are main conversations', one of the second's.
        for (session, backend) in [(UInt64(1), UInt16(0)), (2, 0), (3, 1)] {
            let ticket = try driver.ask([backend]) {
                $0.session = session
                $0.promptTokens = 50_000
            }
            try driver.end(ticket)
        }
        for number in 0..<20 {
            let ticket = try driver.ask([0, 1]) {
                $0.session = UInt64(number % 3 + 1)
                $0.lane = .auxiliary
                $0.promptTokens = 500
            }
            #expect(driver.backend(ticket) == 1)
            #expect(driver.granted[ticket]?.slot == 1)
            try driver.end(ticket)
        }
    }
}
