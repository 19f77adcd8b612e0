// Whatever may come, in whatever order, and what has to hold after it: no permit is lost or given twice, each ticket has
// one answer, nobody waits longer than it may or beside an idle backend.

public import Scheduling
public import Shared
import TestSupport

public struct RandomEvents {
    public private(set) var scheduler: Scheduler
    /// What was not as it must be; the first twenty.
    public private(set) var findings: [String] = []
    /// Waiting, running, and superseded but not ended: as this counts.
    public var counts: (waiting: Int, running: Int, over: Int) { (waiting.count, running.count, over.count) }
    public let settings: Configuration.Service

    private static let backends: UInt16 = 6

    private var random: SeededRandom
    private var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    private var present: [UInt16: Scheduler.Backend] = [:]
    /// As this test counts.
    private var inFlight: [UInt16: Int] = [:]
    private var waiting: [Scheduler.Ticket: (since: MonotonicInstant, candidates: [UInt16])] = [:]
    private var running: [Scheduler.Ticket: UInt16] = [:]
    /// Those that run, and some that have ended, in an order of chance.
    private var order: [Scheduler.Ticket] = []
    /// Superseded while they waited.
    private var over: Set<Scheduler.Ticket> = []
    private var lives: [UInt32] = [1, 2, 3]
    private var nextLife: UInt32 = 4
    private var number: UInt64 = 0
    private var count = 0

    public init(seed: UInt64, balance: Configuration.Balance) {
        random = SeededRandom(seed: seed)
        var settings = Configuration.Service()
        settings.balance = balance
        settings.queue.length = 40
        settings.queue.wait = .seconds(30)
        settings.affinity?.sessions = 50
        settings.affinity?.ttl = .seconds(200)
        settings.breaker.open = .seconds(1)
        settings.breaker.openMax = .seconds(8)
        self.settings = settings
        scheduler = Scheduler(settings, ticketsPerWorker: 60)
    }

    private mutating func check(_ holds: Bool, _ otherwise: String) {
        if !holds, findings.count < 20 { findings.append("event \(count): \(otherwise)") }
    }

    private mutating func chance(_ share: Int) -> Bool { Int.random(in: 0..<share, using: &random) == 0 }

    public mutating func step() throws {
        count += 1
        now = now + .milliseconds(Int.random(in: 0...120, using: &random))
        switch Int.random(in: 0..<100, using: &random) {
        case 0: configure()
        case 1: if chance(8) { remove() }
        case 2..<8: check()
        case 8: if chance(20) { die() }
        case 9: scheduler.refused(client: client(), at: now)
        case 10: listed()
        case 11..<18: take(scheduler.tick(at: now))
        case 18..<24: try tell()
        case 24..<58: try ask()
        case 58..<64: try withdraw()
        case 64..<67: try answered()
        default: try end()
        }
        if let due = scheduler.nextDeadline, due <= now { take(scheduler.tick(at: now)) }
        judge()
    }

    private mutating func client() -> String {
        chance(50) ? "rare-\(count)" : "client-\(Int.random(in: 0..<8, using: &random))"
    }

    private mutating func worker() -> WorkerID { WorkerID(life: lives.randomElement(using: &random) ?? 1) }

    private mutating func backend() -> UInt16 { UInt16.random(in: 0..<Self.backends, using: &random) }

    private mutating func configure() {
        var backend = Scheduler.Backend(BackendNumber(backend()), name: "b")
        backend.limit = chance(3) ? nil : Int.random(in: 1...5, using: &random)
        backend.weight = Int.random(in: 1...5, using: &random)
        backend.priority = chance(4) ? 200 : 100
        present[backend.number.value] = backend
        take(scheduler.apply(backend, at: now))
    }

    private mutating func remove() {
        guard let number = present.keys.sorted().randomElement(using: &random) else { return }
        present[number] = nil
        take(scheduler.remove(BackendNumber(number), at: now))
    }

