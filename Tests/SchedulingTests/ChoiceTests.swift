import Scheduling
import Shared
import Testing

@Suite
struct ChoiceTests {
    typealias Driver = SchedulerDriver

    // MARK: Classes

    @Test
    func aLowerClassIsAskedOnlyWhenNoUpperOneIsUsable() throws {
        var driver = Driver([
            Driver.backend(0, limit: 1, priority: 200), Driver.backend(1, priority: 100),
        ])
        let first = try driver.ask([1, 0])
        #expect(driver.backend(first) == 0)
        // Full is not unusable.
        let second = try driver.ask([1, 0])
        #expect(driver.backend(second) == nil)
        for _ in 0..<3 { driver.check(0, .bad(reason: "gone")) }
        #expect(driver.backend(second) == 1)
        try driver.end(first)
        try driver.end(second)
        // The end of the first was an answer: it is up again.
        #expect(try driver.run([1, 0]) == 0)
    }

    @Test
    func aHalfOpenUpperBackendIsTriedByOneRequest() throws {
        var driver = Driver([Driver.backend(0, priority: 200), Driver.backend(1)])
        for _ in 0..<5 { try driver.run([0], .unreachable) }
        driver.wait(11)
        let trial = try driver.ask([0, 1])
        #expect(driver.backend(trial) == 0)
        #expect(try driver.run([0, 1]) == 1)
        try driver.end(trial)
        #expect(try driver.run([0, 1]) == 0)
    }

    // MARK: The other balances

    @Test
    func leastRequestsFillsByShare() throws {
        var driver = Driver([
            Driver.backend(0, limit: 2), Driver.backend(1, limit: 4), Driver.backend(2, limit: 8),
        ]) { $0.balance = .leastRequests }
        for count in [7, 14] {
            var out: [Scheduler.Ticket] = []
            for _ in 0..<count { out.append(try driver.ask([0, 1, 2])) }
            #expect((0..<3).map { driver.view($0).inFlight } == [count / 7, count / 7 * 2, count / 7 * 4])
            #expect(driver.granted[out[0]]?.reason == .load)
            for ticket in out { try driver.end(ticket) }
        }
        // One after the other they are all equally free: by share as well.
        let before = (0..<3).map { driver.view($0).requests }
        for _ in 0..<140 { try driver.run([0, 1, 2]) }
        let after = (0..<3).map { driver.view($0).requests }
        #expect(zip(after, before).map { $0 - $1 } == [20, 40, 80])
    }

    @Test
    func roundRobinIsSmoothAndWeighted() throws {
        var driver = Driver([
            Driver.backend(0, weight: 5), Driver.backend(1), Driver.backend(2),
        ]) { $0.balance = .roundRobin }
        var turns: [UInt16?] = []
        for _ in 0..<7 { turns.append(try driver.run([0, 1, 2])) }
        #expect(turns == [0, 0, 1, 0, 2, 0, 0])
    }

    @Test
    func priorityIsTheOrderOfTheCandidates() throws {
        var driver = Driver(Driver.backends(3, limit: 1)) { $0.balance = .priority }
        let tickets = try (0..<4).map { session in
            try driver.ask([1, 0, 2]) { $0.session = UInt64(session) + 1 }
        }
        #expect(tickets.map { driver.backend($0) } == [1, 0, 2, nil])
        #expect(driver.granted[tickets[0]]?.reason == .order)
        try driver.end(tickets[1])
        try driver.end(tickets[0])
        #expect(driver.backend(tickets[3]) == 0)
        // A conversation that was elsewhere meanwhile comes back to the first.
        let again = try driver.ask([1, 0, 2]) { $0.session = 3 }
        #expect(driver.backend(again) == 1)
    }

    // MARK: Affinity

