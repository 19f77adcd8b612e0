// What becomes of accepted connections: slots, the queue, verdicts, and hand-over after a death.

import Shared
import TestSupport
import Testing

@testable import Supervisor

private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

private func dispatcher(_ slots: Int...) -> ConnectionDispatcher {
    var dispatcher = ConnectionDispatcher()
    for (worker, count) in slots.enumerated() {
        dispatcher.opened(worker: WorkerID(life: UInt32(worker)), slots: count)
    }
    return dispatcher
}

extension ConnectionDispatcher {
    fileprivate mutating func arrive(_ id: UInt64, at now: MonotonicInstant = start) -> [Action] {
        arrived(id)
        return dispatchWaiting(at: now)
    }
}

@Suite("ConnectionDispatcher") struct ConnectionDispatcherTests {
    @Test("connections spread by free slots and are closed when acknowledged")
    func spread() throws {
        var dispatcher = dispatcher(2, 3)
        #expect(dispatcher.arrive(1) == [.pass(id: 1, to: 1)])
        #expect(dispatcher.arrive(2) == [.pass(id: 2, to: 0)])
        #expect(try dispatcher.accepted(1, by: 1) == .close(id: 1))
        #expect(dispatcher.arrive(3) == [.pass(id: 3, to: 1)])
        #expect(dispatcher.used == 3 && dispatcher.unacknowledged == 2)
    }

