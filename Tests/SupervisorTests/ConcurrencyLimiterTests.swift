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

    @Test("over any history: never above the limit, first come first served, nothing lost", arguments: 1...6)
    func history(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var limiter = ConcurrencyLimiter(limits: ["a": 3], ticketsPerWorker: 10_000)
        var waiting: [Ticket] = []
        var granted: [Ticket] = []
        var next: UInt64 = 0
        for _ in 0..<4000 {
            var came: [Ticket] = []
            switch random.next() % 5 {
            case 0, 1:
                let ticket = Ticket(worker: WorkerID(life: UInt32(random.next() % 3)), number: next)
                next += 1
                if try limiter.acquire(ticket, of: "a") {
                    #expect(waiting.isEmpty)
                    granted.append(ticket)
                } else {
                    waiting.append(ticket)
                }
            case 2, 3:
                guard let one = (granted + waiting).randomElement(using: &random) else { continue }
                granted.removeAll { $0 == one }
                waiting.removeAll { $0 == one }
                came = try limiter.release(one)
            default:
                guard random.next() % 40 == 0 else { continue }
                granted.removeAll { $0.worker == 1 }
                waiting.removeAll { $0.worker == 1 }
                came = limiter.reclaim(1)
            }
            #expect(came == Array(waiting.prefix(came.count)))
            waiting.removeFirst(min(came.count, waiting.count))
            granted += came
            #expect(granted.count <= 3 && (granted.count == 3 || waiting.isEmpty))
            #expect(
                limiter.usage(of: "a").out == granted.count && limiter.usage(of: "a").waiting == waiting.count
            )
        }
    }
}
