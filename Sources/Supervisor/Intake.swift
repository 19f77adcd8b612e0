// What becomes of every accepted connection until a worker has acknowledged it. Pure: events in, actions
// out; descriptors are known by id only. Holds: a connection is in exactly one place (the lobby, or on its
// way to one worker) until it is acknowledged, answered or gone; slots given + free = slots announced;
// only the death of a worker, never its silence, makes its connections another's.

import Shared

/// A message that is not permitted in the present state. Ends the worker that sent it.
struct ProtocolViolation: Error, Equatable {
    let text: String

    init(_ text: String) { self.text = text }
}

struct Intake: Sendable {
    enum Action: Equatable, Sendable {
        case pass(id: UInt64, to: Int)
        case peek(id: UInt64, by: Int)
        case unpeek(id: UInt64, from: Int)
        case shed(worker: Int, count: Int)
        /// The supervisor's copy is not needed any more.
        case close(id: UInt64)
    }

    /// A worker keeping an acknowledgement waiting this long is the last choice for further connections.
    static let quietAfter: Duration = .milliseconds(250)
    /// A stopped worker keeping one waiting this long is killed, so that another can serve it.
    static let acknowledgeWithin: Duration = .seconds(2)
    /// How often workers are asked for idle connections while somebody waits.
    static let shedInterval: Duration = .milliseconds(100)

    private struct Room {
        let slots: Int
        var free: Int
        var isOpen = true
        var idle = 0
        var isSilent = false
        var isCongested = false
        var unacknowledged: [UInt64: Moment] = [:]
        /// When the oldest unacknowledged connection was sent.
        var oldest: Moment? { unacknowledged.values.min() }
    }

    private var rooms: [Int: Room] = [:]
    private var lobby = Lobby()
    private var nextShed = Moment(nanoseconds: 0)

    /// Whether one more connection may be accepted: somebody is there to serve it some time, and the
    /// lobby has a place if nobody can right now.
    var canTake: Bool { !lobby.isFull && rooms.values.contains { $0.isOpen } }
    var waiting: Int { lobby.count }
    var unacknowledged: Int { rooms.values.reduce(0) { $0 + $1.unacknowledged.count } }
    /// Slots in use, by our own count.
    var used: Int { rooms.values.reduce(0) { $0 + $1.slots - $1.free } }
    /// Nothing is on its way or waiting.
    var isSettled: Bool { lobby.isEmpty && unacknowledged == 0 }

    // MARK: Workers

    mutating func opened(worker: Int, slots: Int) {
        rooms[worker] = Room(slots: slots, free: slots)
    }

    /// No new connections for this worker (it drains or is being killed).
    mutating func closed(worker: Int) { rooms[worker]?.isOpen = false }

    /// The worker is dead and all it ever said has been read: what it had not acknowledged waits again.
    mutating func lost(worker: Int) {
        guard let room = rooms.removeValue(forKey: worker) else { return }
        lobby.putBack(Array(room.unacknowledged.keys))
        lobby.forget(worker: worker)
    }

    mutating func reported(worker: Int, figures: WorkerFigures) {
        rooms[worker]?.idle = Int(clamping: Int64(figures.connections) - Int64(figures.exchanges))
    }

    /// `silent`: the heartbeat is overdue. `congested`: messages wait for room in its socket.
    mutating func observed(worker: Int, silent: Bool, congested: Bool) {
        rooms[worker]?.isSilent = silent
        rooms[worker]?.isCongested = congested
    }

    /// Workers that keep a connection waiting for longer than `acknowledgeWithin`.
    func overdue(at now: Moment) -> [Int] {
        let waits = rooms.flatMap { worker, room in room.oldest.map { [(worker: worker, since: $0)] } ?? [] }
        let late = (waits + lobby.owed).filter { now.since($0.since) >= Self.acknowledgeWithin }
        return Set(late.map(\.worker)).sorted()
    }

    // MARK: Connections

    mutating func arrived(_ id: UInt64) { lobby.append(id) }

