// Who decides where a request goes: the scheduler of the service, and what it is compared with.

import Scheduling
import Shared

struct Placement {
    let request: Request
    let backend: Int
}

protocol Policy {
    mutating func arrives(_ request: Request, at now: Double) -> [Placement]
    mutating func ended(
        _ request: Request, on backend: Int, _ service: Service, began: Double, at now: Double
    ) -> [Placement]
    /// When it wants to be asked again without any event.
    var deadline: Double? { get }
    mutating func tick(at now: Double) -> [Placement]
}

extension Policy {
    var deadline: Double? { nil }
    mutating func tick(at now: Double) -> [Placement] { [] }
}

func hash(_ value: Int, _ salt: Int) -> UInt64 {
    var mixed =
        UInt64(truncatingIfNeeded: value) &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(salt) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
}

/// Each session always on the one backend that its hash says.
struct PerfectStickiness: Policy {
    let backends: Int

    mutating func arrives(_ request: Request, at now: Double) -> [Placement] {
        let backend = (0..<backends).max { hash(request.session, $0) < hash(request.session, $1) } ?? 0
        return [Placement(request: request, backend: backend)]
    }

    mutating func ended(
        _ request: Request, on backend: Int, _ service: Service, began: Double, at now: Double
    ) -> [Placement] { [] }
}

/// The session's place on a ring of hashes; a backend with `factor` times the mean in flight is passed over.
struct BoundedLoadHashing: Policy {
    let factor: Double
    private let ring: [(hash: UInt64, backend: Int)]
    private var inFlight: [Int]

    init(backends: Int, factor: Double) {
        self.factor = factor
        inFlight = Array(repeating: 0, count: backends)
        ring = (0..<backends).flatMap { backend in
            (0..<100).map { (hash(backend + 1, 1000 + $0), backend) }
        }.sorted { $0.0 < $1.0 }
    }

    mutating func arrives(_ request: Request, at now: Double) -> [Placement] {
        let total = inFlight.reduce(0, +) + 1
        let bound = Int((factor * Double(total) / Double(inFlight.count)).rounded(.up))
        let point = hash(request.session, 7)
        let start = ring.firstIndex { $0.hash >= point } ?? 0
        for step in ring.indices {
            let backend = ring[(start + step) % ring.count].backend
            guard inFlight[backend] < bound else { continue }
            inFlight[backend] += 1
            return [Placement(request: request, backend: backend)]
        }
        return []
    }

    mutating func ended(
        _ request: Request, on backend: Int, _ service: Service, began: Double, at now: Double
    ) -> [Placement] {
        inFlight[backend] -= 1
        return []
    }
}

/// The scheduler itself, which knows of the machines no more than `max_concurrent` and what exchanges report.
struct Ours: Policy {
    private var scheduler: Scheduler
    private var waiting: [UInt64: Request] = [:]
    private let worker = WorkerID(life: 1)
    private let candidates: [BackendCandidate]
    /// Digests of the prompts' beginnings by conversation and turn.
    private static let marks = 24

    /// - Parameter isLimited: whether the machines' `max_concurrent` is configured; else they queue by themselves.
    init(machines: [Machine], isLimited: Bool) {
        var settings = Configuration.Service()
        settings.queue.length = 10_000
        settings.queue.wait = .seconds(3600)
        scheduler = Scheduler(settings, ticketsPerWorker: 100_000)
        for (index, machine) in machines.enumerated() {
            var backend = Scheduler.Backend(BackendNumber(UInt16(index)), name: "b\(index)")
            backend.limit = isLimited ? machine.concurrent : nil
            _ = scheduler.apply(backend, at: Self.instant(0))
            _ = scheduler.checked(backend.number, .good, at: Self.instant(0))
        }
        candidates = machines.indices.map {
            BackendCandidate(BackendNumber(UInt16($0)), ModelDigest(of: "m"))
        }
    }

    private static func instant(_ seconds: Double) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: UInt64((seconds + 1) * 1e9))
    }

    private func question(_ request: Request, _ prompts: [Int]) -> AdmissionQuestion {
        var question = AdmissionQuestion(client: "client-\(request.session % 20)", candidates: candidates)
        question.session = hash(request.session, 1)
        question.agent = request.agent == 0 ? 0 : hash(request.agent, 2)
        question.lane = request.agent == 0 ? .main : .subagent
        // The worker's estimate is not the backend's count.
        question.promptTokens = UInt32(estimate(request.prompt))
        question.prefix = [PrefixMark(digest: 1, tokens: UInt32(estimate(Workload.systemPrompt)))]
        for turn in max(0, request.turn - Self.marks)...request.turn {
            let digest = hash(request.session * 1000 + request.agent, turn + 10)
            question.prefix.append(PrefixMark(digest: digest, tokens: UInt32(estimate(prompts[turn]))))
        }
        return question
    }

    private func estimate(_ tokens: Int) -> Int { tokens * 11 / 10 }

    var prompts: [ConversationName: [Int]] = [:]

    mutating func arrives(_ request: Request, at now: Double) -> [Placement] {
        let name = ConversationName(session: request.session, agent: request.agent)
        let ticket = Scheduler.Ticket(worker: worker, number: UInt64(request.id))
        waiting[ticket.number] = request
        prompts[name, default: []].append(request.prompt)
        let question = question(request, prompts[name] ?? [])
        return place((try? scheduler.admit(ticket, question, at: Self.instant(now))) ?? [])
    }

    mutating func ended(
        _ request: Request, on backend: Int, _ service: Service, began: Double, at now: Double
    ) -> [Placement] {
        var report = AttemptReport(.well)
        report.firstByte = UInt64((service.firstByte - began) * 1e6)
        report.duration = UInt64((service.end - began) * 1e6)
        report.inputTokens = UInt32(request.prompt)
        report.cachedTokens = UInt32(service.cached)
        report.outputTokens = UInt32(request.output)
        let ticket = Scheduler.Ticket(worker: worker, number: UInt64(request.id))
        return place((try? scheduler.ended(ticket, report, at: Self.instant(now))) ?? [])
    }

    var deadline: Double? { scheduler.nextDeadline.map { Double($0.nanoseconds) / 1e9 - 1 } }

    mutating func tick(at now: Double) -> [Placement] { place(scheduler.tick(at: Self.instant(now))) }

    private mutating func place(_ actions: [Scheduler.Action]) -> [Placement] {
        actions.compactMap { action in
            guard case .grant(let ticket, let grant) = action,
                let request = waiting.removeValue(forKey: ticket.number)
            else { return nil }
            return Placement(request: request, backend: Int(grant.backend.value))
        }
    }
}
