// What is true of the whole service: who is told what, whose turn it is, and that no history breaks it.

import Shared
import TestSupport
import Testing

@testable import Supervisor

private let t0 = MonotonicInstant(nanoseconds: 0)
private let key = ModelKey(backend: "b", model: "m")
private let lacksTools = ModelObservation(key, .lacks("tools"), learntAt: 5)
private let counts = ModelObservation(key, .tokens(perThousand: 1200), learntAt: 6)

/// `a` takes one request at a time, `b` three, `c` any number.
private func state(_ workers: WorkerID..., slots: UInt32 = 8) -> ServiceState {
    let backends = [("a", 1), ("b", 3), ("c", nil)].map { name, limit in
        var backend = Configuration.Backend(name: name, url: "")
        backend.maxConcurrent = limit
        return backend
    }
    var state = ServiceState(ServiceState.Settings(slots: slots, backends: backends))
    for worker in workers { _ = state.joined(worker, at: t0) }
    return state
}

@Suite("Service state") struct ServiceStateTests {
    @Test("the first real backend is told to the others once, and to every later worker in its welcome")
    func realBackend() {
        var state = state(0, 1)
        #expect(
            state.realBackendSeen(by: 0) == [
                .realBackendFound(by: 0), .send(worker: 1, .realBackendSeen),
            ])
        #expect(state.realBackendSeen(by: 1) == [])
        #expect(state.joined(2, at: t0).first == .send(worker: 2, .welcome(slots: 8, realBackendSeen: true)))
    }

    @Test("an observation is told to the others once, and to every later worker after its welcome")
    func observations() {
        var state = state(0, 1)
        #expect(state.observed(lacksTools, by: 0, at: 10) == [.send(worker: 1, .observation(lacksTools))])
        #expect(state.observed(lacksTools, by: 1, at: 10) == [])
        #expect(state.observed(counts, by: 1, at: 10) == [.send(worker: 0, .observation(counts))])
        #expect(
            state.joined(2, at: t0).suffix(2) == [
                .send(worker: 2, .observation(lacksTools)), .send(worker: 2, .observation(counts)),
            ])
        // A worker's death takes nothing with it; a backend that returns takes what it was found to lack.
        #expect(state.died(0, at: t0) == [])
        #expect(state.observations.all == [lacksTools, counts])
        #expect(
            state.capabilitiesInvalidated(of: "b", before: 6, by: 2, at: 10) == [
                .send(worker: 1, .capabilitiesInvalidated(backend: "b", before: 6))
            ])
        #expect(state.observations.all == [counts])
    }

    @Test("the oldest worker's report is shown; with nobody left, the last one")
    func reports() {
        var state = state(3, 5)
        #expect(state.report == "[]")
        #expect(state.reported("[5]", by: 5) == [.reportChanged] && state.report == "[5]")
        #expect(state.reported("[3]", by: 3) == [.reportChanged] && state.report == "[3]")
        #expect(state.reported("[55]", by: 5) == [] && state.report == "[3]")
        #expect(state.died(3, at: t0) == [.reportChanged] && state.report == "[55]")
        #expect(state.died(5, at: t0) == [] && state.report == "[55]")
    }

    @Test("a permit that comes back goes to whoever waits, also from a dead worker")
    func permits() throws {
        var state = state(0, 1)
        #expect(try state.acquire(7, of: "a", for: 0) == [.send(worker: 0, .permit(ticket: 7))])
        #expect(try state.acquire(7, of: "a", for: 1) == [])
        #expect(try state.acquire(8, of: "a", for: 0) == [])
        #expect(try state.release(7, by: 0) == [.send(worker: 1, .permit(ticket: 7))])
        #expect(state.died(1, at: t0) == [.send(worker: 0, .permit(ticket: 8))])
        #expect(throws: ProtocolViolation.self) { try state.acquire(9, of: "d", for: 0) }
        #expect(throws: ProtocolViolation.self) { try state.release(9, by: 0) }
    }

    @Test("who was never welcomed, or is dead, neither counts nor is told anything")
    func strangers() throws {
        var state = state(0)
        for stranger in [1, 2] as [WorkerID] {
            #expect(try state.acquire(1, of: "a", for: stranger) == [])
            #expect(try state.release(1, by: stranger) == [])
            #expect(state.realBackendSeen(by: stranger) == [])
            #expect(state.observed(lacksTools, by: stranger, at: 10) == [])
            #expect(state.capabilitiesInvalidated(of: "b", before: 9, by: stranger, at: 10) == [])
            #expect(state.reported("[1]", by: stranger) == [])
            #expect(state.died(stranger, at: t0) == [])
        }
        #expect(state.limiter.usage(of: "a") == (0, 0) && state.observations.count == 0)
        #expect(!state.realBackendSeen && state.report == "[]")
    }

    @Test("no history breaks it: limits hold, everything of the dead comes back, sizes are bounded")
    func history() throws {
        var world = World(seed: 7)
        for _ in 0..<100_000 { try world.step() }
        #expect(world.grants > 10_000 && world.refusals > 1000 && world.deaths > 1000)
        for worker in world.state.workers { try world.kill(worker) }
        for backend in World.limits.keys { #expect(world.state.limiter.usage(of: backend) == (0, 0)) }
    }
}

/// Workers that come, ask, learn and die at random, played against a ServiceState; `held` and `waiting` are what
/// must be true of the permits.
private struct World {
    static let limits: [BackendID: Int] = ["a": 1, "b": 3, "c": .max]
    static let slots = 3