    @Test("none free: shown to a worker, room asked for; a free slot goes to the oldest, after its verdict")
    func queue() throws {
        var dispatcher = dispatcher(1)
        _ = dispatcher.arrive(1)
        _ = try dispatcher.accepted(1, by: 0)
        #expect(dispatcher.arrive(2) == [.peek(id: 2, by: 0)])
        #expect(dispatcher.arrive(3) == [.peek(id: 3, by: 0)])
        try dispatcher.released(1, by: 0)
        #expect(dispatcher.dispatchWaiting(at: start) == [.unpeek(id: 2, from: 0)])
        #expect(try dispatcher.peeked(3, .other, by: 0) == nil)
        #expect(dispatcher.dispatchWaiting(at: start) == [.closeIdle(worker: 0, count: 1)])
        #expect(try dispatcher.peeked(2, .other, by: 0) == nil)
        #expect(dispatcher.dispatchWaiting(at: start) == [.pass(id: 2, to: 0)])
        #expect(
            dispatcher.dispatchWaiting(at: start + .milliseconds(100)) == [.closeIdle(worker: 0, count: 1)])
        #expect(dispatcher.waiting == 1)
    }

    @Test("who has said something goes before those who have not, and only for them room is asked for")
    func silence() throws {
        var dispatcher = dispatcher(1)
        _ = dispatcher.arrive(1)
        _ = try dispatcher.accepted(1, by: 0)
        for id in 2...4 as ClosedRange<UInt64> { #expect(dispatcher.arrive(id) == [.peek(id: id, by: 0)]) }
        #expect(dispatcher.dispatchWaiting(at: start + .seconds(1)) == [])
        #expect(try dispatcher.peeked(4, .other, by: 0) == nil)
        #expect(dispatcher.dispatchWaiting(at: start + .seconds(1)) == [.closeIdle(worker: 0, count: 1)])
        try dispatcher.released(1, by: 0)
        #expect(dispatcher.dispatchWaiting(at: start + .seconds(1)) == [.pass(id: 4, to: 0)])
    }

    @Test(
        "silent connections leave a full queue after a moment, oldest first; any queue after the head's time")
    func givingWay() throws {
        var dispatcher = ConnectionDispatcher(queue: 3, patience: .seconds(10))
        dispatcher.opened(worker: 0, slots: 1)
        for id in 1...3 as ClosedRange<UInt64> { _ = dispatcher.arrive(id) }
        let later = start + .milliseconds(100)
        #expect(dispatcher.arrive(4, at: later) == [.peek(id: 4, by: 0)])
        #expect(!dispatcher.canTake)
        #expect(
            dispatcher.dispatchWaiting(at: start + (ConnectionDispatcher.silenceAllowed - .milliseconds(1)))
                == [])
        // While the worker itself is silent nobody knows what has come.
        dispatcher.observed(worker: 0, idle: 0, silent: true, congested: false)
        #expect(dispatcher.dispatchWaiting(at: start + ConnectionDispatcher.silenceAllowed) == [])
        dispatcher.observed(worker: 0, idle: 0, silent: false, congested: false)
        let away = [2, 3].flatMap { [ConnectionDispatcher.Action.unpeek(id: $0, from: 0), .close(id: $0)] }
        #expect(dispatcher.dispatchWaiting(at: start + ConnectionDispatcher.silenceAllowed) == away)
        #expect(dispatcher.canTake && dispatcher.waiting == 1)
        #expect(dispatcher.dispatchWaiting(at: later + .milliseconds(9999)) == [])
        #expect(
            dispatcher.dispatchWaiting(at: later + .seconds(10)) == [.unpeek(id: 4, from: 0), .close(id: 4)])
    }

    @Test("who has only finished sending keeps its place, unless the queue is full of those that speak")
    func finished() throws {
        var dispatcher = ConnectionDispatcher(queue: 2)
        dispatcher.opened(worker: 0, slots: 1)
        for id in 1...3 as ClosedRange<UInt64> { _ = dispatcher.arrive(id) }
        _ = try dispatcher.accepted(1, by: 0)
        _ = try dispatcher.peeked(2, .other, by: 0)
        dispatcher.finished(2)
        try dispatcher.released(1, by: 0)
        #expect(dispatcher.dispatchWaiting(at: start).contains(.pass(id: 2, to: 0)))
        _ = try dispatcher.peeked(3, .other, by: 0)
        dispatcher.finished(3)
        #expect(!dispatcher.dispatchWaiting(at: start).contains(.close(id: 3)))
        #expect(dispatcher.arrive(4).contains(.close(id: 3)))
    }

    @Test("a health question is answered by the looker and leaves; so does a client that is gone")
    func verdicts() throws {
        var dispatcher = dispatcher(1)
        for id in 1...3 as ClosedRange<UInt64> { _ = dispatcher.arrive(id) }
        #expect(try dispatcher.peeked(2, .served, by: 0) == .close(id: 2))
        #expect(try dispatcher.peeked(3, .gone, by: 0) == .close(id: 3))
        #expect(dispatcher.waiting == 0)
    }

    @Test("a client that leaves the queue is forgotten, and a late verdict on it is nothing")
    func vanished() throws {
        var dispatcher = dispatcher(1)
        _ = dispatcher.arrive(1)
        _ = dispatcher.arrive(2)
        #expect(dispatcher.vanished(2) == [.unpeek(id: 2, from: 0), .close(id: 2)])
        #expect(try dispatcher.peeked(2, .other, by: 0) == nil)
        #expect(dispatcher.vanished(2) == [])
    }

    @Test("what a dead worker had not acknowledged goes first; what it had acknowledged dies with it")
    func handOver() throws {
        var dispatcher = dispatcher(2, 2)
        for id in 1...5 as ClosedRange<UInt64> { _ = dispatcher.arrive(id) }
        _ = try dispatcher.accepted(1, by: 0)
        _ = try dispatcher.accepted(2, by: 1)
        dispatcher.closed(worker: 0)
        #expect(dispatcher.dispatchWaiting(at: start) == [])
        dispatcher.lost(worker: 0)
        // 3 was on its way to worker 0; 5 waits since before, shown to worker 0, which is gone.
        try dispatcher.released(1, by: 1)
        #expect(dispatcher.dispatchWaiting(at: start) == [.pass(id: 3, to: 1), .peek(id: 5, by: 1)])
        dispatcher.opened(worker: 0, slots: 2)
        #expect(dispatcher.dispatchWaiting(at: start) == [.unpeek(id: 5, from: 1)])
        _ = try dispatcher.peeked(5, .other, by: 1)
        #expect(dispatcher.dispatchWaiting(at: start) == [.pass(id: 5, to: 0)])
    }

    @Test("of several on their way to a worker that dies, the oldest is handed over first")
    func handOverOrder() {
        var dispatcher = dispatcher(3)
        for id in 1...3 as ClosedRange<UInt64> { _ = dispatcher.arrive(id) }
        dispatcher.lost(worker: 0)
        #expect(dispatcher.waiting == 3 && !dispatcher.canTake)
        dispatcher.opened(worker: 1, slots: 3)
        #expect(dispatcher.dispatchWaiting(at: start) == [1, 2, 3].map { .pass(id: $0, to: 1) })
    }

    @Test("silence alone never moves a connection; a quiet worker is only the last choice")
    func quiet() throws {
        var dispatcher = dispatcher(8, 2)
        _ = dispatcher.arrive(1)
        let later = start + ConnectionDispatcher.quietAfter
        #expect(dispatcher.arrive(2, at: later) == [.pass(id: 2, to: 1)])
        #expect(dispatcher.overdue(at: start + .milliseconds(1999)) == [])
        #expect(dispatcher.overdue(at: start + .seconds(2)) == [0])
        #expect(try dispatcher.accepted(1, by: 0) == .close(id: 1))
        #expect(dispatcher.overdue(at: start + .seconds(2)) == [])
    }

    @Test(
        "a verdict that was called for and does not come makes its worker overdue; one not called for may wait"
    )
    func owedVerdict() throws {
        var dispatcher = dispatcher(1, 1)
        for id in 1...3 as ClosedRange<UInt64> { _ = dispatcher.arrive(id) }
        _ = try dispatcher.accepted(1, by: 0)
        _ = try dispatcher.accepted(2, by: 1)
        #expect(dispatcher.overdue(at: start + .seconds(6)) == [])
        try dispatcher.released(1, by: 1)
        let later = start + .seconds(6)
        #expect(dispatcher.dispatchWaiting(at: later).first == .unpeek(id: 3, from: 0))
        #expect(dispatcher.overdue(at: later + .milliseconds(1999)) == [])
        #expect(dispatcher.overdue(at: later + .seconds(2)) == [0])
        dispatcher.lost(worker: 0)
        #expect(dispatcher.dispatchWaiting(at: later + .seconds(2)) == [.pass(id: 3, to: 1)])
    }

    @Test("one worker swallows so many and no more")
    func swallowing() {
        var dispatcher = dispatcher(1000)
        for id in 1...64 as ClosedRange<UInt64> {
            #expect(dispatcher.arrive(id) == [.pass(id: id, to: 0)])
        }
        #expect(!dispatcher.arrive(65).contains(.pass(id: 65, to: 0)))
        #expect(dispatcher.waiting == 1)
    }

    @Test("a worker whose socket is full gets nothing more until it is not")
    func congested() {
        var dispatcher = dispatcher(8)
        dispatcher.observed(worker: 0, idle: 0, silent: false, congested: true)
        #expect(dispatcher.arrive(1) == [])
        dispatcher.observed(worker: 0, idle: 0, silent: false, congested: false)
        #expect(dispatcher.dispatchWaiting(at: start) == [.pass(id: 1, to: 0)])
    }

    @Test("accepting stops with the queue full or nobody to serve")
    func canTake() throws {
        var dispatcher = ConnectionDispatcher(queue: 64)
        #expect(!dispatcher.canTake)
        dispatcher.opened(worker: 0, slots: 1)
        for id in 0..<UInt64(64) + 1 {
            #expect(dispatcher.canTake)
            _ = dispatcher.arrive(id)
        }
        #expect(!dispatcher.canTake && dispatcher.waiting == 64)
        _ = dispatcher.vanished(7)
        #expect(dispatcher.canTake)
        dispatcher.closed(worker: 0)
        #expect(!dispatcher.canTake)
    }

    @Test("what does not add up ends the worker")
    func violations() throws {
        var dispatcher = dispatcher(2, 2)
        _ = dispatcher.arrive(1)
        #expect(throws: ProtocolViolation.self) { try dispatcher.accepted(2, by: 0) }
        #expect(throws: ProtocolViolation.self) { try dispatcher.accepted(1, by: 1) }
        #expect(throws: ProtocolViolation.self) { try dispatcher.released(1, by: 0) }  // not acknowledged yet
        _ = try dispatcher.accepted(1, by: 0)
        #expect(throws: ProtocolViolation.self) { try dispatcher.accepted(1, by: 0) }
        #expect(throws: ProtocolViolation.self) { try dispatcher.released(0, by: 0) }
        #expect(throws: ProtocolViolation.self) { try dispatcher.released(2, by: 0) }
        #expect(throws: ProtocolViolation.self) { try dispatcher.released(.max, by: 0) }
        try dispatcher.released(1, by: 0)
        #expect(throws: ProtocolViolation.self) { try dispatcher.released(1, by: 0) }
        for id in 10..<15 as Range<UInt64> { _ = dispatcher.arrive(id) }
        #expect(throws: ProtocolViolation.self) { try dispatcher.peeked(14, .other, by: 1) }
        #expect(try dispatcher.peeked(14, .other, by: 0) == nil)
        #expect(throws: ProtocolViolation.self) { try dispatcher.peeked(14, .other, by: 0) }
    }

    /// Random workers that live, acknowledge, look, release and die: every connection ends exactly once.
    @Test("over any history each connection is served once, or by the next after a death", arguments: 1...8)
    func history(seed: UInt64) throws {
        var world = World(seed: seed)
        try world.run(steps: 4000)
        try world.settleAll()
        #expect(world.serving.isEmpty && world.unfinished.isEmpty, "\(world.unfinished)")
    }
}

