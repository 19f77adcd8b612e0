// The connections that were accepted though no slot was free: a bounded queue, first come, first served among
// those that have said something. While they wait a worker looks at them, so that `/health` and `/ready` are
// answered. Pure. Holds: a connection that is being looked at is given to nobody before the verdict, so that
// two never answer it.

import Shared

struct AcceptQueue: Sendable {
    /// Beyond it the kernel's backlog is the queue. Large, because a question of health behind it is not
    /// seen.
    static let capacity = 1024
    /// What a connection that waits may keep of the limit of open files, as one part of so many.
    static let shareOfFiles = 4

    enum Look: Equatable, Sendable {
        case none
        /// Shown to this worker since then; its verdict is not here yet, for not enough has come to judge by.
        case asked(worker: WorkerID, since: MonotonicInstant)
        /// The verdict was called for, because a slot is free; it has to come at once.
        case recalled(worker: WorkerID, since: MonotonicInstant)
        /// Not a health question: it waits for a slot.
        case other

        /// The worker that looks.
        var looker: WorkerID? {
            switch self {
            case .asked(let worker, _), .recalled(let worker, _): worker
            case .none, .other: nil
            }
        }

        /// Since when nothing, or too little to judge by, has come; nil when that is not known.
        var silentSince: MonotonicInstant? {
            if case .asked(_, let since) = self { since } else { nil }
        }
    }

    struct Entry: Equatable, Sendable, Identifiable {
        let id: UInt64
        var look: Look
        /// The client has closed its sending side: it may be waiting for its answer, or have left.
        var hasFinished = false
    }

    let capacity: Int
    /// First come, first in line.
    private(set) var entries = KeyedQueue<Entry>()

    init(capacity: Int = AcceptQueue.capacity) { self.capacity = capacity }

    /// What a limit of open files leaves room for.
    static func capacity(openFiles limit: Int) -> Int { max(1, min(capacity, limit / shareOfFiles)) }

    var isEmpty: Bool { entries.isEmpty }
    var isFull: Bool { entries.count >= capacity }
    var count: Int { entries.count }

    mutating func append(_ id: UInt64) { entries.append(Entry(id: id, look: .none)) }

    /// Puts back what a dead worker had not acknowledged, before all others and oldest first, beyond the
    /// capacity if need be: nothing that was accepted is dropped.
    mutating func putBack(_ ids: [UInt64]) {
        entries.prepend(ids.sorted().map { Entry(id: $0, look: .none) })
    }

    /// False when it does not wait here.
    mutating func remove(_ id: UInt64) -> Bool { entries.remove(id) != nil }

    mutating func set(_ look: Look, for id: UInt64) { entries.update(id) { $0.look = look } }

    mutating func finished(_ id: UInt64) { entries.update(id) { $0.hasFinished = true } }

    func look(of id: UInt64) -> Look? { entries[id]?.look }

    /// A worker has died: what it was looking at is unseen again.
    mutating func forget(worker: WorkerID) {
        for entry in entries where entry.look.looker == worker { set(.none, for: entry.id) }
    }

    /// How many of the entries each worker is looking at.
    var looks: [WorkerID: Int] {
        entries.reduce(into: [:]) { counts, entry in
            if let looker = entry.look.looker { counts[looker, default: 0] += 1 }
        }
    }

    /// Those that have said something and wait for a slot.
    var speaking: Int { entries.count { $0.look == .other } }

    /// The workers that owe a verdict they were asked for, and since when.
    var owed: [(worker: WorkerID, since: MonotonicInstant)] {
        entries.compactMap { entry in
            guard case .recalled(let worker, let since) = entry.look else { return nil }
            return (worker, since)
        }
    }
}