    var random: SeededRandom
    var state = SupervisorTests.state(slots: UInt32(World.slots))
    var held: [ConcurrencyLimiter.Ticket: BackendID] = [:]
    var waiting: [BackendID: [ConcurrencyLimiter.Ticket]] = [:]
    var nextLife: UInt32 = 0
    var grants = 0
    var refusals = 0
    var deaths = 0

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// One of the living, or one that is not.
    private mutating func worker() -> WorkerID {
        if random.next() % 16 == 0 { return WorkerID(life: UInt32(truncatingIfNeeded: random.next())) }
        return state.workers.sorted().randomElement(using: &random) ?? 0
    }

    private mutating func backend() -> BackendID {
        ["a", "b", "c", "nowhere"].randomElement(using: &random) ?? "a"
    }

    /// Small, large and everything between.
    private mutating func number() -> UInt64 {
        switch random.next() % 4 {
        case 0: .max - random.next() % 3
        case 1: random.next()
        default: random.next() % 12
        }
    }

    /// Clocks stand anywhere, and go back.
    private mutating func time() -> WallTime { WallTime(nanoseconds: number()) }

    mutating func step() throws {
        let worker = worker()
        switch random.next() % 16 {
        case 0 where state.workers.count < 4:
            carryOut(state.joined(WorkerID(life: nextLife), at: t0))
            nextLife += 1
        case 0: try kill(worker)
        case 1: carryOut(state.realBackendSeen(by: worker))
        case 2: carryOut(state.reported("[\(random.next() % 4)]", by: worker))
        case 3 where random.next() % 4 == 0: carryOut(state.observed(observation(), by: worker, at: time()))
        case 3: break
        case 4: carryOut(state.capabilitiesInvalidated(of: backend(), before: time(), by: worker, at: time()))
        case 5...9: try acquire(.init(worker: worker, number: number()), backend())
        default: try release(of: worker)
        }
        try check()
    }

    private mutating func observation() -> ModelObservation {
        let model = random.next() % 8 == 0 ? String(repeating: "m", count: 300) : "m\(random.next() % 600)"
        let fact: ModelObservation.Fact =
            switch random.next() % 4 {
            case 0: .lacks("tools", times: UInt8(truncatingIfNeeded: random.next()))
            case 1: .output(tokens: UInt32(truncatingIfNeeded: number()))
            case 2: .tokens(perThousand: UInt32(truncatingIfNeeded: number()))
            default: .chosen
            }
        return ModelObservation(.init(backend: backend(), model: model), fact, learntAt: time())
    }

    private mutating func acquire(_ ticket: ConcurrencyLimiter.Ticket, _ backend: BackendID) throws {
        let isMine = state.workers.contains(ticket.worker)
        let isFree = held[ticket] == nil && !waiting.values.contains { $0.contains(ticket) }
        let isPermitted = Self.limits[backend] != nil && isFree && tickets(of: ticket.worker) < Self.slots
        if isMine, isPermitted { waiting[backend, default: []].append(ticket) }
        do throws(ProtocolViolation) {
            carryOut(try state.acquire(ticket.number, of: backend, for: ticket.worker))
            #expect(isPermitted || !isMine)
        } catch {
            #expect(isMine && !isPermitted)
            refusals += 1
        }
    }

    /// One that it has, mostly.
    private mutating func release(of worker: WorkerID) throws {
        let mine = (Array(held.keys) + waiting.values.joined()).filter { $0.worker == worker }
            .sorted { $0.number < $1.number }
        let known = random.next() % 16 == 0 ? nil : mine.randomElement(using: &random)
        let ticket = known ?? .init(worker: worker, number: number())
        let isKnown = mine.contains(ticket)
        forget { $0 == ticket }
        do throws(ProtocolViolation) {
            carryOut(try state.release(ticket.number, by: worker))
            #expect(isKnown || !state.workers.contains(worker))
        } catch {
            #expect(!isKnown)
            refusals += 1
        }
    }

    mutating func kill(_ worker: WorkerID) throws {
        if state.workers.contains(worker) { deaths += 1 }
        forget { $0.worker == worker }
        carryOut(state.died(worker, at: t0))
        #expect(!state.workers.contains(worker))
    }

    private mutating func forget(_ isGone: (ConcurrencyLimiter.Ticket) -> Bool) {
        held = held.filter { !isGone($0.key) }
        for backend in waiting.keys { waiting[backend]?.removeAll(where: isGone) }
    }

    private func tickets(of worker: WorkerID) -> Int {
        held.keys.count { $0.worker == worker } + waiting.values.joined().count { $0.worker == worker }
    }

    private mutating func carryOut(_ actions: [ServiceState.Action]) {
        for action in actions {
            guard case .send(let worker, let message) = action else { continue }
            #expect(state.workers.contains(worker))
            guard case .permit(let number) = message else { continue }
            let ticket = ConcurrencyLimiter.Ticket(worker: worker, number: number)
            let backend = waiting.first { $0.value.first == ticket }?.key
            #expect(backend != nil, "a permit for whoever has waited longest")
            guard let backend else { continue }
            waiting[backend]?.removeFirst()
            held[ticket] = backend
            grants += 1
        }
    }

    /// By comparisons rather than expectations for each: there are many steps.
    private func check() throws {
        for (backend, limit) in Self.limits {
            let usage = state.limiter.usage(of: backend)
            let out = held.values.count { $0 == backend }
            let queue = waiting[backend]?.count ?? 0
            guard usage.out == out, usage.waiting == queue, out <= limit, out == limit || queue == 0 else {
                Issue.record("\(backend): \(usage), expected \(out) and \(queue)")
                throw ProtocolViolation("\(backend)")
            }
        }
        guard state.observations.count <= ObservationStore.capacity, state.workers.count <= 4 else {
            throw ProtocolViolation("more than there may be")
        }
    }
}
