// The connections that were accepted though no slot was free: a bounded queue, first come, first served.
// While they wait a worker looks at them, so that `/health` and `/ready` are answered. Pure. Holds: a
// connection that is being looked at is given to nobody before the verdict, so that two never answer it.

struct Lobby: Sendable {
    /// Beyond it the kernel's backlog is the queue.
    static let capacity = 64

    enum Look: Equatable, Sendable {
        case none
        /// Shown to this worker; its verdict is not here yet.
        case asked(worker: Int)
        /// The verdict was called for, because a slot is free; it has to come at once.
        case recalled(worker: Int, since: Moment)
        /// Not a health question: it waits for a slot.
        case other

        /// The worker that looks.
        var looker: Int? {
            switch self {
            case .asked(let worker), .recalled(let worker, _): worker
            case .none, .other: nil
            }
        }
    }

    struct Entry: Equatable, Sendable {
        let id: UInt64
        var look: Look
    }

    private(set) var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }
    var isFull: Bool { entries.count >= Self.capacity }
    var count: Int { entries.count }

    mutating func append(_ id: UInt64) { entries.append(Entry(id: id, look: .none)) }

    /// Puts back what a dead worker had not acknowledged, before all others and oldest first, beyond the
    /// capacity if need be: nothing that was accepted is dropped.
    mutating func putBack(_ ids: [UInt64]) {
        entries.insert(contentsOf: ids.sorted().map { Entry(id: $0, look: .none) }, at: 0)
    }

    mutating func remove(_ id: UInt64) -> Bool {
        guard let place = entries.firstIndex(where: { $0.id == id }) else { return false }
        entries.remove(at: place)
        return true
    }

    mutating func set(_ look: Look, for id: UInt64) {
        guard let place = entries.firstIndex(where: { $0.id == id }) else { return }
        entries[place].look = look
    }

    func look(of id: UInt64) -> Look? { entries.first { $0.id == id }?.look }

    /// A worker has died: what it was looking at is unseen again.
    mutating func forget(worker: Int) {
        for index in entries.indices where entries[index].look.looker == worker {
            entries[index].look = .none
        }
    }

    /// How many of the entries a worker is looking at.
    func looks(of worker: Int) -> Int { entries.count { $0.look.looker == worker } }

    /// The workers that owe a verdict they were asked for, and since when.
    var owed: [(worker: Int, since: Moment)] {
        entries.compactMap { entry in
            guard case .recalled(let worker, let since) = entry.look else { return nil }
            return (worker, since)
        }
    }
}
