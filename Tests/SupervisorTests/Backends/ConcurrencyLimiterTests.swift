// Permits of backends with `max_concurrent`: never too many, in the order asked, never lost.

import Shared
import TestSupport
import Testing

@testable import Supervisor

private typealias Ticket = ConcurrencyLimiter.Ticket

@Suite("Permits") struct ConcurrencyLimiterTests {
    private func limiter(_ limit: Int = 2) -> ConcurrencyLimiter {
        ConcurrencyLimiter(limits: ["a": limit, "b": nil], ticketsPerWorker: 4)
    }

    @Test("permits never exceed the limit and go out in the order asked, whichever worker asks")
    func order() throws {
        var limiter = limiter()
        #expect(try limiter.acquire(Ticket(worker: 0, number: 1), of: "a"))
        #expect(try limiter.acquire(Ticket(worker: 1, number: 1), of: "a"))
        #expect(try !limiter.acquire(Ticket(worker: 0, number: 2), of: "a"))
        #expect(try !limiter.acquire(Ticket(worker: 1, number: 2), of: "a"))
        #expect(try !limiter.acquire(Ticket(worker: 0, number: 3), of: "a"))
        #expect(limiter.usage(of: "a").out == 2 && limiter.usage(of: "a").waiting == 3)
        #expect(try limiter.release(Ticket(worker: 1, number: 1)) == [Ticket(worker: 0, number: 2)])
        #expect(try limiter.release(Ticket(worker: 0, number: 2)) == [Ticket(worker: 1, number: 2)])
        #expect(try limiter.release(Ticket(worker: 0, number: 1)) == [Ticket(worker: 0, number: 3)])
        #expect(try limiter.release(Ticket(worker: 0, number: 3)).isEmpty)
        #expect(limiter.usage(of: "a").out == 1 && limiter.usage(of: "a").waiting == 0)
    }

    @Test("a withdrawn question is never answered")
    func withdrawn() throws {
        var limiter = limiter(1)
        for ticket in 1...3 as ClosedRange<UInt64> {
            _ = try limiter.acquire(Ticket(worker: 0, number: ticket), of: "a")
        }
        #expect(try limiter.release(Ticket(worker: 0, number: 2)).isEmpty)
        #expect(try limiter.release(Ticket(worker: 0, number: 1)) == [Ticket(worker: 0, number: 3)])
    }

    @Test("a dead worker's permits go to the others, its questions to nobody")
    func reclaim() throws {
        var limiter = limiter()
        for ticket in 1...4 as ClosedRange<UInt64> {
            _ = try limiter.acquire(Ticket(worker: 0, number: ticket), of: "a")
        }
        _ = try limiter.acquire(Ticket(worker: 1, number: 9), of: "a")
        _ = try limiter.acquire(Ticket(worker: 2, number: 9), of: "a")
        _ = try limiter.acquire(Ticket(worker: 2, number: 10), of: "a")
        #expect(limiter.reclaim(0) == [Ticket(worker: 1, number: 9), Ticket(worker: 2, number: 9)])
        #expect(limiter.usage(of: "a").out == 2 && limiter.usage(of: "a").waiting == 1)
        #expect(limiter.reclaim(0).isEmpty)
    }

    @Test("a backend without a limit grants at once")
    func unlimited() throws {
        var limiter = ConcurrencyLimiter(limits: ["a": nil], ticketsPerWorker: 10_000)
        for ticket in 0..<5000 as Range<UInt64> {
            #expect(try limiter.acquire(Ticket(worker: 0, number: ticket), of: "a"))
        }
    }

