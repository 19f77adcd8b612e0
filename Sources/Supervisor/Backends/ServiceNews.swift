// What the journal is told of backends: values, one for each line; and a limit on lines that say that something
// changes all the time. Pure.

import Scheduling
import Shared

struct ServiceNews: Equatable, Sendable {
    enum What: Equatable, Sendable {
        /// It answers now. `model`: what `auto` means there, with its window in tokens.
        case found(
            type: String, dialect: Configuration.DialectSetting, models: Int, model: String?, context: Int?)
        case lost(reason: String)
        case changedModels(count: Int)
        /// It has more models than there is room for.
        case cutModels(count: Int)
        case opened(failures: Int, rest: Duration)
        case halfOpened
        case closed
        /// So many changes were not told.
        case flapping(changes: Int)
        /// Lists changed so often that so many lines were not written.
        case flappingModels(changes: Int)
        /// There is none, and the demo answers.
        case demo
    }

    var backend = ""
    var url = ""
    /// Nil = the backend as a whole.
    var model: String?
    let what: What

    init(_ what: What) { self.what = what }

    init(_ entry: BackendCatalogue.Entry, model: String? = nil, _ what: What) {
        backend = entry.name
        url = entry.url
        self.model = model
        self.what = what
    }
}

/// How many lines of one kind a backend may have.
struct LineLimit: Sendable {
    static let lines = 20
    static let window: Duration = .seconds(60)

    private struct Count: Sendable {
        let since: MonotonicInstant
        var lines = 0
        var kept = 0
    }

    private var counts: [BackendNumber: Count] = [:]

    /// Whether one more may be written; if not, it is counted.
    mutating func admits(_ backend: BackendNumber, at now: MonotonicInstant) -> Bool {
        var count = counts[backend] ?? Count(since: now)
        if count.kept == 0, now.since(count.since) >= Self.window { count = Count(since: now) }
        defer { counts[backend] = count }
        guard count.lines < Self.lines else {
            count.kept &+= 1
            return false
        }
        count.lines &+= 1
        return true
    }

    /// Of whom lines were kept back until now, and how many.
    mutating func due(at now: MonotonicInstant) -> [(backend: BackendNumber, kept: Int)] {
        let over = counts.filter { now.since($0.value.since) >= Self.window }
        for backend in over.keys { counts[backend] = nil }
        return over.filter { $0.value.kept > 0 }.map { ($0.key, $0.value.kept) }.sorted { $0.0 < $1.0 }
    }

    /// When something was kept back that is to be told.
    var nextDeadline: MonotonicInstant? {
        counts.values.filter { $0.kept > 0 }.map { $0.since + Self.window }.min()
    }
}
