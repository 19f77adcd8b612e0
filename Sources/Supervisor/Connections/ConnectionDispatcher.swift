// What becomes of every accepted connection until a worker has acknowledged it. Pure: events in, actions
// out; descriptors are known by id only. Holds: a connection is in exactly one place (the queue, or on its
// way to one worker) until it is acknowledged, answered or gone; slots given + free = slots announced;
// only the death of a worker, never its silence, makes its connections another's.

import Shared

/// A message that is not permitted in the present state. Ends the worker that sent it.
struct ProtocolViolation: Error, Equatable {
    let text: String

    init(_ text: String) { self.text = text }
}

struct ConnectionDispatcher: Sendable {
    enum Action: Equatable, Sendable {
        case pass(id: UInt64, to: WorkerID)
        case peek(id: UInt64, by: WorkerID)
        case unpeek(id: UInt64, from: WorkerID)
        case closeIdle(worker: WorkerID, count: Int)
        /// The supervisor's copy is not needed any more.
        case close(id: UInt64)
    }

    /// A worker keeping an acknowledgement waiting this long is the last choice for further connections.
    static let quietAfter: Duration = .milliseconds(250)
    /// A stopped worker keeping one waiting this long is killed, so that another can serve it.
    static let acknowledgeWithin: Duration = .seconds(2)
    /// How often workers are asked for idle connections while somebody waits.
    static let closeIdleInterval: Duration = .milliseconds(100)
    /// When the queue is full, a connection that has said nothing for so long gives way to newcomers; so many
    /// at once.
    static let silenceAllowed: Duration = .milliseconds(400)
    static let givingWay = 64

    private struct WorkerLoad {
        let slots: Int
        var free: Int
        var isOpen = true
        var idle = 0
        var isSilent = false
        var isCongested = false
        /// It has acknowledged a connection.
        var hasServed = false
        var unacknowledged: [UInt64: MonotonicInstant] = [:]
        /// When the oldest unacknowledged connection was sent.
        var oldest: MonotonicInstant? { unacknowledged.values.min() }
    }

    private var loads: [WorkerID: WorkerLoad] = [:]
    private var queue: AcceptQueue
    private var nextCloseIdle = MonotonicInstant(nanoseconds: 0)
    /// How long a connection may say nothing, or not enough, in any case.
    private let patience: Duration

    /// - Parameters:
    ///   - queue: connections that may wait for a slot.
    ///   - patience: how long a request's head may take.
    init(queue: Int = AcceptQueue.capacity, patience: Duration = .seconds(10)) {
        self.queue = AcceptQueue(capacity: queue)
        self.patience = patience
    }

    /// Whether one more connection may be accepted: somebody is there to serve it some time, and the
    /// queue has a place if nobody can right now.
    var canTake: Bool { !queue.isFull && loads.values.contains { $0.isOpen } }
    var waiting: Int { queue.count }
    var queueCapacity: Int { queue.capacity }
    var unacknowledged: Int { loads.values.reduce(0) { $0 + $1.unacknowledged.count } }
    /// Slots in use, by our own count.
    var used: Int { loads.values.reduce(0) { $0 + $1.slots - $1.free } }
    /// Nothing is on its way or waiting.
    var isEmpty: Bool { queue.isEmpty && unacknowledged == 0 }

    // MARK: Workers

    mutating func opened(worker: WorkerID, slots: Int) {
        loads[worker] = WorkerLoad(slots: slots, free: slots)
    }

    /// No new connections for this worker (it drains or is being killed).
    mutating func closed(worker: WorkerID) { loads[worker]?.isOpen = false }

    /// The worker is dead and all it ever said has been read: what it had not acknowledged waits again.
    mutating func lost(worker: WorkerID) {
        guard let load = loads.removeValue(forKey: worker) else { return }
        queue.putBack(Array(load.unacknowledged.keys))
        queue.forget(worker: worker)
    }

    /// `idle`: kept-alive connections by its last report. `silent`: the heartbeat is overdue. `congested`:
    /// messages wait for room in its socket.
    mutating func observed(worker: WorkerID, idle: Int, silent: Bool, congested: Bool) {
        loads[worker]?.idle = idle
        loads[worker]?.isSilent = silent
        loads[worker]?.isCongested = congested
    }

    /// Workers that keep a connection waiting for longer than `acknowledgeWithin`.
    func overdue(at now: MonotonicInstant) -> [WorkerID] {
        let waits = loads.flatMap { worker, load in load.oldest.map { [(worker: worker, since: $0)] } ?? [] }
        let late = (waits + queue.owed).filter { now.since($0.since) >= Self.acknowledgeWithin }
        return Set(late.map(\.worker)).sorted()
    }

    /// Whether this worker has ever acknowledged a connection.
    func hasServed(_ worker: WorkerID) -> Bool { loads[worker]?.hasServed == true }

    // MARK: Connections

    mutating func arrived(_ id: UInt64) { queue.append(id) }

    mutating func accepted(_ id: UInt64, by worker: WorkerID) throws(ProtocolViolation) -> Action {
        guard loads[worker]?.unacknowledged.removeValue(forKey: id) != nil else {
            throw ProtocolViolation("acknowledged connection \(id), which was not sent to it")
        }
        loads[worker]?.hasServed = true
        return .close(id: id)
    }