    @Test("what is not permitted is refused")
    func refused() throws {
        var limiter = limiter()
        #expect(throws: ConcurrencyLimiter.Refusal.unknownBackend("c")) {
            try limiter.acquire(Ticket(worker: 0, number: 1), of: "c")
        }
        #expect(throws: ConcurrencyLimiter.Refusal.unknownBackend("")) {
            try limiter.acquire(Ticket(worker: 0, number: 1), of: "")
        }
        #expect(throws: ConcurrencyLimiter.Refusal.unknownTicket(1)) {
            try limiter.release(Ticket(worker: 0, number: 1))
        }
        for ticket in 1...4 as ClosedRange<UInt64> {
            _ = try limiter.acquire(Ticket(worker: 0, number: ticket), of: "b")
        }
        #expect(throws: ConcurrencyLimiter.Refusal.ticketInUse(1)) {
            try limiter.acquire(Ticket(worker: 0, number: 1), of: "b")
        }
        #expect(throws: ConcurrencyLimiter.Refusal.tooMany) {
            try limiter.acquire(Ticket(worker: 0, number: 5), of: "b")
        }
        #expect(throws: ConcurrencyLimiter.Refusal.unknownTicket(1)) {
            try limiter.release(Ticket(worker: 1, number: 1))
        }
    }

    // MARK: Other limits

    private struct Step: Sendable, CustomTestStringConvertible {
        var why: String
        /// Tickets 1… of worker 0 ask for backend `a`, whose limit is 2.
        var asked: UInt64 = 5
        var limits: [BackendID: Int?]
        var granted: [UInt64] = []
        var refused: [UInt64] = []
        var out = 2
        var waiting = 3
        /// Whose turn it is after ticket 1 and then ticket 2 are released.
        var after: [[UInt64]]
        var testDescription: String { why }
    }

    private static let steps = [
        Step(why: "the same", limits: ["a": 2], after: [[3], [4]]),
        Step(why: "one more", limits: ["a": 3], granted: [3], out: 3, waiting: 2, after: [[4], [5]]),
        Step(
            why: "more than wait", limits: ["a": 9], granted: [3, 4, 5], out: 5, waiting: 0, after: [[], []]),
        Step(why: "none", limits: ["a": nil], granted: [3, 4, 5], out: 5, waiting: 0, after: [[], []]),
        Step(why: "one less: permits out are kept", limits: ["a": 1], after: [[], [3]]),
        Step(why: "less, and nobody waits", asked: 2, limits: ["a": 1], waiting: 0, after: [[], []]),
        Step(why: "another backend comes", limits: ["a": 2, "c": 1], after: [[3], [4]]),
        Step(why: "it is gone", limits: [:], refused: [3, 4, 5], waiting: 0, after: [[], []]),
        Step(why: "gone, and nobody waits", asked: 1, limits: ["c": 1], out: 1, waiting: 0, after: [[]]),
        Step(why: "gone and not in use", asked: 0, limits: ["c": 1], out: 0, waiting: 0, after: []),
    ]

    @Test(
        "other limits: permits out are kept, who waits is granted, goes on waiting or is refused",
        arguments: steps)
    private func change(_ step: Step) throws {
        func tickets(_ numbers: [UInt64]) -> [Ticket] { numbers.map { Ticket(worker: 0, number: $0) } }
        var limiter = ConcurrencyLimiter(limits: ["a": 2], ticketsPerWorker: 8)
        for number in 0..<step.asked {
            _ = try limiter.acquire(Ticket(worker: 0, number: number + 1), of: "a")
        }
        let change = limiter.apply(limits: step.limits)
        #expect(change == .init(granted: tickets(step.granted), refused: tickets(step.refused)))
        #expect(limiter.usage(of: "a") == (step.out, step.waiting))
        for (index, expected) in step.after.enumerated() {
            let released = Ticket(worker: 0, number: UInt64(index) + 1)
            #expect(try limiter.release(released) == tickets(expected), "after \(index + 1)")
        }
    }

    @Test("a backend that is gone grants nothing, and is forgotten with its last permit")
    func gone() throws {
        var limiter = limiter(1)
        #expect(try limiter.acquire(Ticket(worker: 0, number: 1), of: "a"))
        #expect(try !limiter.acquire(Ticket(worker: 1, number: 1), of: "a"))
        #expect(limiter.apply(limits: ["b": nil]) == .init(refused: [Ticket(worker: 1, number: 1)]))
        #expect(limiter.backends == ["a", "b"])
        #expect(throws: ConcurrencyLimiter.Refusal.unknownBackend("a")) {
            try limiter.acquire(Ticket(worker: 0, number: 2), of: "a")
        }
        #expect(limiter.apply(limits: ["b": nil]) == .init())
        #expect(try limiter.release(Ticket(worker: 0, number: 1)).isEmpty)
        #expect(limiter.backends == ["b"] && limiter.usage(of: "a") == (0, 0))
    }

    @Test("a dead worker's last permit of a backend that is gone is forgotten too")
    func goneWithItsWorker() throws {
        var limiter = limiter(1)
        _ = try limiter.acquire(Ticket(worker: 0, number: 1), of: "a")
        _ = try limiter.acquire(Ticket(worker: 0, number: 2), of: "a")
        #expect(limiter.apply(limits: [:]).refused == [Ticket(worker: 0, number: 2)])
        #expect(limiter.reclaim(0).isEmpty)
        #expect(limiter.backends.isEmpty)
    }

    @Test("a backend that is back counts the permits that are still out")
    func back() throws {
        var limiter = limiter(2)
        _ = try limiter.acquire(Ticket(worker: 0, number: 1), of: "a")
        _ = limiter.apply(limits: [:])
        #expect(limiter.apply(limits: ["a": 1]) == .init())
        #expect(try !limiter.acquire(Ticket(worker: 1, number: 1), of: "a"))
        #expect(try limiter.release(Ticket(worker: 0, number: 1)) == [Ticket(worker: 1, number: 1)])
    }

    @Test(
        "a refused ticket is its worker's until released: a withdrawal that crosses the refusal is no fault")
    func refusedTickets() throws {
        var limiter = limiter(1)
        _ = try limiter.acquire(Ticket(worker: 0, number: 1), of: "a")
        _ = try limiter.acquire(Ticket(worker: 1, number: 7), of: "a")
        _ = limiter.apply(limits: ["b": nil])
        #expect(throws: ConcurrencyLimiter.Refusal.ticketInUse(7)) {
            try limiter.acquire(Ticket(worker: 1, number: 7), of: "b")
        }
        #expect(try limiter.release(Ticket(worker: 1, number: 7)).isEmpty)
        #expect(throws: ConcurrencyLimiter.Refusal.unknownTicket(7)) {
            try limiter.release(Ticket(worker: 1, number: 7))
        }
        #expect(try limiter.acquire(Ticket(worker: 1, number: 7), of: "b"))
    }

    @Test(
        "over any history and any limits: none granted above the limit, first come first served, nothing lost",
        arguments: 1...6)
    func history(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var limiter = ConcurrencyLimiter(limits: ["a": 3], ticketsPerWorker: 10_000)
        var waiting: [Ticket] = []
        var granted: [Ticket] = []
        var next: UInt64 = 0
        var limit = 3
        for _ in 0..<4000 {
            var came: [Ticket] = []
            switch random.next() % 6 {
            case 0, 1:
                let ticket = Ticket(worker: WorkerID(life: UInt32(random.next() % 3)), number: next)
                next += 1
                if try limiter.acquire(ticket, of: "a") {
                    #expect(waiting.isEmpty && granted.count < limit)
                    granted.append(ticket)
                } else {
                    waiting.append(ticket)
                }
            case 2, 3:
                guard let one = (granted + waiting).randomElement(using: &random) else { continue }
                granted.removeAll { $0 == one }
                waiting.removeAll { $0 == one }
                came = try limiter.release(one)
            case 4:
                guard random.next() % 20 == 0 else { continue }
                limit = 1 + Int(random.next() % 5)
                let change = limiter.apply(limits: ["a": limit])
                #expect(change.refused.isEmpty)
                came = change.granted
            default:
                guard random.next() % 40 == 0 else { continue }
                granted.removeAll { $0.worker == 1 }
                waiting.removeAll { $0.worker == 1 }
                came = limiter.reclaim(1)
            }
            #expect(came == Array(waiting.prefix(came.count)))
            waiting.removeFirst(min(came.count, waiting.count))
            granted += came
            #expect(came.isEmpty || granted.count <= limit)
            #expect(granted.count >= limit || waiting.isEmpty)
            #expect(
                limiter.usage(of: "a").out == granted.count && limiter.usage(of: "a").waiting == waiting.count
            )
        }
    }
}
