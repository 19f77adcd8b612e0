// Permits of backends with `max_concurrent`: never too many, in the order asked, never lost.

import Testing

@testable import Supervisor

private typealias Grant = ConcurrencyLimiter.Grant

@Suite("Permits") struct ConcurrencyLimiterTests {
    private func book(_ limits: [Int?] = [2, nil]) -> ConcurrencyLimiter {
        ConcurrencyLimiter(limits: limits, ticketsPerWorker: 4)
    }

    @Test("permits never exceed the limit and go out in the order asked, whichever worker asks")
    func order() throws {
        var book = book()
        #expect(try book.acquire(worker: 0, ticket: 1, backend: 0) == Grant(worker: 0, ticket: 1))
        #expect(try book.acquire(worker: 1, ticket: 1, backend: 0) == Grant(worker: 1, ticket: 1))
        #expect(try book.acquire(worker: 0, ticket: 2, backend: 0) == nil)
        #expect(try book.acquire(worker: 1, ticket: 2, backend: 0) == nil)
        #expect(try book.acquire(worker: 0, ticket: 3, backend: 0) == nil)
        #expect(book.usage[0].out == 2 && book.usage[0].waiting == 3)
        #expect(try book.relinquish(worker: 1, ticket: 1) == [Grant(worker: 0, ticket: 2)])
        #expect(try book.relinquish(worker: 0, ticket: 2) == [Grant(worker: 1, ticket: 2)])
        #expect(try book.relinquish(worker: 0, ticket: 1) == [Grant(worker: 0, ticket: 3)])
        #expect(try book.relinquish(worker: 0, ticket: 3).isEmpty)
        #expect(book.usage[0].out == 1 && book.usage[0].waiting == 0)
    }

    @Test("a withdrawn question is never answered")
    func withdrawn() throws {
        var book = book([1])
        for ticket in 1...3 as ClosedRange<UInt64> {
            _ = try book.acquire(worker: 0, ticket: ticket, backend: 0)
        }
        #expect(try book.relinquish(worker: 0, ticket: 2).isEmpty)
        #expect(try book.relinquish(worker: 0, ticket: 1) == [Grant(worker: 0, ticket: 3)])
    }

    @Test("a dead worker's permits go to the others, its questions to nobody")
    func reclaim() throws {
        var book = book()
        for ticket in 1...4 as ClosedRange<UInt64> {
            _ = try book.acquire(worker: 0, ticket: ticket, backend: 0)
        }
        _ = try book.acquire(worker: 1, ticket: 9, backend: 0)
        _ = try book.acquire(worker: 2, ticket: 9, backend: 0)
        _ = try book.acquire(worker: 2, ticket: 10, backend: 0)
        #expect(book.reclaim(worker: 0) == [Grant(worker: 1, ticket: 9), Grant(worker: 2, ticket: 9)])
        #expect(book.usage[0].out == 2 && book.usage[0].waiting == 1)
        #expect(book.reclaim(worker: 0).isEmpty)
    }

    @Test("a backend without a limit grants at once")
    func unlimited() throws {
        var book = ConcurrencyLimiter(limits: [nil], ticketsPerWorker: 10_000)
        for ticket in 0..<5000 as Range<UInt64> {
            #expect(try book.acquire(worker: 0, ticket: ticket, backend: 0) != nil)
        }
    }

    @Test("what is not permitted is refused")
    func refused() throws {
        var book = book()
        #expect(throws: ConcurrencyLimiter.Refusal.unknownBackend(2)) {
            try book.acquire(worker: 0, ticket: 1, backend: 2)
        }
        #expect(throws: ConcurrencyLimiter.Refusal.unknownBackend(.max)) {
            try book.acquire(worker: 0, ticket: 1, backend: .max)
        }
        #expect(throws: ConcurrencyLimiter.Refusal.unknownTicket(1)) {
            try book.relinquish(worker: 0, ticket: 1)
        }
        for ticket in 1...4 as ClosedRange<UInt64> {
            _ = try book.acquire(worker: 0, ticket: ticket, backend: 1)
        }
        #expect(throws: ConcurrencyLimiter.Refusal.ticketInUse(1)) {
            try book.acquire(worker: 0, ticket: 1, backend: 1)
        }
        #expect(throws: ConcurrencyLimiter.Refusal.tooMany) {
            try book.acquire(worker: 0, ticket: 5, backend: 1)
        }
        #expect(throws: ConcurrencyLimiter.Refusal.unknownTicket(1)) {
            try book.relinquish(worker: 1, ticket: 1)
        }
    }

    @Test("over any history: never above the limit, first come first served, nothing lost", arguments: 1...6)
    func history(seed: UInt64) throws {
        var random = Seeded(state: seed)
        var book = ConcurrencyLimiter(limits: [3], ticketsPerWorker: 10_000)
        var waiting: [Grant] = []
        var granted: [Grant] = []
        var next: UInt64 = 0
        for _ in 0..<4000 {
            var came: [Grant] = []
            switch random.next() % 5 {
            case 0, 1:
                let grant = Grant(worker: Int(random.next() % 3), ticket: next)
                next += 1
                if try book.acquire(worker: grant.worker, ticket: grant.ticket, backend: 0) != nil {
                    #expect(waiting.isEmpty)
                    granted.append(grant)
                } else {
                    waiting.append(grant)
                }
            case 2, 3:
                guard let one = (granted + waiting).randomElement(using: &random) else { continue }
                granted.removeAll { $0 == one }
                waiting.removeAll { $0 == one }
                came = try book.relinquish(worker: one.worker, ticket: one.ticket)
            default:
                guard random.next() % 40 == 0 else { continue }
                granted.removeAll { $0.worker == 1 }
                waiting.removeAll { $0.worker == 1 }
                came = book.reclaim(worker: 1)
            }
            #expect(came == Array(waiting.prefix(came.count)))
            waiting.removeFirst(min(came.count, waiting.count))
            granted += came
            #expect(granted.count <= 3 && (granted.count == 3 || waiting.isEmpty))
            #expect(book.usage[0].out == granted.count && book.usage[0].waiting == waiting.count)
        }
    }
}
