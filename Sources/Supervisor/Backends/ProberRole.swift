// Which worker asks the backends for all. Pure. Holds: at most one has the role, and as long as a worker lives
// that has served, one has it; it is asked for one backend at most once in `lookInterval`.

import Shared

struct ProberRole: Sendable {
    /// How often it is asked to look at one backend besides its own rounds.
    static let lookInterval: Duration = .seconds(1)

    /// Who has the role.
    private(set) var worker: WorkerID?
    private var serving: Set<WorkerID> = []
    /// Served once, and finish what they have.
    private var draining: Set<WorkerID> = []
    private var lastLooks: [BackendNumber: MonotonicInstant] = [:]

    mutating func opened(_ worker: WorkerID) { serving.insert(worker) }

    /// It takes no more connections, and still finishes what it has.
    mutating func closed(_ worker: WorkerID) {
        if serving.remove(worker) != nil { draining.insert(worker) }
    }

    mutating func died(_ worker: WorkerID) {
        serving.remove(worker)
        draining.remove(worker)
        if self.worker == worker { self.worker = nil }
    }

    /// What is to be said so that the right one has the role: the oldest that serves, and while all finish, the
    /// one that has it or the oldest of them.
    mutating func settle() -> [(worker: WorkerID, isOn: Bool)] {
        let keeps = worker.map { serving.contains($0) || serving.isEmpty && draining.contains($0) } ?? false
        guard !keeps else { return [] }
        let before = worker
        worker = serving.min() ?? draining.min()
        lastLooks = [:]
        return (before.map { [($0, false)] } ?? []) + (worker.map { [($0, true)] } ?? [])
    }

    /// Whom to ask to look at this backend soon; nil when that was just asked for, or there is nobody.
    mutating func look(at backend: BackendNumber, at now: MonotonicInstant) -> WorkerID? {
        guard let worker else { return nil }
        if let last = lastLooks[backend], now.since(last) < Self.lookInterval { return nil }
        lastLooks[backend] = now
        return worker
    }
}
