// No history breaks the service state: workers that come, ask, list, learn and die at random.

import Scheduling
import Shared
import TestSupport
import Testing

@testable import Supervisor

@Suite("Service state over time") struct ServiceStateHistoryTests {
    @Test("limits hold, everything of the dead comes back, sizes are bounded, only the living are spoken to")
    func history() throws {
        var world = World(seed: 7)
        for _ in 0..<60_000 { try world.step() }
        #expect(
            world.grants > 2000 && world.violations > 100 && world.deaths > 300,
            "\(world.grants) \(world.deaths)")
        #expect(world.roles > 500 && world.lists > 500)
        for worker in world.state.workers { world.kill(worker) }
        #expect(world.held.isEmpty && world.waiting.isEmpty)
        let now = world.now
        for entry in world.state.catalogue.entries {
            #expect(world.state.scheduler.view(of: entry.number, at: now).inFlight == 0)
        }
        #expect(world.state.scheduler.queued == 0)
    }

    @Test("what was found is bounded, whatever a prober says")
    func discovery() throws {
        var world = World(seed: 11, backends: [])
        for _ in 0..<20_000 { try world.step() }
        #expect(world.state.catalogue.entries.count == BackendCatalogue.maximumBackends)
    }
}

/// Played against a ServiceState; `held` and `waiting` are what must be true of the permits.
private struct World {
    typealias Ticket = Scheduler.Ticket
    static let limits: [BackendNumber: Int] = [0: 1, 1: 3]
    static let slots = 3

    var random: SeededRandom
    var state: ServiceState
    var now = MonotonicInstant(nanoseconds: 0)
    var held: [Ticket: BackendNumber] = [:]
    var waiting: Set<Ticket> = []
    /// Answered with no, and not ended yet.
    var refused: Set<Ticket> = []
    var probers: Set<WorkerID> = []
    var nextLife: UInt32 = 0
    var grants = 0
    var violations = 0
    var deaths = 0
    var roles = 0
    var lists = 0

    init(seed: UInt64, backends: [String] = ["a", "b", "c"]) {
        random = SeededRandom(seed: seed)
        state = service(slots: UInt32(Self.slots), backends: backends)
    }

    /// One of the living, or one that is not.
    private mutating func worker() -> WorkerID {
        if random.next() % 16 == 0 { return WorkerID(life: UInt32(truncatingIfNeeded: random.next())) }
        if let prober = state.prober.worker, random.next() % 2 == 0 { return prober }
        return state.workers.sorted().randomElement(using: &random) ?? 0
    }

