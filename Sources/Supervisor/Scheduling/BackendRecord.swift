// All that is known of one backend, and of its models as far as they fare otherwise. The record outlives the backend's
// place in the configuration, for its permits. Holds: at most `maximumModels` records of models, `maximumSeen` models
// seen.

import Shared

struct BackendRecord: Sendable {
    /// Models that have failed; beyond it one more is not told apart from its backend.
    static let maximumModels = 256
    private static let maximumSeen = 64
    /// Of `busy`.
    static let longestRest = 300.0
    private static let longestUnsaidRest = 10.0

    var settings: Scheduler.Backend
    var isPresent = true
    var checks = HealthChecks()
    var breaker = Breaker()
    var models: [ModelRecord] = []
    /// It has asked for peace.
    var restsUntil: MonotonicInstant?
    /// Answers in a row that asked for peace without saying for how long.
    private var unsaidRests = 0
    var log = ChangeLog()
    /// What was told of it last.
    var told: BackendCondition

    /// Nothing is wrong with it or its models: the answer for nearly every request.
    private(set) var isPlain = true
    /// No limit = Int.max.
    private(set) var limit = Int.max
    var inFlight = 0
    var requests: UInt64 = 0
    var failures: UInt64 = 0
    /// Waiting requests that could go here, and those that had better.
    var queued = 0
    var queuedAtHome = 0

    var speed = SpeedEstimate()
    var cache = CacheEstimate()
    var slots: SlotTable?
    /// The model of the last request that was sent there.
    var lastModel: ModelDigest?
    /// In the masks of `PrefixIndex`; nil: all are taken.
    var bit: Int?
    /// Of the smooth weighted round-robin.
    var turn = 0

    /// Models that were asked for lately, and when.
    private var seen: [(model: ModelDigest, at: MonotonicInstant)] = []
    /// How many models it lists; nil = not known.
    var listed: Int?

    init(_ settings: Scheduler.Backend) {
        self.settings = settings
        told = BackendCondition(settings.number, .unknown, isOpen: true)
        limit = settings.limit.map { max($0, 1) } ?? .max
    }

    var hasPlace: Bool { inFlight < limit }
    /// Nothing is counted here, so that a request with no other candidate need not ask.
    private var countsNothing: Bool { limit == .max && (slots?.count ?? 0) < 2 }
    /// For shares: what it may have at once, else its weight.
    var capacity: Int { limit == .max ? max(settings.weight, 1) : limit }

    mutating func apply(_ settings: Scheduler.Backend) {
        self.settings = settings
        limit = settings.limit.map { max($0, 1) } ?? .max
        isPresent = true
    }

    /// After each change of its health.
    mutating func refresh() {
        isPlain =
            isPresent && checks.state != .down && breaker.isClosed && !breaker.isTrying && restsUntil == nil
            && models.isEmpty
    }

    var state: BackendState {
        if checks.state == .down { return .down }
        switch breaker.state {
        case .open: return .ejected
        case .halfOpen: return .probing
        case .closed: return checks.state == .up ? .up : .unknown
        }
    }

    /// Nothing is wrong, and nothing else was told: the quick way out of `settle`.
    var isAsTold: Bool {
        isPlain && told.isOpen == countsNothing && !told.isLost
            && told.state == (checks.state == .up ? .up : .unknown)
    }

    func condition(at now: MonotonicInstant) -> BackendCondition {
        let state = state
        let isWell = state == .up || state == .unknown
        return BackendCondition(
            settings.number, state, isOpen: isPresent && isWell && restsUntil == nil && countsNothing,
            isLost: checks.isLost(at: now), reason: checks.reason)
    }

    // MARK: Models

    func model(_ digest: ModelDigest) -> ModelRecord? { models.first { $0.model == digest } }

    /// Its record, made when there is none; nil when there are too many.
    mutating func withModel<Result>(
        _ digest: ModelDigest, _ change: (inout ModelRecord) -> Result
    ) -> Result? {
        if let place = models.firstIndex(where: { $0.model == digest }) { return change(&models[place]) }
        guard models.count < Self.maximumModels else { return nil }
        var record = ModelRecord(digest)
        let result = change(&record)
        models.append(record)
        return result
    }

    mutating func sees(_ model: ModelDigest, at now: MonotonicInstant) {
        if let place = seen.firstIndex(where: { $0.model == model }) {
            seen[place].at = now
        } else {
            if seen.count >= Self.maximumSeen { seen.removeFirst() }
            seen.append((model, now))
        }
    }

    /// Whether all its models fail, now that this one does as well. One that was never asked for says nothing; but of
    /// several listed models one alone is not all.
    func isLastModel(
        _ model: ModelDigest, _ settings: Configuration.Breaker, at now: MonotonicInstant
    ) -> Bool {
        let lately = seen.filter { now.since($0.at) <= settings.window && $0.model != model }
        guard lately.allSatisfy({ self.model($0.model).map { !$0.breaker.isClosed } ?? false }) else {
            return false
        }
        let failing = models.count(where: { !$0.breaker.isClosed && $0.model != model }) &+ 1
        return failing >= min(listed ?? 1, 2)
    }

    // MARK: Rests

    /// It wants to be left alone. Later answers of what was sent before do not shorten that.
    mutating func rests(_ seconds: UInt16, at now: MonotonicInstant) {
        let rest: Double
        if seconds == 0 {
            // 1 s, and half as much again with each time that this was not enough.
            if restsUntil == nil { unsaidRests = min(unsaidRests &+ 1, 16) }
            rest = min(
                (1..<max(unsaidRests, 1)).reduce(1.0) { rest, _ in rest * 1.5 }, Self.longestUnsaidRest)
        } else {
            rest = min(Double(seconds), Self.longestRest)
        }
        let until = now + .seconds(rest)
        restsUntil = max(restsUntil ?? until, until)
    }

    mutating func answersWell() { unsaidRests = 0 }
}