    @Test(arguments: [Configuration.Balance.auto, .leastRequests, .roundRobin])
    func interleavedConversationsStay(_ balance: Configuration.Balance) throws {
        var driver = Driver(Driver.backends(4)) { $0.balance = balance }
        var homes: [UInt64: UInt16] = [:]
        for round in 0..<10 {
            for session in UInt64(1)...100 {
                let ticket = try driver.ask([0, 1, 2, 3]) {
                    $0.session = session
                    $0.promptTokens = 20_000 + UInt32(round) * 2000
                }
                let backend = try #require(driver.backend(ticket))
                if round == 0 {
                    homes[session] = backend
                } else {
                    #expect(backend == homes[session])
                    #expect(driver.granted[ticket]?.reason == .session)
                }
                try driver.end(ticket) {
                    $0.firstByte = round == 0 ? 1_000_000 : 100_000
                    $0.inputTokens = 20_000
                    $0.cachedTokens = round == 0 ? 0 : 18_000
                }
                driver.wait(1)
            }
        }
        #expect(driver.scheduler.affinityView.hits == 900)
        #expect(driver.scheduler.affinityView.moves == 0)
        #expect(driver.scheduler.affinityView.sessions == 100)
        // They are not all in one place.
        #expect(Set(homes.values).count == 4)
    }

    @Test
    func anOverloadedHomeGivesWay() throws {
        var driver = Driver(Driver.backends(2)) { $0.balance = .leastRequests }
        let first = try driver.ask([0, 1]) { $0.session = 7 }
        let home = try #require(driver.backend(first))
        let others = try (0..<8).map { _ in try driver.ask([home]) }
        let second = try driver.ask([0, 1]) { $0.session = 7 }
        #expect(driver.backend(second) == 1 - home)
        for ticket in others { try driver.end(ticket) }
        // It was moved, and stays there.
        let third = try driver.ask([0, 1]) { $0.session = 7 }
        #expect(driver.backend(third) == 1 - home)
        #expect(driver.scheduler.affinityView.moves == 1)
    }

    @Test
    func agentsOfAConversationAreAtHomeForThemselves() throws {
        var driver = Driver(Driver.backends(2)) { $0.balance = .roundRobin }
        var homes: [UInt64: UInt16] = [:]
        for round in 0..<3 {
            for agent in UInt64(0)..<4 {
                let ticket = try driver.ask([0, 1]) {
                    $0.session = 7
                    $0.agent = agent
                    $0.lane = agent == 0 ? .main : .subagent
                }
                if round == 0 { homes[agent] = driver.backend(ticket) }
                #expect(driver.backend(ticket) == homes[agent])
                try driver.end(ticket)
            }
            // Auxiliary ones neither follow nor move it.
            let auxiliary = try driver.ask([0, 1]) {
                $0.session = 7
                $0.lane = .auxiliary
            }
            try driver.end(auxiliary)
        }
        #expect(homes == [0: 0, 1: 1, 2: 0, 3: 1])
    }

    @Test
    func whatIsRememberedIsBounded() throws {
        var driver = Driver(Driver.backends(2)) {
            $0.balance = .roundRobin
            $0.affinity = .init()
            $0.affinity?.sessions = 2
            $0.affinity?.ttl = .seconds(100)
        }
        func run(_ session: UInt64) throws -> UInt16? {
            let ticket = try driver.ask([0, 1]) { $0.session = session }
            try driver.end(ticket)
            return driver.backend(ticket)
        }
        #expect(try [run(1), run(2), run(3)] == [0, 1, 0])
        #expect(driver.scheduler.affinityView.sessions == 2)
        // 1 is forgotten, and its turn makes 2 the one to be forgotten next.
        #expect(try [run(1), run(3)] == [1, 0])
        driver.wait(101)
        #expect(try run(3) == 0)
        #expect(try run(1) == 1)
        #expect(driver.scheduler.affinityView.hits == 1)
    }

