import Scheduling
import Shared
import Testing

@Suite
struct HealthTests {
    typealias Driver = SchedulerDriver

    @Test
    func checksFallAndRise() {
        var driver = Driver([Driver.backend(0)], checked: false) { $0.health.rise = 2 }
        #expect(driver.view(0).state == .unknown)
        driver.check(0, .bad(reason: "refused"))
        #expect(driver.lines() == [.down(reason: "refused")])
        driver.check(0, .good)
        #expect(driver.view(0).state == .down)
        driver.check(0, .good)
        #expect(driver.lines() == [.up])
        for _ in 0..<2 { driver.check(0, .bad(reason: "slow")) }
        driver.check(0, .good)
        for _ in 0..<2 { driver.check(0, .bad(reason: "slow")) }
        #expect(driver.lines() == [])
        driver.check(0, .bad(reason: "slow"))
        #expect(driver.lines() == [.down(reason: "slow")])
        #expect(driver.view(0).reason == "slow")
    }

    @Test
    func aBackendDownForAMinuteIsLost() {
        var driver = Driver([Driver.backend(0)])
        for _ in 0..<3 { driver.check(0, .bad(reason: "refused")) }
        driver.wait(59)
        #expect(!driver.scheduler.condition(of: BackendNumber(0), at: driver.now).isLost)
        driver.told = []
        driver.wait(2)
        #expect(driver.scheduler.condition(of: BackendNumber(0), at: driver.now).isLost)
        #expect(driver.told == [.conditionChanged(BackendNumber(0))])
    }

    /// Failures of one kind, and what opens: nil = nothing.
    @Test(arguments: [
        (AttemptReport.Verdict.unreachable, true), (.broken, true), (.failed(status: 500), true),
        (.firstByteTimeout, true), (.stalled, true), (.busy(rest: 0), false), (.loading, false),
        (.modelMissing, false), (.notSent, false), (.well, false),
    ])
    func verdictsThatCount(_ verdict: AttemptReport.Verdict, _ isCounted: Bool) throws {
        var driver = Driver([Driver.backend(0)])
        for count in 1...5 {
            #expect(driver.view(0).breaker == .closed, "after \(count - 1)")
            try driver.run([0], verdict)
            driver.wait(0.1)
        }
        #expect((driver.view(0).breaker == .open) == isCounted)
        #expect(driver.view(0).failures == (isCounted ? 5 : 0))
        let opened = Scheduler.StateChange.What.opened(failures: 5, rest: .seconds(10))
        #expect(driver.lines() == (isCounted ? [opened] : []))
    }

    @Test
    func failuresThatAreFarApartCountForNothing() throws {
        var driver = Driver([Driver.backend(0)])
        for _ in 0..<20 {
            try driver.run([0], .failed(status: 500))
            driver.wait(8)
        }
        #expect(driver.view(0).breaker == .closed)
    }

    @Test
    func theBreakersRestDoublesAndATrialCloses() throws {
        var driver = Driver(Driver.backends(2))
        for _ in 0..<5 { try driver.run([0], .unreachable) }
        #expect(driver.view(0).state == .ejected)
        #expect(try driver.run([0, 1]) == 1)
        var rest = 10.0
        for _ in 0..<6 {
            driver.told = []
            driver.wait(rest + 0.1)
            #expect(driver.lines() == [.halfOpened])
            #expect(driver.view(0).state == .probing)
            let trial = try driver.ask([0, 1])
            #expect(driver.backend(trial) == 0)
            #expect(driver.granted[trial]?.isTrial == true)
            // Only one at a time.
            #expect(try driver.run([0, 1]) == 1)
            try driver.end(trial, .failed(status: 502))
            rest = min(rest * 2, 300)
            let last = driver.lines().last
            guard case .opened(_, let told)? = last else {
                Issue.record("not opened: \(String(describing: last))")
                return
            }
            #expect(told == .seconds(rest))
        }
        driver.wait(301)
        let trial = try driver.ask([0, 1])
        driver.take(try driver.scheduler.answered(trial, at: driver.now))
        #expect(driver.lines().last == .closed)
        #expect(driver.view(0).breaker == .closed)
        try driver.end(trial)
    }