    private mutating func check() {
        let result: CheckResult = chance(6) ? .bad(reason: "why") : .good
        take(scheduler.checked(BackendNumber(backend()), result, at: now))
    }

    private mutating func listed() {
        let slots = chance(2) ? Int.random(in: 0...4, using: &random) : nil
        scheduler.listed(
            BackendNumber(backend()), models: .random(in: 0...3, using: &random), slots: slots)
    }

    private mutating func question() -> AdmissionQuestion {
        var question = AdmissionQuestion(client: client(), candidates: [])
        var numbers = Array(0..<Self.backends).shuffled(using: &random)
        numbers.removeLast(Int.random(in: 0..<numbers.count, using: &random))
        question.candidates = numbers.map { number in
            BackendCandidate(
                BackendNumber(number), ModelDigest(value: .random(in: 0...2, using: &random)),
                isLoaded: [nil, true, false][Int.random(in: 0..<3, using: &random)])
        }
        question.lane = Lane.allCases.randomElement(using: &random) ?? .main
        question.session = UInt64.random(in: 0...80, using: &random)
        question.agent = chance(3) ? UInt64.random(in: 0...3, using: &random) : 0
        question.promptTokens = chance(20) ? .max : UInt32.random(in: 0...100_000, using: &random)
        if chance(2) {
            question.prefix = (1...UInt64(3)).map { mark in
                PrefixMark(digest: question.session * mark, tokens: UInt32(mark) * 10_000)
            }
        }
        question.fingerprint = UInt64.random(in: 0...3, using: &random)
        question.isRetry = chance(4)
        question.failures = chance(5) ? 1 : 0
        return question
    }

    private mutating func newTicket() -> Scheduler.Ticket {
        number += 1
        return Scheduler.Ticket(worker: worker(), number: number)
    }

    private mutating func ask() throws {
        let ticket = newTicket()
        let question = question()
        do throws(Scheduler.Violation) {
            waiting[ticket] = (now, question.candidates.map(\.backend.value))
            take(try scheduler.admit(ticket, question, at: now))
        } catch {
            waiting[ticket] = nil
            check(error == .tooManyTickets, "\(error)")
        }
    }

    private mutating func tell() throws {
        let ticket = newTicket()
        var question = question()
        question.candidates.removeSubrange(1...)
        let backend = question.candidates[0].backend
        do throws(Scheduler.Violation) {
            take(try scheduler.began(ticket, question, at: now))
            begin(ticket, backend.value)
            inFlight[backend.value, default: 0] += 1
        } catch {
            check(error == .tooManyTickets || error == .unknownBackend(backend), "\(error)")
        }
    }

    private mutating func report() -> AttemptReport {
        let verdicts: [AttemptReport.Verdict] = [
            .well, .well, .well, .well, .well, .well, .well, .notSent, .unreachable, .broken,
            .failed(status: 500), .firstByteTimeout, .stalled, .busy(rest: 0), .busy(rest: 2), .loading,
            .modelMissing,
        ]
        var report = AttemptReport(verdicts.randomElement(using: &random) ?? .well)
        report.firstByte = chance(100) ? .max : UInt64.random(in: 0...5_000_000, using: &random)
        report.duration = chance(100) ? .max : UInt64.random(in: 0...9_000_000, using: &random)
        report.inputTokens = chance(100) ? .max : UInt32.random(in: 0...100_000, using: &random)
        report.cachedTokens = chance(2) ? UInt32.random(in: 0...100_000, using: &random) : nil
        report.outputTokens = UInt32.random(in: 0...1000, using: &random)
        return report
    }

    private mutating func end() throws {
        // Any of them, the same for the same seed.
        while let ticket = order.popLast() {
            guard running[ticket] != nil else { continue }
            return try end(ticket)
        }
    }