    mutating func accepted(_ id: UInt64, by worker: Int) throws(ProtocolViolation) -> Action {
        guard rooms[worker]?.unacknowledged.removeValue(forKey: id) != nil else {
            throw ProtocolViolation("acknowledged connection \(id), which was not sent to it")
        }
        return .close(id: id)
    }

    mutating func released(_ count: UInt32, by worker: Int) throws(ProtocolViolation) {
        guard let room = rooms[worker], let count = Int(exactly: count), count > 0,
            room.free + room.unacknowledged.count + count <= room.slots
        else { throw ProtocolViolation("released \(count) slots, more than it has in use") }
        rooms[worker]?.free += count
    }

    mutating func peeked(
        _ id: UInt64, _ verdict: PeekVerdict, by worker: Int
    ) throws(ProtocolViolation) -> Action? {
        // None: the client left while it was being looked at, and the supervisor saw that first.
        guard let look = lobby.look(of: id) else { return nil }
        guard look.looker == worker else {
            throw ProtocolViolation("a verdict on connection \(id), which it was not shown")
        }
        guard verdict == .other else {
            _ = lobby.remove(id)
            return .close(id: id)
        }
        lobby.set(.other, for: id)
        return nil
    }

    /// The client of a waiting connection has left.
    mutating func vanished(_ id: UInt64) -> [Action] {
        let look = lobby.look(of: id)
        guard lobby.remove(id) else { return [] }
        switch look {
        case .asked(let worker): return [.unpeek(id: id, from: worker), .close(id: id)]
        default: return [.close(id: id)]
        }
    }

    /// Passes on what waits, as far as there are slots; shows the rest to workers and asks for room.
    mutating func settle(at now: Moment) -> [Action] {
        guard !lobby.isEmpty else { return [] }
        var actions = passOn(at: now)
        actions += showRemaining(at: now)
        if !lobby.isEmpty, now >= nextShed {
            nextShed = now + Self.shedInterval
            actions += Dispatch.shedding(lobby.count, among: candidates(at: now)).map {
                .shed(worker: $0.worker, count: $0.count)
            }
        }
        return actions
    }

    /// In order, each waiting connection takes a slot: it is passed, or its verdict called for.
    private mutating func passOn(at now: Moment) -> [Action] {
        var actions: [Action] = []
        var spoken = 0
        for entry in lobby.entries {
            let candidates = candidates(at: now)
            let room = candidates.reduce(0) {
                $0 + max(0, min($1.free, Dispatch.maximumUnacknowledged - $1.unacknowledged))
            }
            guard room > spoken, let chosen = Dispatch.choose(among: candidates) else { break }
            switch entry.look {
            case .none, .other:
                _ = lobby.remove(entry.id)
                rooms[chosen]?.free -= 1
                rooms[chosen]?.unacknowledged[entry.id] = now
                actions.append(.pass(id: entry.id, to: chosen))
            case .asked(let worker):
                lobby.set(.recalled(worker: worker, since: now), for: entry.id)
                actions.append(.unpeek(id: entry.id, from: worker))
                spoken += 1
            case .recalled:
                spoken += 1
            }
        }
        return actions
    }

    private mutating func showRemaining(at now: Moment) -> [Action] {
        var actions: [Action] = []
        for entry in lobby.entries where entry.look == .none {
            let lookers = candidates(at: now).filter { !$0.isQuiet }
            guard
                let looker = lookers.min(by: {
                    (lobby.looks(of: $0.worker), $0.worker) < (lobby.looks(of: $1.worker), $1.worker)
                })
            else { break }
            lobby.set(.asked(worker: looker.worker), for: entry.id)
            actions.append(.peek(id: entry.id, by: looker.worker))
        }
        return actions
    }

    private func candidates(at now: Moment) -> [Candidate] {
        rooms.compactMap { worker, room in
            guard room.isOpen, !room.isCongested else { return nil }
            let waits = room.oldest.map { now.since($0) >= Self.quietAfter } ?? false
            return Candidate(
                worker: worker, free: room.free, unacknowledged: room.unacknowledged.count,
                idle: room.idle, isQuiet: room.isSilent || waits)
        }
    }
}
