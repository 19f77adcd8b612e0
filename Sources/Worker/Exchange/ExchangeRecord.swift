// What is remembered of one exchange: becomes exactly one journal entry and the worker's counters.
// Never prompts, never keys.

internal import EventLoop
internal import Shared
internal import Translation

struct ExchangeRecord {
    enum Ending: Equatable {
        /// Answered with an error before any backend was asked.
        case refused(Failure)
        case ended(Outcome)
        /// The client has sent the same request again, and does not wait for this one.
        case superseded

        var name: String {
            switch self {
            case .refused: "refused"
            case .superseded: "superseded"
            case .ended(.completed): "completed"
            case .ended(.truncated): "truncated"
            case .ended(.upstreamFailed): "upstream_failed"
            case .ended(.cancelled): "cancelled"
            case .ended(.timedOut): "timed_out"
            }
        }

        /// Info = as it should be, or the client's own doing; warning = the backend failed, or there was
        /// none, and we said so.
        var level: LogLevel {
            switch self {
            case .refused(let failure) where !failure.isClientsMatter: .warning
            case .refused, .superseded, .ended(.completed), .ended(.cancelled): .info
            case .ended(.truncated), .ended(.upstreamFailed), .ended(.timedOut): .warning
            }
        }

        var isFailure: Bool {
            switch self {
            case .refused, .ended(.truncated), .ended(.upstreamFailed), .ended(.timedOut): true
            case .superseded, .ended(.completed), .ended(.cancelled): false
            }
        }

        var problem: String? {
            switch self {
            case .refused(let failure), .ended(.upstreamFailed(let failure)),
                .ended(.timedOut(let failure)):
                failure.entry.error
            case .ended(.truncated): "truncated"
            case .ended, .superseded: nil
            }
        }

        /// In our own words, why it failed: nothing of a client's or backend's text.
        var reason: String? {
            switch self {
            case .refused(let failure), .ended(.upstreamFailed(let failure)),
                .ended(.timedOut(let failure)):
                failure.entry.reason
            case .ended, .superseded: nil
            }
        }
    }

    /// What a client that left before any status would have been told; nginx's number for it.
    static let clientClosed = 499
    /// Longest text of a client's or backend's that stands in an entry, in bytes.
    static let longestName = 200
    /// Longest text of ours, in bytes.
    static let longestReason = 500

    let requestID: String
    let begun: Instant
    let peer: String
    /// Who asked, where a key says it.
    var client: String?
    var requestedModel = ""
    var backend = ""
    var model = ""
    var streaming = false
    /// The backend is asked for a stream.
    var isStreamed = false
    var attempts = 0
    var usage = Usage()
    var omissions: [String] = []
    /// In the history that was sent, and in the answer.
    var historyRepairs: [String] = []
    var repairs: [String] = []
    /// What a backend was asked without after it had refused it.
    var retriedWithout: [String] = []
    /// Where it went, and what it waited for.
    var placement = PlacementStory()
    /// Why the backend failed, in one word; and how the transport to it did, in words of libcurl and the system.
    var cause: String?
    var detail: String?
    /// How the backend calls this exchange.
    var upstreamID: String?

    init(requestID: String, begun: Instant, peer: String = "") {
        self.requestID = requestID
        self.begun = begun
        self.peer = peer
    }

    func fields(_ ending: Ending, status: Int, firstByteAt: Instant?, now: Instant) -> LogFields {
        var fields: LogFields = [
            "request_id": LogValue(requestID), "backend": LogValue(backend),
            "model": LogValue(Self.short(model)), "requested_model": LogValue(Self.short(requestedModel)),
            "status": LogValue(status == 0 ? Self.clientClosed : status), "outcome": LogValue(ending.name),
            "duration_us": LogValue(now.nanoseconds(since: begun) / 1000),
            "input_tokens": LogValue(usage.input &+ usage.cacheRead &+ usage.cacheCreation),
            "output_tokens": LogValue(usage.output), "stream": LogValue(streaming ? 1 : 0),
        ]
        if let firstByteAt { fields.append("ttfb_us", firstByteAt.nanoseconds(since: begun) / 1000) }
        if attempts > 1 { fields.append("attempts", attempts) }
        fields.append("peer", peer)
        if let client { fields.append("client", client) }
        if let problem = ending.problem { fields.append("error", problem) }
        if let reason = ending.reason {
            fields.append("reason", Self.short(reason, limit: Self.longestReason))
        }
        if ending.problem != nil {
            if let cause { fields.append("cause", cause) }
            if let detail { fields.append("cause_detail", Self.short(detail)) }
        }
        placement.append(to: &fields)
        if usage.tellsCache { fields.append("cached_tokens", usage.cacheRead) }
        if let upstreamID { fields.append("upstream_request_id", Self.short(upstreamID)) }
        if !omissions.isEmpty { fields.append("omitted", Self.short(omissions.joined(separator: ","))) }
        if !retriedWithout.isEmpty {
            fields.append("retried_without", retriedWithout.joined(separator: ","))
        }
        let repaired = historyRepairs + repairs
        if !repaired.isEmpty { fields.append("repaired", Self.short(repaired.joined(separator: ","))) }
        return fields
    }

    static func short(_ text: String, limit: Int = longestName) -> String {
        guard text.utf8.count > limit else { return text }
        return String(decoding: text.utf8.prefix(limit), as: UTF8.self)
    }
}

extension LogEvent {
    static let exchange = LogEvent("exchange", id: "7d2c9b0e41fa4c6c8f35a6d1e0b9c274")
}
