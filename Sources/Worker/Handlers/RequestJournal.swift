// The journal of requests that are no exchange: counts, lists, probes, and everything that is refused. One
// entry each, whatever its end, with the id that the client was told. Never prompts, never keys.

internal import EventLoop
internal import HTTP
internal import Shared
internal import Translation

/// What one such request leaves.
struct RequestEntry {
    var requestedModel: String?
    var backend: String?
    var model: String?
    var inputTokens: Int?
    /// Why it was refused.
    var failure: Failure?
}

/// Entries of one kind that stand out in the journal: so many in a time, the rest at a lower level.
struct NoticeLimit {
    let count: Int
    let time: Duration
    private var begun: Instant?
    private var used = 0

    init(count: Int, each time: Duration) {
        self.count = count
        self.time = time
    }

    mutating func takes(at now: Instant) -> Bool {
        if begun.map({ $0.advanced(by: time) <= now }) ?? true {
            begun = now
            used = 0
        }
        guard used < count else { return false }
        used += 1
        return true
    }
}

extension Server {
    /// Remembers a request that was answered.
    func remember(_ entry: RequestEntry, _ request: Request, _ answer: Answer, _ connection: Connection) {
        let head = request.head
        if let failure = entry.failure {
            return refused(head, failure, answer, connection, since: request.receivedAt, entry)
        }
        log.info(.request, fields(entry, head, answer, connection, since: request.receivedAt))
    }

    /// Remembers a question for this worker's health: asked every few seconds in many places.
    func probed(_ request: Request, _ answer: Answer, _ connection: Connection) {
        guard log.takes(.debug) else { return }
        log.debug(.request, fields(.init(), request.head, answer, connection, since: request.receivedAt))
    }

    /// Remembers a request that was refused.
    /// - Parameter head: nil when it could not be read.
    func refused(
        _ head: RequestHead?, _ failure: Failure, _ answer: Answer, _ connection: Connection,
        since begun: Instant, _ entry: RequestEntry = RequestEntry()
    ) {
        // Guessing keys should be seen, and must not fill the journal's upper levels.
        let standsOut = failure.isAboutKey && refusedKeys.takes(at: Loop.now)
        guard log.takes(standsOut ? .notice : .info) else { return }
        var fields = fields(
            entry, head, answer, connection, since: begun, status: failure.error(for: answer.api).status)
        let (error, reason) = failure.entry
        fields.append("error", error)
        if let reason {
            fields.append("reason", ExchangeRecord.short(reason, limit: ExchangeRecord.longestReason))
        }
        if standsOut { log.notice(.requestRefused, fields) } else { log.info(.requestRefused, fields) }
    }

    /// Remembers a request whose client left before all of it had come.
    func abandoned(_ request: Request, _ answer: Answer, _ connection: Connection) {
        let status = ExchangeRecord.clientClosed
        var fields = fields(.init(), request.head, answer, connection, since: request.begun, status: status)
        fields.append("reason", "The client left before the whole request had come.")
        log.info(.requestRefused, fields)
    }

    private func fields(
        _ entry: RequestEntry, _ head: RequestHead?, _ answer: Answer, _ connection: Connection,
        since begun: Instant, status: Int? = nil
    ) -> LogFields {
        var fields: LogFields = ["request_id": LogValue(answer.requestID)]
        if let head {
            fields.append("method", "\(head.method)".uppercased())
            fields.append("path", ExchangeRecord.short(head.path))
        }
        fields.append("status", status ?? answer.status)
        fields.append("peer", connection.peer)
        if let client = head.flatMap(access.clientName) { fields.append("client", client) }
        fields.append("duration_us", Instant.now.nanoseconds(since: begun) / 1000)
        if let name = entry.requestedModel { fields.append("requested_model", ExchangeRecord.short(name)) }
        if let name = entry.backend { fields.append("backend", name) }
        if let name = entry.model { fields.append("model", ExchangeRecord.short(name)) }
        if let count = entry.inputTokens { fields.append("input_tokens", count) }
        return fields
    }
}

extension Failure {
    fileprivate var isAboutKey: Bool { if case .request(.invalidKey) = self { true } else { false } }
}

extension LogEvent {
    static let request = LogEvent("request", id: "b7a1c0d95e1c4b6f9a35d1e28f0c7a46")
    static let requestRefused = LogEvent("request refused", id: "2f6c8e1d50ab47d39b7e04c1a8d9f365")
}