    mutating func released(_ count: UInt32, by worker: WorkerID) throws(ProtocolViolation) {
        guard let load = loads[worker], let count = Int(exactly: count), count > 0,
            load.free + load.unacknowledged.count + count <= load.slots
        else { throw ProtocolViolation("released \(count) slots, more than it has in use") }
        loads[worker]?.free += count
    }

    mutating func peeked(
        _ id: UInt64, _ verdict: PeekResult, by worker: WorkerID
    ) throws(ProtocolViolation) -> Action? {
        // None: the client left while it was being looked at, and the supervisor saw that first.
        guard let look = queue.look(of: id) else { return nil }
        guard look.looker == worker else {
            throw ProtocolViolation("a verdict on connection \(id), which it was not shown")
        }
        guard verdict == .other else {
            _ = queue.remove(id)
            return .close(id: id)
        }
        queue.set(.other, for: id)
        return nil
    }

    /// The client of a waiting connection has left.
    mutating func vanished(_ id: UInt64) -> [Action] {
        let look = queue.look(of: id)
        guard queue.remove(id) else { return [] }
        switch look {
        case .asked(let worker, _): return [.unpeek(id: id, from: worker), .close(id: id)]
        default: return [.close(id: id)]
        }
    }

    /// The client of a waiting connection will send no more; its answer it may still want.
    mutating func finished(_ id: UInt64) { queue.finished(id) }

    /// Passes on what waits, as far as there are slots; shows the rest to workers and asks for room.
    mutating func dispatchWaiting(at now: MonotonicInstant) -> [Action] {
        guard !queue.isEmpty else { return [] }
        var actions = passOn(at: now)
        actions += giveWay(at: now)
        actions += showRemaining(at: now)
        // Who has said nothing yet costs no other client its connection.
        let waiting = queue.speaking
        if waiting > 0, now >= nextCloseIdle {
            nextCloseIdle = now + Self.closeIdleInterval
            actions += Dispatch.closingIdle(waiting, among: candidates(at: now)).map {
                .closeIdle(worker: $0.worker, count: $0.count)
            }
        }
        return actions
    }

    /// Closes, oldest first, what has said nothing for too long: for its own sake, or because the queue is
    /// full and nobody behind it would be seen. Then also those that may have left already.
    private mutating func giveWay(at now: MonotonicInstant) -> [Action] {
        let allowed = queue.isFull ? min(Self.silenceAllowed, patience) : patience
        let silent = queue.entries.filter { entry in
            guard let since = entry.look.silentSince, now.since(since) >= allowed else { return false }
            // A worker that does not look has not seen what may have come.
            return entry.look.looker.flatMap { loads[$0] }?.isSilent != true
        }
        var leaving = silent.prefix(Self.givingWay)
        if leaving.isEmpty, queue.isFull {
            leaving = queue.entries.filter { $0.hasFinished && $0.look == .other }.prefix(Self.givingWay)
        }
        return leaving.flatMap { vanished($0.id) }
    }

    /// Each waiting connection takes a slot, in order, those that have said something first: it is passed, or
    /// its verdict called for.
    private mutating func passOn(at now: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        var spoken = queue.owed.count
        guard capacity(at: now) > spoken else { return [] }
        let order = queue.entries.filter { $0.look == .other } + queue.entries.filter { $0.look != .other }
        for entry in order {
            guard capacity(at: now) > spoken, let chosen = Dispatch.choose(among: candidates(at: now)) else {
                break
            }
            switch entry.look {
            case .none, .other:
                _ = queue.remove(entry.id)
                loads[chosen]?.free -= 1
                loads[chosen]?.unacknowledged[entry.id] = now
                actions.append(.pass(id: entry.id, to: chosen))
            case .asked(let worker, _):
                queue.set(.recalled(worker: worker, since: now), for: entry.id)
                actions.append(.unpeek(id: entry.id, from: worker))
                spoken += 1
            case .recalled: break
            }
        }
        return actions
    }

    private mutating func showRemaining(at now: MonotonicInstant) -> [Action] {
        let unseen = queue.entries.filter { $0.look == .none }.map(\.id)
        guard !unseen.isEmpty else { return [] }
        let lookers = candidates(at: now).filter { !$0.isQuiet }
        var looks = queue.looks
        var actions: [Action] = []
        for id in unseen {
            guard
                let looker = lookers.map(\.worker).min(by: {
                    (looks[$0, default: 0], $0) < (looks[$1, default: 0], $1)
                })
            else { break }
            looks[looker, default: 0] += 1
            queue.set(.asked(worker: looker, since: now), for: id)
            actions.append(.peek(id: id, by: looker))
        }
        return actions
    }

    /// Connections that could be passed on now.
    private func capacity(at now: MonotonicInstant) -> Int {
        candidates(at: now).reduce(0) {
            $0 + max(0, min($1.free, Dispatch.maximumUnacknowledged - $1.unacknowledged))
        }
    }

    private func candidates(at now: MonotonicInstant) -> [Candidate] {
        loads.compactMap { worker, load in
            guard load.isOpen, !load.isCongested else { return nil }
            let waits = load.oldest.map { now.since($0) >= Self.quietAfter } ?? false
            return Candidate(
                worker: worker, free: load.free, unacknowledged: load.unacknowledged.count,
                idle: load.idle, isQuiet: load.isSilent || waits)
        }
    }
}