    private mutating func end(_ ticket: Scheduler.Ticket) throws {
        guard let backend = running.removeValue(forKey: ticket) else { return }
        inFlight[backend, default: 0] -= 1
        take(try scheduler.ended(ticket, report(), at: now))
    }

    private mutating func begin(_ ticket: Scheduler.Ticket, _ backend: UInt16) {
        running[ticket] = backend
        order.append(ticket)
        order.swapAt(Int.random(in: order.indices, using: &random), order.count - 1)
    }

    private mutating func withdraw() throws {
        if let ticket = over.popFirst() {
            take(try scheduler.ended(ticket, .init(.notSent), at: now))
        } else if let ticket = waiting.keys.max(by: { $0.number < $1.number }) {
            waiting[ticket] = nil
            take(try scheduler.ended(ticket, .init(.notSent), at: now))
        }
    }

    private mutating func answered() throws {
        guard let ticket = order.last(where: { running[$0] != nil }) else { return }
        take(try scheduler.answered(ticket, at: now))
    }

    private mutating func die() {
        let index = Int.random(in: 0..<lives.count, using: &random)
        let dead = WorkerID(life: lives[index])
        lives[index] = nextLife
        nextLife += 1
        for (ticket, backend) in running where ticket.worker == dead {
            running[ticket] = nil
            inFlight[backend, default: 0] -= 1
        }
        for ticket in waiting.keys where ticket.worker == dead { waiting[ticket] = nil }
        over = over.filter { $0.worker != dead }
        take(scheduler.died(dead, at: now))
    }

    private mutating func take(_ actions: [Scheduler.Action]) {
        for action in actions {
            switch action {
            case .grant(let ticket, let grant):
                let asked = waiting.removeValue(forKey: ticket)
                check(asked != nil, "a grant that nobody waits for")
                let backend = grant.backend.value
                check(asked?.candidates.contains(backend) == true, "not a candidate")
                check(inFlight[backend, default: 0] < present[backend]?.limit ?? .max, "beyond the limit")
                check(present[backend] != nil, "not configured")
                begin(ticket, backend)
                inFlight[backend, default: 0] += 1
            case .refuse(let ticket, _):
                check(waiting.removeValue(forKey: ticket) != nil, "a refusal that nobody waits for")
                over.insert(ticket)
            case .supersede(let ticket):
                if waiting.removeValue(forKey: ticket) != nil {
                    over.insert(ticket)
                } else {
                    check(running[ticket] != nil, "superseded what is not there")
                }
            default: break
            }
        }
    }

    private mutating func judge() {
        check(scheduler.queued == waiting.count, "other ones wait")
        check(waiting.count <= settings.queue.length, "too many wait")
        guard count % 100 == 0 else { return }
        for (number, backend) in present {
            let view = scheduler.view(of: BackendNumber(number), at: now)
            check(view.inFlight == inFlight[number, default: 0], "permits are lost")
            check(view.queued == waiting.values.count { $0.candidates.contains(number) }, "queued")
            // A backend that is well and idle leaves none waiting who wants no other.
            if view.inFlight == 0, view.state == .up || view.state == .unknown, view.breaker == .closed,
                scheduler.closedModels(of: backend.number).isEmpty,
                scheduler.condition(of: backend.number, at: now).isOpen
            {
                check(!waiting.values.contains { $0.candidates == [number] }, "idle while one waits")
            }
        }
        // None waits for longer than it may.
        for waiter in waiting.values {
            check(now.since(waiter.since) <= settings.queue.wait, "waits too long")
        }
    }

    /// All end, and nothing is left.
    public mutating func finish() throws {
        while !running.isEmpty || !waiting.isEmpty || !over.isEmpty {
            try end()
            if running.isEmpty { try withdraw() }
        }
        now = now + .seconds(1000)
        take(scheduler.tick(at: now))
        for number in present.keys {
            let view = scheduler.view(of: BackendNumber(number), at: now)
            check(view.inFlight == 0 && view.queued == 0, "something is left")
        }
    }
}
