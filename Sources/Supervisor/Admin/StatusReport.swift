// What `dragoman status` is told: a value, and its JSON. The backends' part is a worker's own report and
// goes in as it came. Counters include the lives that have ended, so they never go backwards.

import Glibc
import JSON
import Shared

struct StatusReport {
    struct Worker {
        let number: Int
        let pid: Int32
        let state: String
        let ageSeconds: UInt64
        let restarts: Int
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
    let workers: [Worker]
    /// Client connections the workers hold or are about to.
    let connections: Int
    let queue: Int
    let backends: String
    /// The same in a few words.
    let backendsLine: String

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
        if queue > 0 { line += ", \(queue) waiting for a slot" }
        if restarts > 0 { line += ", \(Wording.count(restarts, "restart"))" }
        if !backendsLine.isEmpty { line += "; \(backendsLine)" }
        return state == "running" ? line : "\(state): \(line)"
    }

    var json: [UInt8] {
        var writer = JSONWriter(capacity: 2048 + backends.utf8.count)
        writer.beginObject()
        writer.name("version")
        writer.value(dragomanVersion)
        writer.number("pid", Int(pid))
        writer.name("state")
        writer.value(state)
        writer.number("uptime_seconds", Int(clamping: uptimeSeconds))
        writer.number("generation", Int(generation.number))
        writer.name("listeners")
        writer.beginArray()
        for listener in listeners {
            writer.beginObject()
            writer.name("name")
            writer.value(listener.name)
            writer.name("address")
            writer.value(listener.address)
            writer.endObject()
        }
        writer.endArray()
        writer.name("workers")
        writer.beginArray()
        for worker in workers { worker.write(into: &writer) }
        writer.endArray()
        writer.number("connections", connections)
        writer.number("exchanges", Int(clamping: exchanges))
        writer.number("lobby", queue)
        writer.number("restarts", restarts)
        writer.counters(total)
        writer.name("backends")
        writer.raw(Array(backends.utf8)[...])
        writer.endObject()
        return writer.bytes
    }
}

extension StatusReport.Worker {
    fileprivate func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.number("number", number)
        writer.number("pid", Int(pid))
        writer.name("state")
        writer.value(state)
        writer.number("age_seconds", Int(clamping: ageSeconds))
        writer.number("restarts", restarts)
        writer.number("connections", Int(figures.connections))
        writer.number("exchanges", Int(figures.exchanges))
        writer.counters(total)
        writer.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func number(_ name: StaticString, _ value: Int) {
        self.name(name)
        self.value(value)
    }

    fileprivate mutating func counters(_ figures: WorkerFigures) {
        number("served", Int(clamping: figures.served))
        number("failed", Int(clamping: figures.failed))
        number("input_tokens", Int(clamping: figures.inputTokens))
        number("output_tokens", Int(clamping: figures.outputTokens))
    }
}

extension Supervisor {
    func statusReport(at now: MonotonicInstant = .now()) -> StatusReport {
        let workers = pool.records.map { record in
            var total = record.past
            total.add(record.figures)
            return StatusReport.Worker(
                number: record.number, pid: record.pid ?? 0, state: record.stateName,
                ageSeconds: record.age(at: now).wholeSeconds, restarts: record.restarts,
                figures: record.figures, total: total)
        }
        return StatusReport(
            pid: getpid(), state: stateName, uptimeSeconds: now.since(started).wholeSeconds,
            generation: generation.id,
            listeners: listeners.clients.map { .init(name: $0.name, address: $0.address) }, workers: workers,
            connections: dispatcher.used, queue: dispatcher.waiting, backends: service.report,
            backendsLine: backendsLine)
    }

    private var stateName: String {
        switch phase {
        case .running: pool.hasStarted ? "running" : "starting"
        case .handingOver, .draining: "stopping"
        }
    }
}
