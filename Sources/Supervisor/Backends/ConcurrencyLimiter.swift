// The permits of backends with `max_concurrent`: how many requests the whole service may have in flight
// there. Pure. Holds: permits out never exceed the limit; they are granted in the order they were asked
// for, whichever worker asked; a dead worker's permits and questions come back.

struct ConcurrencyLimiter: Sendable {
    struct Grant: Equatable, Sendable {
        let worker: Int
        let ticket: UInt64
    }

    /// Why an `acquire` or a `relinquish` is not permitted.
    enum Refusal: Error, Equatable {
        case unknownBackend(UInt32)
        case ticketInUse(UInt64)
        case unknownTicket(UInt64)
        case tooMany
    }

    private struct Account {
        let limit: Int?
        var out = 0
        /// In the order asked; entries of `Grant`s withdrawn since are skipped when their turn comes.
        var queue: [Grant] = []
        var firstWaiting = 0
    }

    private enum Ticket {
        case waiting(account: Int)
        case granted(account: Int)
    }

    private var accounts: [Account]
    private var tickets: [Int: [UInt64: Ticket]] = [:]
    private let ticketsPerWorker: Int

    /// `limits` by backend index, nil = none. `ticketsPerWorker`: one exchange holds or awaits one ticket, so
    /// more than a worker has slots is a fault of the worker.
    init(limits: [Int?], ticketsPerWorker: Int) {
        accounts = limits.map { Account(limit: $0) }
        self.ticketsPerWorker = ticketsPerWorker
    }

    /// Granted now, or nil: then it waits for its turn.
    mutating func acquire(worker: Int, ticket: UInt64, backend: UInt32) throws(Refusal) -> Grant? {
        guard let index = Int(exactly: backend), accounts.indices.contains(index) else {
            throw .unknownBackend(backend)
        }
        guard tickets[worker]?[ticket] == nil else { throw .ticketInUse(ticket) }
        guard tickets[worker]?.count ?? 0 < ticketsPerWorker else { throw .tooMany }
        if accounts[index].limit.map({ accounts[index].out < $0 }) ?? true {
            accounts[index].out += 1
            tickets[worker, default: [:]][ticket] = .granted(account: index)
            return Grant(worker: worker, ticket: ticket)
        }
        accounts[index].queue.append(Grant(worker: worker, ticket: ticket))
        tickets[worker, default: [:]][ticket] = .waiting(account: index)
        return nil
    }

    /// A permit given back, or a question withdrawn; returns those whose turn it is now.
    mutating func relinquish(worker: Int, ticket: UInt64) throws(Refusal) -> [Grant] {
        guard let state = tickets[worker]?.removeValue(forKey: ticket) else { throw .unknownTicket(ticket) }
        return settle(state, of: Grant(worker: worker, ticket: ticket))
    }

    /// A worker has died: all it held and asked for comes back.
    mutating func reclaim(worker: Int) -> [Grant] {
        guard let lost = tickets.removeValue(forKey: worker) else { return [] }
        // First the questions, so that no permit that comes back is granted to the dead worker again.
        var grants: [Grant] = []
        for (ticket, state) in lost {
            if case .waiting = state { _ = settle(state, of: Grant(worker: worker, ticket: ticket)) }
        }
        for (ticket, state) in lost {
            if case .granted = state { grants += settle(state, of: Grant(worker: worker, ticket: ticket)) }
        }
        return grants
    }

    /// Permits out and questions waiting, by backend index.
    var usage: [(out: Int, waiting: Int)] { accounts.map { ($0.out, $0.queue.count - $0.firstWaiting) } }

    private mutating func settle(_ state: Ticket, of grant: Grant) -> [Grant] {
        switch state {
        case .waiting(let index):
            let account = accounts[index]
            if let place = account.queue[account.firstWaiting...].firstIndex(of: grant) {
                accounts[index].queue.remove(at: place)
            }
            return []
        case .granted(let index):
            accounts[index].out -= 1
            return grantNext(index)
        }
    }

    private mutating func grantNext(_ index: Int) -> [Grant] {
        var grants: [Grant] = []
        while accounts[index].firstWaiting < accounts[index].queue.count,
            accounts[index].limit.map({ accounts[index].out < $0 }) ?? true
        {
            let next = accounts[index].queue[accounts[index].firstWaiting]
            accounts[index].firstWaiting += 1
            accounts[index].out += 1
            tickets[next.worker]?[next.ticket] = .granted(account: index)
            grants.append(next)
        }
        // Drop the part already granted now and then: constant work per grant on average.
        if accounts[index].firstWaiting > 64, accounts[index].firstWaiting * 2 > accounts[index].queue.count {
            accounts[index].queue.removeFirst(accounts[index].firstWaiting)
            accounts[index].firstWaiting = 0
        }
        return grants
    }
}
