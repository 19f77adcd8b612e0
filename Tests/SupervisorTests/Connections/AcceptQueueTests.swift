// Who waits for a slot, in which order, and how one leaves from the middle of the queue.

import Shared
import Testing

@testable import Supervisor

@Suite("AcceptQueue") struct AcceptQueueTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

    @Test(
        "what comes back from a dead worker stands before all others, oldest first, even beyond the capacity")
    func putBack() {
        var queue = AcceptQueue(capacity: 3)
        for id in 5...7 as ClosedRange<UInt64> { queue.append(id) }
        #expect(queue.isFull)
        queue.set(.other, for: 6)
        queue.putBack([4, 2])
        #expect(queue.entries.map(\.id) == [2, 4, 5, 6, 7] && queue.count == 5 && queue.isFull)
        #expect(queue.look(of: 6) == .other && queue.look(of: 2) == AcceptQueue.Look.none)
        #expect(queue.speaking == 1)
    }

    @Test("one that leaves takes with it what was known of it, and nothing else")
    func leaving() {
        var queue = AcceptQueue()
        for id in 1...4 as ClosedRange<UInt64> { queue.append(id) }
        queue.set(.asked(worker: 0, since: start), for: 2)
        queue.set(.recalled(worker: 1, since: start), for: 3)
        queue.finished(4)
        #expect(queue.remove(2) && !queue.remove(2) && !queue.remove(9))
        #expect(queue.look(of: 2) == nil && queue.looks == [1: 1])
        #expect(queue.owed.map(\.worker) == [1])
        #expect(queue.entries.map(\.hasFinished) == [false, false, true])
        queue.set(.other, for: 2)
        queue.finished(2)
        #expect(queue.entries.map(\.id) == [1, 3, 4])
    }

    @Test("what a dead worker was looking at is unseen again")
    func forgetting() {
        var queue = AcceptQueue()
        for id in 1...4 as ClosedRange<UInt64> { queue.append(id) }
        queue.set(.asked(worker: 0, since: start), for: 1)
        queue.set(.asked(worker: 1, since: start), for: 2)
        queue.set(.recalled(worker: 0, since: start), for: 3)
        queue.set(.other, for: 4)
        queue.forget(worker: 0)
        #expect(
            queue.entries.map(\.look) == [.none, .asked(worker: 1, since: start), .none, .other])
    }
}