    @Test
    func withoutAffinityNothingIsRemembered() throws {
        var driver = Driver(Driver.backends(2)) {
            $0.affinity = nil
            $0.balance = .roundRobin
        }
        var turns: [UInt16?] = []
        for _ in 0..<4 {
            let ticket = try driver.ask([0, 1]) { $0.session = 1 }
            turns.append(driver.backend(ticket))
            try driver.end(ticket)
        }
        #expect(turns == [0, 1, 0, 1])
        #expect(driver.scheduler.affinityView == .init())
    }

    // MARK: Time

    private static func marks(_ conversation: UInt64, _ tokens: [UInt32]) -> [PrefixMark] {
        [PrefixMark(digest: 1, tokens: 10_000)]
            + tokens.map { PrefixMark(digest: conversation << 32 | UInt64($0), tokens: $0) }
    }

    @Test
    func aConversationMovesOnlyWhenThatIsClearlyQuicker() throws {
        var driver = Driver(Driver.backends(2))
        func ask(_ prompt: UInt32) throws -> Scheduler.Ticket {
            try driver.ask([0, 1]) {
                $0.session = 5
                $0.promptTokens = prompt
            }
        }
        let first = try ask(20_000)
        let home = try #require(driver.backend(first))
        try driver.end(first)
        // 20,000 tokens are read in 10 s as long as nothing is known: 8 s of work at home are no reason to leave.
        let work = try driver.ask([home]) { $0.promptTokens = 16_000 }
        let second = try ask(21_000)
        #expect(driver.backend(second) == home)
        try driver.end(second)
        let more = try (0..<3).map { _ in try driver.ask([home]) { $0.promptTokens = 60_000 } }
        let third = try ask(22_000)
        #expect(driver.backend(third) == 1 - home)
        #expect(driver.granted[third]?.reason == .load)
        for ticket in more + [work, third] { try driver.end(ticket) }
        let fourth = try ask(23_000)
        #expect(driver.backend(fourth) == 1 - home)
        #expect(driver.granted[fourth]?.reason == .session)
    }

    @Test
    func speedsAreLearntFromReports() throws {
        var driver = Driver(Driver.backends(2))
        for _ in 0..<30 {
            for (backend, rate) in [(UInt16(0), 1000.0), (1, 8000.0)] {
                let ticket = try driver.ask([backend]) { $0.promptTokens = 8000 }
                driver.wait(10)
                try driver.end(ticket) {
                    $0.inputTokens = 8000
                    $0.cachedTokens = 0
                    $0.firstByte = UInt64(8000 / rate * 1e6)
                    $0.duration = $0.firstByte + 1_000_000
                }
            }
        }
        let ticket = try driver.ask([0, 1]) { $0.promptTokens = 40_000 }
        #expect(driver.backend(ticket) == 1)
        let costs = try #require(driver.granted[ticket]?.costs)
        #expect(costs.map(\.backend.value) == [1, 0])
        #expect((4000...6500).contains(costs[0].milliseconds))
        #expect((35_000...45_000).contains(costs[1].milliseconds))
    }

    @Test
    func aBeginningThatIsKnownSomewhereIsSoughtThere() throws {
        var driver = Driver(Driver.backends(4))
        func ask(_ marks: [PrefixMark]) throws -> Scheduler.Ticket {
            try driver.ask([0, 1, 2, 3]) {
                $0.prefix = marks
                $0.promptTokens = marks.last?.tokens ?? 0
            }
        }
        let first = try ask(Self.marks(1, [20_000, 30_000]))
        let home = driver.backend(first)
        try driver.end(first)
        // Four times, so that it is no accident.
        for step in UInt32(1)...4 {
            let next = try ask(Self.marks(1, [20_000, 30_000, 30_000 + step * 1000]))
            #expect(driver.backend(next) == home)
            #expect(driver.granted[next]?.reason == .prefix)
            try driver.end(next)
        }
    }

