// The permits of backends with `max_concurrent`: how many requests the whole service may have in flight
// there. Pure. Holds: permits out never exceed the limit; they are granted in the order they were asked
// for, whichever worker asked; a dead worker's permits and questions come back; no arithmetic here traps.

import Shared

struct ConcurrencyLimiter: Sendable {
    /// A question for a permit, and the permit itself.
    struct Ticket: Hashable, Sendable {
        let worker: WorkerID
        /// Chosen by the worker.
        let number: UInt64
    }

    /// Why an `acquire` or a `release` is not permitted.
    enum Refusal: Error, Equatable {
        case unknownBackend(BackendID)
        case ticketInUse(UInt64)
        case unknownTicket(UInt64)
        case tooMany
    }

    private struct Limit {
        /// Nil = none.
        let maximum: Int?
        var out = 0
        /// In the order asked.
        var queue: [Ticket] = []

        /// The first of the queue, when there is a permit for it.
        mutating func grantNext() -> Ticket? {
            if let maximum, out >= maximum { return nil }
            guard let next = queue.first else { return nil }
            queue.removeFirst()
            out &+= 1
            return next
        }
    }

    private enum State {
        case waiting(BackendID)
        case granted(BackendID)
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
        guard limits[backend] != nil else { throw .unknownBackend(backend) }
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

    /// Permits out and questions waiting.
    func usage(of backend: BackendID) -> (out: Int, waiting: Int) {
        limits[backend].map { ($0.out, $0.queue.count) } ?? (0, 0)
    }

    private mutating func end(_ ticket: Ticket, _ state: State) -> [Ticket] {
        switch state {
        case .waiting(let backend):
            limits[backend]?.queue.removeAll { $0 == ticket }
            return []
        case .granted(let backend):
            limits[backend]?.out &-= 1
            return grantWaiting(at: backend)
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
