import Scheduling
import Shared
import Testing

@Suite
struct SchedulerTests {
    @Test
    func grantsWithinTheLimit() throws {
        var driver = SchedulerDriver([SchedulerDriver.backend(0, limit: 1)])
        let first = try driver.ask([0])
        let second = try driver.ask([0])
        #expect(driver.backend(first) == 0)
        #expect(driver.backend(second) == nil)
        #expect(driver.view(0).queued == 1)
        try driver.end(first)
        #expect(driver.backend(second) == 0)
        #expect(driver.granted[second]?.ahead == 0)
        #expect(driver.view(0).inFlight == 1)
    }

    @Test
    func whoWaitsForOneTakesTheOthersPlace() throws {
        var driver = SchedulerDriver(SchedulerDriver.backends(2, limit: 1)) { $0.balance = .leastRequests }
        let first = try driver.ask([0])
        let second = try driver.ask([1])
        let third = try driver.ask([0, 1])
        #expect(driver.backend(third) == nil)
        try driver.end(second)
        #expect(driver.backend(third) == 1)
        try driver.end(first)
        #expect(driver.scheduler.queued == 0)
    }

    @Test
    func aLoweredLimitLetsPermitsStayOut() throws {
        var driver = SchedulerDriver([SchedulerDriver.backend(0, limit: 3)])
        let out = try (0..<3).map { _ in try driver.ask([0]) }
        driver.take(driver.scheduler.apply(SchedulerDriver.backend(0, limit: 1), at: driver.now))
        let waiting = try driver.ask([0])
        try driver.end(out[0])
        try driver.end(out[1])
        #expect(driver.backend(waiting) == nil)
        try driver.end(out[2])
        #expect(driver.backend(waiting) == 0)
    }

    @Test
    func aDeadWorkersPermitsAndQuestionsComeBack() throws {
        var driver = SchedulerDriver([SchedulerDriver.backend(0, limit: 1)])
        driver.worker = WorkerID(life: 1)
        _ = try driver.ask([0])
        let lost = try driver.ask([0])
        driver.worker = WorkerID(life: 2)
        let waiting = try driver.ask([0])
        driver.take(driver.scheduler.died(WorkerID(life: 1), at: driver.now))
        #expect(driver.backend(lost) == nil)
        #expect(driver.backend(waiting) == 0)
        #expect(driver.view(0).inFlight == 1)
        #expect(driver.scheduler.queued == 0)
    }

    @Test
    func toldRequestsCountInFlight() throws {
        var driver = SchedulerDriver([SchedulerDriver.backend(0)])
        let ticket = driver.newTicket()
        driver.take(try driver.scheduler.began(ticket, SchedulerDriver.question([0]), at: driver.now))
        #expect(driver.view(0).inFlight == 1)
        try driver.end(ticket)
        #expect(driver.view(0).inFlight == 0)
        #expect(driver.view(0).requests == 1)
    }

    @Test
    func aWorkerThatBreaksTheContractIsToldSo() throws {
        var driver = SchedulerDriver([SchedulerDriver.backend(0, limit: 1)]) { $0.queue.wait = .seconds(1) }
        let held = try driver.ask([0])
        #expect(throws: Scheduler.Violation.ticketInUse(1)) {
            try driver.scheduler.admit(held, SchedulerDriver.question([0]), at: driver.now)
        }
        #expect(throws: Scheduler.Violation.unknownTicket(9)) {
            try driver.scheduler.ended(.init(worker: driver.worker, number: 9), .init(.well), at: driver.now)
        }
        #expect(throws: Scheduler.Violation.unknownBackend(BackendNumber(7))) {
            try driver.scheduler.began(
                driver.newTicket(), SchedulerDriver.question([7]), at: driver.now)
        }
        // A refusal and the withdrawal of its question may meet on the way; once.
        let late = try driver.ask([0])
        driver.wait(2)
        #expect(driver.refused[late] == .waitedTooLong)
        try driver.end(late, .notSent)
        #expect(throws: Scheduler.Violation.unknownTicket(late.number)) {
            try driver.scheduler.ended(late, .init(.notSent), at: driver.now)
        }
        var small = Scheduler(.init(), ticketsPerWorker: 1)
        _ = small.apply(SchedulerDriver.backend(0), at: driver.now)
        _ = try small.admit(held, SchedulerDriver.question([0]), at: driver.now)
        #expect(throws: Scheduler.Violation.tooManyTickets) {
            try small.admit(driver.newTicket(), SchedulerDriver.question([0]), at: driver.now)
        }
    }

    @Test
    func theQueueIsBounded() throws {
        var driver = SchedulerDriver([SchedulerDriver.backend(0, limit: 1)]) { $0.queue.length = 2 }
        _ = try driver.ask([0])
        let waiting = [try driver.ask([0]), try driver.ask([0])]
        #expect(driver.refused[try driver.ask([0])] == .queueFull(waiting: 2))
        driver.wait(301)
        for ticket in waiting { #expect(driver.refused[ticket] == .waitedTooLong) }
        #expect(driver.scheduler.queued == 0)
    }

    @Test
    func aBackendThatIsGoneIsWaitedForByNobody() throws {
        var driver = SchedulerDriver(SchedulerDriver.backends(2, limit: 1))
        let out = try driver.ask([0])
        let only = try driver.ask([0])
        driver.take(driver.scheduler.remove(BackendNumber(0), at: driver.now))
        #expect(driver.refused[only] == .noBackend)
        #expect(driver.refused[try driver.ask([0])] == .noBackend)
        try driver.end(out)
        driver.take(driver.scheduler.apply(SchedulerDriver.backend(0, limit: 1), at: driver.now))
        let again = try driver.ask([0])
        #expect(driver.backend(again) == 0)
    }

    @Test
    func aRequestSentAgainEndsTheOlder() throws {
        var driver = SchedulerDriver([SchedulerDriver.backend(0, limit: 1)])
        func same(_ question: inout AdmissionQuestion) {
            question.session = 1
            question.fingerprint = 5
        }
        let running = try driver.ask([0], same)
        let plain = try driver.ask([0], same)
        #expect(driver.told.allSatisfy { $0 != .supersede(running) && $0 != .supersede(plain) })
        // Another client's, and another session's, are not meant.
        for other in ["d", "c"] {
            let ticket = try driver.ask([0], client: other) {
                same(&$0)
                $0.isRetry = true
                if other == "c" { $0.session = 2 }
            }
            try driver.end(ticket, .notSent)
        }
        #expect(driver.told.allSatisfy { if case .supersede = $0 { false } else { true } })
        let retry = try driver.ask([0]) {
            same(&$0)
            $0.isRetry = true
        }
        #expect(driver.told.contains(.supersede(plain)))
        // It waited: it is out of the queue, and its worker's notice is expected.
        try driver.end(running)
        #expect(driver.backend(retry) == 0)
        #expect(driver.backend(plain) == nil)
        try driver.end(plain, .notSent)
        // One that is running is told of and ends by itself.
        let again = try driver.ask([0]) {
            same(&$0)
            $0.isRetry = true
        }
        #expect(driver.told.contains(.supersede(retry)))
        try driver.end(retry)
        #expect(driver.backend(again) == 0)
    }
}