    @Test
    func aBeginningThatIsKnownEverywhereCountsForNothing() throws {
        var driver = Driver(Driver.backends(2))
        for backend in UInt16(0)...1 {
            let ticket = try driver.ask([backend]) { $0.prefix = Self.marks(9, []) }
            try driver.end(ticket)
        }
        // At the busier one the system prompt is worth nothing.
        let busy = try driver.ask([0]) { $0.promptTokens = 40_000 }
        for conversation in UInt64(10)...14 {
            let ticket = try driver.ask([0, 1]) {
                $0.prefix = Self.marks(conversation, [12_000])
                $0.promptTokens = 12_000
            }
            #expect(driver.backend(ticket) == 1)
            #expect(driver.granted[ticket]?.reason == .load)
            try driver.end(ticket)
        }
        try driver.end(busy)
    }

    @Test
    func aCompactedConversationIsFreeToGo() throws {
        var driver = Driver(Driver.backends(2))
        func ask(_ marks: [PrefixMark]) throws -> Scheduler.Ticket {
            try driver.ask([0, 1]) {
                $0.session = 3
                $0.prefix = marks
                $0.promptTokens = marks.last?.tokens ?? 0
            }
        }
        let first = try ask(Self.marks(1, [90_000]))
        let home = try #require(driver.backend(first))
        try driver.end(first)
        // 25 s of work are there: less than reading 90,000 tokens elsewhere, more than reading 14,000.
        let work = try driver.ask([home]) { $0.promptTokens = 50_000 }
        let same = try ask(Self.marks(1, [90_000, 91_000]))
        #expect(driver.backend(same) == home)
        let compacted = try ask(Self.marks(2, [14_000]))
        #expect(driver.backend(compacted) == 1 - home)
        for ticket in [work, same, compacted] { try driver.end(ticket) }
    }

    @Test
    func aModelThatIsNotLoadedCostsItsLoading() throws {
        var driver = Driver(Driver.backends(2))
        for seed in UInt64(1)...10 {
            let ticket = try driver.ask([0, 1]) {
                $0.session = seed
                $0.candidates = [
                    BackendCandidate(BackendNumber(0), Driver.model, isLoaded: false),
                    BackendCandidate(BackendNumber(1), Driver.model, isLoaded: true),
                ]
            }
            #expect(driver.backend(ticket) == 1)
            try driver.end(ticket)
        }
    }

    @Test
    func withoutHistoryLoadIsBounded() throws {
        var driver = Driver(Driver.backends(4))
        var tickets: [Scheduler.Ticket] = []
        for session in UInt64(1)...80 {
            tickets.append(try driver.ask([0, 1, 2, 3]) { $0.session = session })
        }
        for backend in UInt16(0)..<4 { #expect(driver.view(backend).inFlight <= 27) }
        for ticket in tickets { try driver.end(ticket) }
        // The same beginning goes to the same place where nothing speaks against it.
        var places: Set<UInt16?> = []
        for _ in 0..<10 { places.insert(try driver.run([0, 1, 2, 3])) }
        #expect(places.count == 1)
    }

    // MARK: What is told

    @Test
    func reasonsAndCosts() throws {
        var driver = Driver(Driver.backends(12))
        let all = Array(UInt16(0)..<12)
        let only = try driver.ask([3])
        #expect(driver.granted[only]?.reason == .name)
        let failed = try driver.ask(all) { $0.failures = 1 }
        #expect(driver.granted[failed]?.reason == .failover)
        let busy = try driver.ask([3]) { $0.promptTokens = 20_000 }
        let ticket = try driver.ask(all) { $0.promptTokens = 2000 }
        let costs = try #require(driver.granted[ticket]?.costs)
        #expect(costs.count == Grant.maximumCosts)
        #expect(costs.map(\.milliseconds) == costs.map(\.milliseconds).sorted())
        #expect(!costs.contains { $0.backend == BackendNumber(3) })
        for ticket in [only, failed, busy, ticket] { try driver.end(ticket) }
    }
}
