// A scheduler with a clock and the words that tests use.

import Scheduling
import Shared
import Testing

struct SchedulerDriver {
    var scheduler: Scheduler
    var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)
    var worker = WorkerID(life: 1)
    private var number: UInt64 = 0
    /// Everything but grants, in order.
    var told: [Scheduler.Action] = []
    var granted: [Scheduler.Ticket: Grant] = [:]
    var refused: [Scheduler.Ticket: AdmissionRefusal] = [:]

    static let model = ModelDigest(of: "m")

    init(
        _ backends: [Scheduler.Backend] = [], checked: Bool = true,
        _ change: (inout Configuration.Service) -> Void = { _ in }
    ) {
        var settings = Configuration.Service()
        change(&settings)
        scheduler = Scheduler(settings, ticketsPerWorker: 100_000)
        for backend in backends {
            _ = scheduler.apply(backend, at: now)
            if checked { _ = scheduler.checked(backend.number, .good, at: now) }
        }
    }

    static func backend(
        _ number: UInt16, limit: Int? = nil, weight: Int = 1, priority: Int = 100
    ) -> Scheduler.Backend {
        var backend = Scheduler.Backend(BackendNumber(number), name: "b\(number)")
        backend.limit = limit
        backend.weight = weight
        backend.priority = priority
        return backend
    }

    static func backends(_ count: UInt16, limit: Int? = nil) -> [Scheduler.Backend] {
        (0..<count).map { backend($0, limit: limit) }
    }

    static func question(
        _ backends: [UInt16], client: String = "c", model: ModelDigest = Self.model,
        _ change: (inout AdmissionQuestion) -> Void = { _ in }
    ) -> AdmissionQuestion {
        var question = AdmissionQuestion(
            client: client, candidates: backends.map { BackendCandidate(BackendNumber($0), model) })
        change(&question)
        return question
    }

    mutating func wait(_ seconds: Double) {
        let end = now + .seconds(seconds)
        while let due = scheduler.nextDeadline, due <= end {
            now = max(due, now + .milliseconds(1))
            take(scheduler.tick(at: now))
        }
        now = max(now, end)
    }

    mutating func take(_ actions: [Scheduler.Action]) {
        for action in actions {
            switch action {
            case .grant(let ticket, let grant):
                #expect(granted[ticket] == nil && refused[ticket] == nil, "a second answer")
                granted[ticket] = grant
            case .refuse(let ticket, let refusal):
                #expect(granted[ticket] == nil && refused[ticket] == nil, "a second answer")
                refused[ticket] = refusal
            default: told.append(action)
            }
        }
    }

    mutating func newTicket() -> Scheduler.Ticket {
        number += 1
        return Scheduler.Ticket(worker: worker, number: number)
    }

    @discardableResult
    mutating func ask(_ question: AdmissionQuestion) throws -> Scheduler.Ticket {
        let ticket = newTicket()
        take(try scheduler.admit(ticket, question, at: now))
        return ticket
    }

    mutating func ask(
        _ backends: [UInt16], client: String = "c", _ change: (inout AdmissionQuestion) -> Void = { _ in }
    ) throws -> Scheduler.Ticket {
        try ask(Self.question(backends, client: client, change))
    }

    mutating func end(
        _ ticket: Scheduler.Ticket, _ verdict: AttemptReport.Verdict = .well,
        _ change: (inout AttemptReport) -> Void = { _ in }
    ) throws {
        var report = AttemptReport(verdict)
        change(&report)
        take(try scheduler.ended(ticket, report, at: now))
    }

    mutating func check(_ backend: UInt16, _ result: CheckResult) {
        take(scheduler.checked(BackendNumber(backend), result, at: now))
    }

    /// A whole request that ends so.
    @discardableResult
    mutating func run(
        _ backends: [UInt16], _ verdict: AttemptReport.Verdict = .well, model: ModelDigest = Self.model
    ) throws -> UInt16? {
        let ticket = try ask(Self.question(backends, model: model))
        let backend = granted[ticket]?.backend.value
        try end(ticket, verdict)
        return backend
    }

    func backend(_ ticket: Scheduler.Ticket) -> UInt16? { granted[ticket]?.backend.value }

    func view(_ backend: UInt16) -> Scheduler.BackendView {
        scheduler.view(of: BackendNumber(backend), at: now)
    }

    /// Lines of the journal since the last call.
    mutating func lines() -> [Scheduler.StateChange.What] {
        defer { told = [] }
        return told.compactMap { if case .changed(let change) = $0 { change.what } else { nil } }
    }
}
