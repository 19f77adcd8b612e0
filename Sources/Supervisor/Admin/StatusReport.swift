// What `dragoman status` and `GET /status` are told: a value, gathered from the pure parts. Counters include the
// lives that have ended, so they never go backwards.

import Glibc
import Scheduling
import Shared

struct StatusReport {
    struct Worker {
        let number: Int
        let pid: Int32
        let generation: GenerationID
        let state: String
        let ageSeconds: UInt64
        let restarts: Int
        /// Nil when it cannot be seen.
        var memoryKiB: Int?
        let figures: WorkerFigures
        /// This worker's earlier lives and the present one together.
        let total: WorkerFigures
    }

    struct Listener {
        let name: String
        let address: String
    }

    let pid: Int32
    let state: String
    let uptimeSeconds: UInt64
    let generation: GenerationID
    let listeners: [Listener]
    var workers: [Worker]
    /// Client connections the workers hold or are about to.
    let connections: Int
    /// Connections that wait for a slot.
    let waitingConnections: Int
    /// Requests that wait for a backend.
    var queued = 0
    var backends: [BackendStatus] = []
    var models: [ModelStatus] = []
    var clients: [Scheduler.ClientView] = []
    var affinity = Scheduler.AffinityView()
    /// Nil = built-in defaults.
    var configurationFile: String?
    var loadedAt = WallTime(nanoseconds: 0)

    var restarts: Int { workers.reduce(0) { $0 + $1.restarts } }
    var serving: Int { workers.count { $0.state == "serving" } }
    var exchanges: UInt64 { workers.reduce(0) { $0 + UInt64($1.figures.exchanges) } }
    var total: WorkerFigures {
        workers.reduce(into: WorkerFigures()) { sum, worker in sum.add(worker.total) }
    }

    /// One line for STATUS=.
    var line: String {
        var line =
            "\(serving)/\(workers.count) workers serving, \(Wording.count(connections, "connection")), "
        line += "\(Wording.count(Int(clamping: exchanges), "exchange")) in flight, \(total.served) served"
        if total.failed > 0 { line += " (\(total.failed) failed)" }
        if queued > 0 { line += ", \(queued) waiting for a backend" }
        if waitingConnections > 0 { line += ", \(waitingConnections) waiting for a slot" }
        if restarts > 0 { line += ", \(Wording.count(restarts, "restart"))" }
        let backends = BackendStatus.line(of: backends)
        if !backends.isEmpty { line += "; \(backends)" }
        return state == "running" ? line : "\(state): \(line)"
    }
}

extension Supervisor {
    /// What the status line says: without what takes time to gather.
    func briefStatus(at now: MonotonicInstant = .now()) -> StatusReport {
        let workers = pool.records.map { record in
            var total = record.past
            total.add(record.figures)
            return StatusReport.Worker(
                number: record.number, pid: record.pid ?? 0, generation: generation.id,
                state: record.stateName, ageSeconds: record.age(at: now).wholeSeconds,
                restarts: record.restarts, figures: record.figures, total: total)
        }
        var report = StatusReport(
            pid: getpid(), state: stateName, uptimeSeconds: now.since(started).wholeSeconds,
            generation: generation.id,
            listeners: listeners.clients.map { .init(name: $0.name, address: $0.address) }, workers: workers,
            connections: dispatcher.used, waitingConnections: dispatcher.waiting)
        report.queued = service.scheduler.queued
        report.backends = backends
        return report
    }

    func statusReport(at now: MonotonicInstant) -> StatusReport {
        var report = briefStatus(at: now)
        for index in report.workers.indices {
            report.workers[index].memoryKiB = ProcessMemory.resident(report.workers[index].pid)
        }
        report.backends = service.backendStatuses(at: now, .now())
        report.models = ModelStatus.all(of: report.backends, rules: generation.configuration.models)
        report.clients = service.scheduler.clientViews
        report.affinity = service.scheduler.affinityView
        report.configurationFile = generation.configurationFile
        report.loadedAt = generation.loadedAt
        return report
    }

    private var stateName: String {
        switch phase {
        case .running: pool.hasStarted ? "running" : "starting"
        case .handingOver, .draining: "draining"
        }
    }
}