    private mutating func backend() -> BackendNumber { BackendNumber(UInt16(random.next() % 4)) }

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
        now = now + .milliseconds(Int64(random.next() % 400))
        let worker = worker()
        switch random.next() % 20 {
        case 0 where state.workers.count < 4:
            let born = WorkerID(life: nextLife)
            nextLife += 1
            carryOut(state.joined(born, at: now))
            state.opened(born)
        case 0 where random.next() % 4 == 0: kill(worker)
        case 0: break
        case 1 where random.next() % 8 == 0: state.closed(worker)
        case 1: carryOut(state.searched(by: worker))
        case 2:
            carryOut(
                state.discovered(
                    name: "f\(number() % 200)", url: "u\(random.next())", priority: 9, by: worker, at: now))
        case 3: carryOut(state.observed(observation(), by: worker, at: time()))
        case 4: carryOut(state.capabilitiesInvalidated(of: "a", before: time(), by: worker, at: time()))
        case 5: list(worker)
        case 6...7: check(worker)
        case 8...13: try ask(worker)
        default: try end(worker)
        }
        carryOut(state.tick(at: now))
        try checkAll()
    }

    private mutating func observation() -> ModelObservation {
        let model = random.next() % 8 == 0 ? String(repeating: "m", count: 300) : "m\(random.next() % 600)"
        let fact: ModelObservation.Fact =
            switch random.next() % 3 {
            case 0: .lacks("tools", times: UInt8(truncatingIfNeeded: random.next()))
            case 1: .tokens(perThousand: UInt32(truncatingIfNeeded: number()))
            default: .chosen
            }
        return ModelObservation(.init(backend: "a", model: model), fact, learntAt: time())
    }

    private mutating func list(_ worker: WorkerID) {
        let models = (0..<Int(random.next() % 100)).map { _ in ModelFacts(id: "m\(random.next() % 9000)") }
        let part = ListingPart(
            backend(), type: "", dialect: "", isFirst: random.next() % 3 == 0, isLast: random.next() % 3 == 0,
            models: models)
        let isKnown = state.catalogue[part.backend] != nil
        do throws(ProtocolViolation) {
            carryOut(try state.listed(part, by: worker, at: now))
            #expect(isKnown)
            lists += 1
        } catch {
            #expect(!isKnown)
            violations += 1
        }
    }

    private mutating func check(_ worker: WorkerID) {
        let backend = backend()
        let isKnown = state.catalogue[backend] != nil
        do throws(ProtocolViolation) {
            let result: CheckResult = random.next() % 3 == 0 ? .bad(reason: "no") : .good
            carryOut(try state.checked(backend, result, by: worker, at: now))
            #expect(isKnown)
        } catch {
            #expect(!isKnown)
            violations += 1
        }
    }

    private mutating func ask(_ worker: WorkerID) throws {
        let ticket = Ticket(worker: worker, number: number())
        var candidates: [BackendNumber] = []
        for _ in 0...(random.next() % 3) {
            let backend = backend()
            if state.catalogue[backend] != nil, !candidates.contains(backend) { candidates.append(backend) }
        }
        guard !candidates.isEmpty else { return }
        var question = AdmissionQuestion(
            client: "client\(random.next() % 5)",
            candidates: candidates.map { BackendCandidate($0, ModelDigest(of: "m\(random.next() % 3)")) })
        question.lane = Lane.allCases.randomElement(using: &random) ?? .main
        question.session = random.next() % 4
        question.promptTokens = UInt32(truncatingIfNeeded: number())
        // Its refusal and another use of its number would meet.
        guard !refused.contains(ticket) else { return }
        let isMine = state.workers.contains(worker)
        let isPermitted = !isKnown(ticket) && tickets(of: worker) < Self.slots
        // Told of rather than asked for: nothing is counted there.
        let isTold = candidates == [2] && random.next() % 2 == 0
        if isMine, isPermitted {
            if isTold { held[ticket] = 2 } else { waiting.insert(ticket) }
        }
        do throws(ProtocolViolation) {
            if isTold {
                try notice(.began(ticket: ticket.number, question), of: worker)
            } else {
                carryOut(try state.admit(ticket.number, question, by: worker, at: now))
            }
            #expect(isPermitted || !isMine)
        } catch {
            #expect(isMine && !isPermitted)
            violations += 1
        }
    }

    private mutating func notice(_ notice: ExchangeNotice, of worker: WorkerID) throws(ProtocolViolation) {
        let actions = state.noticed([notice], by: worker, at: now)
        carryOut(actions)
        if case .condemn(worker, let violation)? = actions.last { throw violation }
    }

    private func isKnown(_ ticket: Ticket) -> Bool {
        held[ticket] != nil || waiting.contains(ticket)
    }

    private func all(of worker: WorkerID) -> [Ticket] {
        (Array(held.keys) + waiting + refused).filter { $0.worker == worker }.sorted { $0.number < $1.number }
    }

    private func tickets(of worker: WorkerID) -> Int { all(of: worker).count { isKnown($0) } }

    /// One that it has, mostly.
    private mutating func end(_ worker: WorkerID) throws {
        let known = random.next() % 16 == 0 ? nil : all(of: worker).randomElement(using: &random)
        let ticket = known ?? Ticket(worker: worker, number: number())
        let wasKnown = isKnown(ticket) || refused.contains(ticket)
        forget { $0 == ticket }
        let verdicts: [AttemptReport.Verdict] = [
            .notSent, .unreachable, .broken, .failed(status: 500), .firstByteTimeout,
            .stalled,
            .busy(rest: 0), .busy(rest: .max), .loading, .modelMissing,
        ]
        let isWell = random.next() % 4 != 0
        var report = AttemptReport(isWell ? .well : verdicts.randomElement(using: &random) ?? .well)
        report.firstByte = number()
        report.duration = number()
        report.inputTokens = UInt32(truncatingIfNeeded: number())
        report.cachedTokens = random.next() % 2 == 0 ? nil : UInt32(truncatingIfNeeded: number())
        do throws(ProtocolViolation) {
            try notice(.ended(ticket: ticket.number, report), of: worker)
            #expect(wasKnown || !state.workers.contains(worker))
        } catch {
            #expect(!wasKnown)
            violations += 1
        }
    }

    mutating func kill(_ worker: WorkerID) {
        if state.workers.contains(worker) { deaths += 1 }
        forget { $0.worker == worker }
        probers.remove(worker)
        carryOut(state.died(worker, at: now))
        #expect(!state.workers.contains(worker))
    }

    private mutating func forget(_ isGone: (Ticket) -> Bool) {
        held = held.filter { !isGone($0.key) }
        waiting = waiting.filter { !isGone($0) }
        refused = refused.filter { !isGone($0) }
    }

    private mutating func carryOut(_ actions: [ServiceState.Action]) {
        for action in actions {
            guard case .send(let worker, let message) = action else { continue }
            #expect(state.workers.contains(worker))
            switch message {
            case .granted(let number, let grant):
                let ticket = Ticket(worker: worker, number: number)
                #expect(waiting.remove(ticket) != nil, "one answer for a question that waits")
                held[ticket] = grant.backend
                grants += 1
            case .refused(let number, _):
                let ticket = Ticket(worker: worker, number: number)
                #expect(waiting.remove(ticket) != nil, "one answer for a question that waits")
                refused.insert(ticket)
            case .superseded(let number):
                let ticket = Ticket(worker: worker, number: number)
                #expect(isKnown(ticket))
                if waiting.remove(ticket) != nil { refused.insert(ticket) }
            case .probe(let isOn):
                roles += 1
                if isOn { probers.insert(worker) } else { probers.remove(worker) }
            default: break
            }
        }
    }

    /// By comparisons rather than expectations for each: there are many steps.
    private func checkAll() throws {
        for (backend, limit) in Self.limits where state.settings.backends.count > Int(backend.value) {
            let out = held.values.count { $0 == backend }
            guard out <= limit, state.scheduler.view(of: backend, at: now).inFlight == out else {
                Issue.record("\(backend): \(out) of \(limit)")
                throw ProtocolViolation("\(backend)")
            }
        }
        guard state.observations.count <= ObservationStore.capacity, state.workers.count <= 4,
            probers.count <= 1,
            probers.first == state.prober.worker
        else {
            throw ProtocolViolation("more than there may be")
        }
    }
}
