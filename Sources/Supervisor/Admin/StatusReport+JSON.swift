// The report as JSON. Holds: every list is bounded, and says how many more there are; a member that is not known
// is null or left out, never made up.

import JSON
import Scheduling
import Shared

extension StatusReport {
    /// Models, clients, and models of one backend that are listed.
    static let listed = 1000
    static let listedOfBackend = 100

    var json: [UInt8] {
        var writer = JSONWriter(capacity: 8192)
        writer.beginObject()
        writer.text("version", dragomanVersion)
        writer.number("pid", Int(pid))
        writer.text("state", state)
        writer.number("generation", Int(generation.number))
        writer.number("uptime_s", Int(clamping: uptimeSeconds))
        writer.list("listeners", listeners, atMost: .max) { listener, writer in
            writer.text("name", listener.name)
            writer.text("address", listener.address)
        }
        writer.number("connections", connections)
        writer.number("waiting_connections", waitingConnections)
        writer.number("in_flight", Int(clamping: exchanges))
        writer.number("queued", queued)
        writer.counters(total)
        writer.number("restarts", restarts)
        writer.list("workers", workers, atMost: .max) { $0.write(into: &$1) }
        writer.list("backends", backends, atMost: .max) { $0.write(into: &$1) }
        writer.list("models", models, atMost: Self.listed) { $0.write(into: &$1) }
        writer.more("models_more", models.count - Self.listed)
        // Who asks most is told first, where not all can be.
        let clients = clients.sorted { ($1.requests, $0.name) < ($0.requests, $1.name) }
        writer.list("clients", clients, atMost: Self.listed) { $0.write(into: &$1) }
        writer.more("clients_more", clients.count - Self.listed)
        writer.name("affinity")
        writer.beginObject()
        writer.number("sessions", affinity.sessions)
        writer.number("hits", Int(clamping: affinity.hits))
        writer.number("moves", Int(clamping: affinity.moves))
        writer.endObject()
        writer.name("configuration")
        writer.beginObject()
        writer.text("file", configurationFile)
        writer.text("loaded_at", loadedAt.text)
        writer.name("refused")
        writer.null()
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    /// Bytes of a text in parts of at most `limit`, none of which ends within a character.
    static func pieces(of bytes: [UInt8], atMost limit: Int = maximumReportBytes) -> [String] {
        var pieces: [String] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            var piece = rest.prefix(limit)
            // Continuation bytes belong to what is before them.
            while piece.endIndex < rest.endIndex, piece.count > 1, rest[piece.endIndex] & 0xc0 == 0x80 {
                piece = piece.dropLast()
            }
            pieces.append(String(decoding: piece, as: UTF8.self))
            rest = rest[piece.endIndex...]
        }
        return pieces
    }
}

extension StatusReport.Worker {
    fileprivate func write(into writer: inout JSONWriter) {
        writer.number("number", number)
        writer.number("pid", Int(pid))
        writer.number("generation", Int(generation.number))
        writer.text("state", state)
        writer.number("age_s", Int(clamping: ageSeconds))
        writer.number("connections", Int(figures.connections))
        writer.number("in_flight", Int(figures.exchanges))
        writer.counters(total)
        writer.number("restarts", restarts)
        writer.number("memory_kib", memoryKiB)
    }
}

extension BackendStatus {
    fileprivate func write(into writer: inout JSONWriter) {
        writer.text("name", name)
        writer.text("url", url)
        writer.text("type", type)
        writer.text("state", state.rawValue)
        writer.text("breaker", view.breaker.rawValue)
        if !view.reason.isEmpty { writer.text("error", view.reason) }
        writer.number("in_flight", view.inFlight)
        writer.number("limit", limit)
        writer.number("queued", view.queued)
        writer.number("requests", Int(clamping: view.requests))
        writer.number("failures", Int(clamping: view.failures))
        let open = Set(openModels)
        writer.list("models", models, atMost: StatusReport.listedOfBackend) { model, writer in
            writer.text("name", model.id)
            writer.number("context_window", model.contextWindow)
            writer.flag("loaded", model.isLoaded)
            if open.contains(model.id) {
                writer.text("breaker", Scheduler.BackendView.BreakerState.open.rawValue)
            }
        }
        writer.more("models_more", models.count - StatusReport.listedOfBackend)
        if let automatic {
            writer.text("default_model", automatic.id)
            writer.number("default_context", automatic.contextWindow)
        }
        writer.list("learned", learned, atMost: .max) { learned, writer in
            writer.text("model", learned.model)
            if !learned.lacks.isEmpty {
                writer.name("lacks")
                writer.beginArray()
                for feature in learned.lacks { writer.value(feature) }
                writer.endArray()
            }
            if let limit = learned.outputLimit { writer.number("output_limit", limit) }
            if let count = learned.tokensPerThousand { writer.number("tokens_per_thousand", count) }
        }
    }
}

extension ModelStatus {
    fileprivate func write(into writer: inout JSONWriter) {
        writer.text("name", name)
        writer.texts("backends", backends)
        writer.number("context_window", contextWindow)
        writer.flag("loaded", isLoaded)
        writer.texts("aliases", aliases)
    }
}

extension Scheduler.ClientView {
    fileprivate func write(into writer: inout JSONWriter) {
        writer.text("name", name)
        writer.number("requests", Int(clamping: requests))
        writer.number("input_tokens", Int(clamping: inputTokens))
        writer.number("output_tokens", Int(clamping: outputTokens))
        writer.number("in_flight", inFlight)
        writer.number("queued", queued)
        writer.number("limited", Int(clamping: limited))
    }
}

extension JSONWriter {
    fileprivate mutating func number(_ name: StaticString, _ value: Int?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    fileprivate mutating func text(_ name: StaticString, _ value: String?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    fileprivate mutating func flag(_ name: StaticString, _ value: Bool?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    fileprivate mutating func texts(_ name: StaticString, _ values: [String]) {
        self.name(name)
        beginArray()
        for value in values { self.value(value) }
        endArray()
    }

    /// An array of objects.
    fileprivate mutating func list<Element>(
        _ name: StaticString, _ elements: [Element], atMost limit: Int,
        _ write: (Element, inout JSONWriter) -> Void
    ) {
        self.name(name)
        beginArray()
        for element in elements.prefix(limit) {
            beginObject()
            write(element, &self)
            endObject()
        }
        endArray()
    }

    /// How many are not listed, where there are such.
    fileprivate mutating func more(_ name: StaticString, _ count: Int) {
        if count > 0 { number(name, count) }
    }

    fileprivate mutating func counters(_ figures: WorkerFigures) {
        number("requests", Int(clamping: figures.served))
        number("failed", Int(clamping: figures.failed))
        number("input_tokens", Int(clamping: figures.inputTokens))
        number("output_tokens", Int(clamping: figures.outputTokens))
    }
}