    @Test
    func aModelsFailuresOpenThePairAlone() throws {
        let other = ModelDigest(of: "other")
        var driver = Driver(Driver.backends(2))
        try driver.run([0], model: other)
        for _ in 0..<5 { try driver.run([0], .failed(status: 500)) }
        #expect(driver.view(0).breaker == .closed)
        #expect(driver.view(0).openModels == [Driver.model])
        #expect(
            driver.told.contains(
                .modelConditionChanged(BackendNumber(0), Driver.model, isOpen: false)))
        #expect(driver.lines() == [.opened(failures: 5, rest: .seconds(10))])
        #expect(driver.scheduler.closedModels(of: BackendNumber(0)) == [Driver.model])
        #expect(try driver.run([0, 1]) == 1)
        // The other model goes on; when it fails as well, that was all of them.
        for _ in 0..<5 { #expect(try driver.run([0], .stalled, model: other) == 0) }
        #expect(driver.view(0).breaker == .open)
    }

    @Test
    func ofSeveralListedModelsOneIsNotAll() throws {
        var driver = Driver([Driver.backend(0)])
        driver.scheduler.listed(BackendNumber(0), models: 3, slots: nil)
        for _ in 0..<5 { try driver.run([0], .failed(status: 500)) }
        #expect(driver.view(0).breaker == .closed)
        #expect(driver.view(0).openModels == [Driver.model])
    }

    @Test
    func theLastOneStaysInUseOneAtATime() throws {
        var driver = Driver([Driver.backend(0)])
        for _ in 0..<5 { try driver.run([0], .failed(status: 500)) }
        let first = try driver.ask([0])
        let second = try driver.ask([0])
        #expect(driver.granted[first]?.isTrial == true)
        #expect(driver.backend(second) == nil)
        try driver.end(first, .failed(status: 500))
        #expect(driver.backend(second) == 0)
        let third = try driver.ask([0])
        let fourth = try driver.ask([0])
        driver.told = []
        try driver.end(second)
        #expect(driver.lines() == [.closed])
        #expect(driver.backend(third) == 0)
        #expect(driver.backend(fourth) == 0)
    }

    @Test
    func aRequestThatSucceedsBringsABackendUp() throws {
        var driver = Driver([Driver.backend(0)])
        for _ in 0..<3 { driver.check(0, .bad(reason: "refused")) }
        #expect(driver.view(0).state == .down)
        driver.told = []
        #expect(try driver.run([0]) == 0)
        #expect(driver.lines() == [.up])
        #expect(driver.view(0).state == .up)
    }

    @Test
    func whoReturnsBeginsWithAClosedBreaker() throws {
        var driver = Driver(Driver.backends(2))
        for _ in 0..<5 { try driver.run([0], .unreachable) }
        for _ in 0..<3 { driver.check(0, .bad(reason: "refused")) }
        driver.check(0, .good)
        #expect(driver.view(0).breaker == .closed)
        #expect(
            driver.lines() == [
                .opened(failures: 5, rest: .seconds(10)), .down(reason: "refused"), .up, .closed,
            ])
        #expect(driver.scheduler.condition(of: BackendNumber(0), at: driver.now).isOpen)
    }

    @Test
    func whoAsksForPeaceHasIt() throws {
        var driver = Driver(Driver.backends(2))
        try driver.run([0], .busy(rest: 20))
        #expect(!driver.scheduler.condition(of: BackendNumber(0), at: driver.now).isOpen)
        #expect(try driver.run([0, 1]) == 1)
        let waiting = try driver.ask([0])
        driver.wait(19)
        #expect(driver.backend(waiting) == nil)
        driver.wait(2)
        #expect(driver.backend(waiting) == 0)
        #expect(driver.scheduler.condition(of: BackendNumber(0), at: driver.now).isOpen)
        try driver.end(waiting)
        #expect(driver.lines() == [])

        var short = Driver([Driver.backend(0)]) { $0.queue.wait = .seconds(5) }
        try short.run([0], .busy(rest: 200))
        #expect(short.refused[try short.ask([0])] == .resting(seconds: 60))
        short.wait(170)
        #expect(short.refused[try short.ask([0])] == .resting(seconds: 30))
    }

    @Test
    func aMissingModelIsLookedForElsewhere() throws {
        var driver = Driver(Driver.backends(2))
        try driver.run([0], .modelMissing)
        for _ in 0..<3 { #expect(try driver.run([0, 1]) == 1) }
        #expect(try driver.run([0]) == 0)
        driver.wait(11)
        #expect(driver.scheduler.closedModels(of: BackendNumber(0)).isEmpty)
    }

    @Test
    func aFlappingBackendFillsNoJournal() {
        var driver = Driver([Driver.backend(0)]) { $0.health.fall = 1 }
        for _ in 0..<500 {
            driver.check(0, .bad(reason: "x"))
            driver.check(0, .good)
            driver.wait(0.05)
        }
        // The first was that it is up.
        #expect(driver.lines().count == 19)
        driver.wait(60)
        #expect(driver.lines() == [.flapping(changes: 981)])
        driver.wait(120)
        #expect(driver.lines() == [])
    }
}