/// A model of two workers and their clients, played against an ConnectionDispatcher.
private struct World {
    var random: SeededRandom
    var dispatcher: ConnectionDispatcher
    var now = start
    var nextID: UInt64 = 0
    /// Sent to a worker and not acknowledged; acknowledged; being looked at.
    var sent: [UInt64: WorkerID] = [:]
    var serving: [UInt64: WorkerID] = [:]
    var looking: [UInt64: WorkerID] = [:]
    var unfinished: Set<UInt64> = []

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        dispatcher = ConnectionDispatcher(queue: 8)
        for worker in [0, 1] as [WorkerID] { dispatcher.opened(worker: worker, slots: 3) }
    }

    mutating func carryOut(_ actions: [ConnectionDispatcher.Action]) throws {
        for action in actions {
            switch action {
            case .pass(let id, let worker):
                #expect(sent[id] == nil && serving[id] == nil && looking[id] == nil)
                #expect(unfinished.contains(id))
                sent[id] = worker
                let held = sent.values.count { $0 == worker } + serving.values.count { $0 == worker }
                #expect(held <= 3)
            case .peek(let id, let worker):
                #expect(looking[id] == nil && sent[id] == nil)
                looking[id] = worker
            case .unpeek(let id, let worker):
                // The worker answers at once, unless it has already.
                if looking[id] == worker {
                    looking[id] = nil
                    let closing = try dispatcher.peeked(id, .other, by: worker)
                    try carryOut(closing.map { [$0] } ?? [])
                }
            case .closeIdle: break
            case .close(let id):
                looking[id] = nil
                if serving[id] == nil { #expect(unfinished.remove(id) != nil) }
            }
        }
    }

    mutating func run(steps: Int) throws {
        for _ in 0..<steps {
            now = now + .milliseconds(Int64(random.next() % 40))
            try step()
            try carryOut(dispatcher.dispatchWaiting(at: now))
        }
    }

    private mutating func step() throws {
        switch random.next() % 12 {
        case 0...4:
            guard dispatcher.canTake else { return }
            nextID += 1
            unfinished.insert(nextID)
            dispatcher.arrived(nextID)
        case 5, 6: try acknowledgeOne()
        case 7, 8: try finishOne()
        case 9: try judgeOne()
        case 10:
            guard let id = looking.keys.min() else { return }
            try carryOut(dispatcher.vanished(id))
        default:
            guard random.next() % 10 == 0 else { return }
            let worker = WorkerID(life: UInt32(random.next() % 2))
            for id in serving.filter({ $0.value == worker }).keys { finish(id) }
            sent = sent.filter { $0.value != worker }
            looking = looking.filter { $0.value != worker }
            dispatcher.lost(worker: worker)
            dispatcher.opened(worker: worker, slots: 3)
        }
    }

    private mutating func finish(_ id: UInt64) {
        serving[id] = nil
        unfinished.remove(id)
    }

    private mutating func acknowledgeOne() throws {
        guard let (id, worker) = sent.min(by: { $0.key < $1.key }) else { return }
        sent[id] = nil
        serving[id] = worker
        try carryOut([dispatcher.accepted(id, by: worker)])
    }

    private mutating func finishOne() throws {
        guard let (id, worker) = serving.min(by: { $0.key < $1.key }) else { return }
        finish(id)
        try dispatcher.released(1, by: worker)
    }

    private mutating func judgeOne() throws {
        guard let (id, worker) = looking.min(by: { $0.key < $1.key }) else { return }
        looking[id] = nil
        let verdict: PeekResult = random.next() % 3 == 0 ? .served : .other
        if let action = try dispatcher.peeked(id, verdict, by: worker) { try carryOut([action]) }
    }

    mutating func settleAll() throws {
        for _ in 0..<10_000 where !unfinished.isEmpty {
            now = now + .milliseconds(1)
            try acknowledgeOne()
            try finishOne()
            try judgeOne()
            try carryOut(dispatcher.dispatchWaiting(at: now))
        }
    }
}
