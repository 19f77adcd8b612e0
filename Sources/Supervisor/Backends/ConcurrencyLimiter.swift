// The permits of backends with `max_concurrent`: how many requests the whole service may have in flight
// there. Pure. Holds: no permit is granted beyond the limit in force; they are granted in the order they were
// asked for, whichever worker asked; every ticket ends with its release or with its worker, whatever becomes
// of its backend meanwhile; a dead worker's permits and questions come back; no arithmetic here traps.

import Shared

struct ConcurrencyLimiter: Sendable {
    /// A question for a permit, and the permit itself.
    struct Ticket: Hashable, Sendable, Identifiable {
        let worker: WorkerID
        /// Chosen by the worker.
        let number: UInt64

        var id: Ticket { self }
    }

    /// Why an `acquire` or a `release` is not permitted.
    enum Refusal: Error, Equatable {
        case unknownBackend(BackendID)
        case ticketInUse(UInt64)
        case unknownTicket(UInt64)
        case tooMany
    }

    /// What other limits mean for those that have asked already.
    struct Change: Equatable, Sendable {
        /// It is their turn now.
        var granted: [Ticket] = []
        /// It never will be: their backend is not configured any more.
        var refused: [Ticket] = []
    }

    private struct Limit {
        /// Nil = none.
        var maximum: Int?
        /// The backend is not configured any more; only its permits are still out.
        var isRetired = false
        /// More than the maximum only after that was lowered.
        var out = 0
        /// In the order asked.
        var queue = KeyedQueue<Ticket>()

        init(maximum: Int?) { self.maximum = maximum }

        /// The first of the queue, when there is a permit for it.
        mutating func grantNext() -> Ticket? {
            if let maximum, out >= maximum { return nil }
            guard let next = queue.first else { return nil }
            queue.remove(next.id)
            out &+= 1
            return next
        }
    }

    private enum State {
        case waiting(BackendID)
        case granted(BackendID)
        /// Its backend is gone. It stands here until its worker has heard that.
        case refused
    }

    private var limits: [BackendID: Limit] = [:]
    private var tickets: [WorkerID: [UInt64: State]] = [:]
    private let ticketsPerWorker: Int

    /// `limits`: nil = none. `ticketsPerWorker`: one exchange holds or awaits one ticket, so more than a
    /// worker has slots is a fault of the worker.
    init(limits: [BackendID: Int?], ticketsPerWorker: Int) {
        for (backend, maximum) in limits { self.limits[backend] = Limit(maximum: maximum) }
        self.ticketsPerWorker = ticketsPerWorker
    }

    /// True when it is granted now; else it waits for its turn.
    mutating func acquire(_ ticket: Ticket, of backend: BackendID) throws(Refusal) -> Bool {
        guard let limit = limits[backend], !limit.isRetired else { throw .unknownBackend(backend) }
        guard tickets[ticket.worker]?[ticket.number] == nil else { throw .ticketInUse(ticket.number) }
        guard tickets[ticket.worker]?.count ?? 0 < ticketsPerWorker else { throw .tooMany }
        limits[backend]?.queue.append(ticket)
        tickets[ticket.worker, default: [:]][ticket.number] = .waiting(backend)
        return !grantWaiting(at: backend).isEmpty
    }

    /// A permit given back, or a question withdrawn; returns those whose turn it is now.
    mutating func release(_ ticket: Ticket) throws(Refusal) -> [Ticket] {
        guard let state = tickets[ticket.worker]?.removeValue(forKey: ticket.number) else {
            throw .unknownTicket(ticket.number)
        }
        if tickets[ticket.worker]?.isEmpty == true { tickets[ticket.worker] = nil }
        return end(ticket, state)
    }

    /// A worker has died: all it held and asked for comes back.
    mutating func reclaim(_ worker: WorkerID) -> [Ticket] {
        guard let lost = tickets.removeValue(forKey: worker) else { return [] }
        let all = lost.sorted { $0.key < $1.key }
        // First the questions, so that no permit that comes back is granted to the dead worker again.
        for case (let number, .waiting(let backend)) in all {
            _ = end(Ticket(worker: worker, number: number), .waiting(backend))
        }
        var granted: [Ticket] = []
        for case (let number, .granted(let backend)) in all {
            granted += end(Ticket(worker: worker, number: number), .granted(backend))
        }
        return granted
    }

    /// Other limits are in force. Permits that are out stay out, also where they are too many now.
    /// - Parameter new: of every backend that may be asked for from now on; nil = none. One that is not among
    ///   them is forgotten when its last permit has come back.
    mutating func apply(limits new: [BackendID: Int?]) -> Change {
        var change = Change()
        for backend in Set(limits.keys).subtracting(new.keys).sorted() {
            change.refused += retire(backend)
        }
        for (backend, maximum) in new.sorted(by: { $0.key < $1.key }) {
            limits[backend, default: Limit(maximum: maximum)].maximum = maximum
            limits[backend]?.isRetired = false
            change.granted += grantWaiting(at: backend)
        }
        return change
    }

    private mutating func retire(_ backend: BackendID) -> [Ticket] {
        let refused = limits[backend].map { Array($0.queue) } ?? []
        for ticket in refused { tickets[ticket.worker]?[ticket.number] = .refused }
        limits[backend]?.queue = KeyedQueue()
        limits[backend]?.isRetired = true
        forgetIfUnused(backend)
        return refused
    }

    private mutating func forgetIfUnused(_ backend: BackendID) {
        guard let limit = limits[backend], limit.isRetired, limit.out == 0 else { return }
        limits[backend] = nil
    }

    /// The backends that are known here.
    var backends: Set<BackendID> { Set(limits.keys) }

    /// Permits out and questions waiting.
    func usage(of backend: BackendID) -> (out: Int, waiting: Int) {
        limits[backend].map { ($0.out, $0.queue.count) } ?? (0, 0)
    }

    private mutating func end(_ ticket: Ticket, _ state: State) -> [Ticket] {
        switch state {
        case .waiting(let backend):
            limits[backend]?.queue.remove(ticket.id)
            return []
        case .granted(let backend):
            limits[backend]?.out &-= 1
            forgetIfUnused(backend)
            return grantWaiting(at: backend)
        case .refused: return []
        }
    }

    private mutating func grantWaiting(at backend: BackendID) -> [Ticket] {
        var granted: [Ticket] = []
        while let next = limits[backend]?.grantNext() {
            tickets[next.worker]?[next.number] = .granted(backend)
            granted.append(next)
        }
        return granted
    }
}
