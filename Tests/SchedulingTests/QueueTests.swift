import Scheduling
import Shared
import Testing

@Suite
struct QueueTests {
    typealias Driver = SchedulerDriver

    /// The order in which these get one place, each held for a second.
    private func order(_ questions: [AdmissionQuestion], _ driver: inout Driver) throws -> [Int] {
        let first = try driver.ask(Driver.question([0], client: "first"))
        var tickets: [Scheduler.Ticket] = []
        for question in questions {
            tickets.append(try driver.ask(question))
            driver.wait(0.01)
        }
        driver.wait(1)
        try driver.end(first)
        var order: [Int] = []
        while let index = tickets.indices.first(where: {
            driver.backend(tickets[$0]) != nil && !order.contains($0)
        }) {
            order.append(index)
            driver.wait(1)
            try driver.end(tickets[index])
        }
        return order
    }

    @Test
    func lanesThenFailedThenFirstCome() throws {
        var driver = Driver([Driver.backend(0, limit: 1)])
        func question(_ lane: Lane, failures: UInt8 = 0) -> AdmissionQuestion {
            Driver.question([0]) {
                $0.lane = lane
                $0.failures = failures
            }
        }
        let questions = [
            question(.auxiliary), question(.subagent), question(.compaction), question(.main),
            question(.auxiliary), question(.main), question(.main, failures: 1),
        ]
        #expect(try order(questions, &driver) == [6, 3, 5, 2, 1, 0, 4])
    }

    @Test
    func clientsTakeTurns() throws {
        var driver = Driver([Driver.backend(0, limit: 1)])
        let questions = ["a", "a", "a", "a", "b", "b", "c"].map { Driver.question([0], client: $0) }
        #expect(try order(questions, &driver) == [0, 4, 6, 1, 5, 2, 3])
    }

    @Test
    func whoComesBackHasSavedNothingUp() throws {
        var driver = Driver([Driver.backend(0, limit: 1)])
        // A long time of service for one, while the other is away.
        for _ in 0..<50 {
            let ticket = try driver.ask([0], client: "busy")
            driver.wait(10)
            try driver.end(ticket)
        }
        let questions = ["busy", "busy", "busy", "back", "back", "back"].map {
            Driver.question([0], client: $0)
        }
        let order = try order(questions, &driver)
        // Turn and turn about, not all of the one who was away first.
        #expect(Set(order.prefix(2)) == [0, 3])
        #expect(Set(order.prefix(4)) == [0, 1, 3, 4])
    }

    @Test
    func whoWentBeforeIsTold() throws {
        var driver = Driver([Driver.backend(0, limit: 1)])
        let first = try driver.ask([0], client: "a")
        let second = try driver.ask([0], client: "a")
        let third = try driver.ask([0], client: "b") { $0.lane = .auxiliary }
        driver.wait(20)
        try driver.end(first)
        try driver.end(third)
        #expect(driver.granted[first]?.ahead == 0)
        #expect(driver.granted[third]?.ahead == 0)
        #expect(driver.granted[second]?.ahead == 1)
        #expect(driver.granted[second]?.aheadClient == "b")
        #expect(driver.scheduler.clientViews.map(\.name) == ["a", "b"])
    }

    @Test
    func aConversationWaitsForItsCacheWhileThatIsQuicker() throws {
        var driver = Driver(Driver.backends(2, limit: 1))
        let first = try driver.ask([0, 1]) {
            $0.session = 1
            $0.promptTokens = 100_000
        }
        let home = try #require(driver.backend(first))
        try driver.end(first) {
            $0.firstByte = 50_000_000
            $0.duration = 51_000_000
            $0.inputTokens = 100_000
            $0.cachedTokens = 0
        }
        driver.wait(60)
        let other = try driver.ask([home]) { $0.promptTokens = 100 }
        let second = try driver.ask([0, 1]) {
            $0.session = 1
            $0.promptTokens = 101_000
        }
        // The other backend is free, but would read for 50 s.
        #expect(driver.backend(second) == nil)
        driver.wait(2)
        try driver.end(other)
        #expect(driver.backend(second) == home)
        #expect(driver.granted[second]?.reason == .session)
        try driver.end(second)

        // Home does not come free: at last it goes elsewhere.
        let stuck = try driver.ask([home]) { $0.promptTokens = 100 }
        let third = try driver.ask([0, 1]) {
            $0.session = 1
            $0.promptTokens = 102_000
        }
        driver.wait(149)
        #expect(driver.backend(third) == nil)
        driver.wait(2)
        #expect(driver.backend(third) == 1 - home)
        try driver.end(stuck)
    }

    @Test
    func swapsOfAModelAreCollatedWithABound() throws {
        var driver = Driver([Driver.backend(0, limit: 1)])
        func ask(_ model: String, isLoaded: Bool) throws -> Scheduler.Ticket {
            var question = Driver.question([0], client: "c")
            question.candidates = [
                BackendCandidate(BackendNumber(0), ModelDigest(of: model), isLoaded: isLoaded)
            ]
            return try driver.ask(question)
        }
        var current = try ask("loaded", isLoaded: true)
        let swap = try ask("other", isLoaded: false)
        var passes = 0
        while driver.backend(swap) == nil {
            let next = try ask("loaded", isLoaded: true)
            driver.wait(0.5)
            try driver.end(current)
            current = next
            if driver.backend(swap) == nil { passes += 1 }
        }
        #expect(passes == 8)

        // And by time: requests that last long.
        try driver.end(swap)
        let again = try ask("other", isLoaded: false)
        passes = 0
        while driver.backend(again) == nil {
            let next = try ask("loaded", isLoaded: true)
            driver.wait(12)
            try driver.end(current)
            current = next
            if driver.backend(again) == nil { passes += 1 }
        }
        #expect((2...4).contains(passes))
    }

    @Test
    func aQueueOfNoLengthRefusesAtOnce() throws {
        var none = Driver([Driver.backend(0, limit: 1)]) { $0.queue.length = 0 }
        _ = try none.ask([0])
        let late = try none.ask([0])
        #expect(none.refused[late] == .queueFull(waiting: 0))
        var hurried = Driver([Driver.backend(0, limit: 1)]) { $0.queue.wait = .zero }
        _ = try hurried.ask([0])
        let second = try hurried.ask([0])
        #expect(hurried.refused[second] == .waitedTooLong)
    }

    @Test
    func countsOfClients() throws {
        var driver = Driver([Driver.backend(0, limit: 1)]) { $0.queue.length = 1 }
        let first = try driver.ask([0], client: "a")
        let second = try driver.ask([0], client: "a")
        // One for which no backend was even sought, and one for whom the queue was full.
        driver.scheduler.refused(client: "b", at: driver.now)
        _ = try driver.ask([0], client: "b")
        var views = driver.scheduler.clientViews
        #expect(views.map(\.inFlight) == [1, 0])
        #expect(views.map(\.queued) == [1, 0])
        #expect(views.map(\.limited) == [0, 1])
        try driver.end(first) {
            $0.inputTokens = 10
            $0.outputTokens = 3
        }
        try driver.end(second)
        views = driver.scheduler.clientViews
        #expect(views.map(\.requests) == [2, 2])
        #expect(views.map(\.inputTokens) == [10, 0])
        #expect(views.map(\.outputTokens) == [3, 0])
    }
}
