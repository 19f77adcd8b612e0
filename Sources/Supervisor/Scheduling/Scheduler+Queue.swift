// Who waits, and for how long. One queue for the service; a request waits for any of its candidates.
// Whose turn it is stands in Scheduler+Turns.

import Shared

/// A request that waits.
struct Waiter: Sendable {
    let ticket: Scheduler.Ticket
    let question: AdmissionQuestion
    /// In the ledger.
    let client: Int
    let sequence: UInt64
    let arrived: MonotonicInstant
    let expires: MonotonicInstant
    let grantsBefore: UInt64
    /// One bit for each candidate's number modulo 64, to pass over most of the others quickly.
    let mask: UInt64
    /// The highest class among its candidates.
    let top: Int
    /// What it costs at each candidate beyond the wait, and where that is least.
    var reading: [Double]
    var home: Int?
    /// How many it has let pass, and since when.
    var passes = 0
    var passing: MonotonicInstant?
    /// When it is to be asked again whether it takes a foreign place.
    var reconsiders: MonotonicInstant?

    static func bit(_ backend: BackendNumber) -> UInt64 { 1 << UInt64(backend.value & 63) }
}

extension Scheduler {
    /// A request has waited long when it has waited so many times what a foreign place would cost it.
    static let patience = 10.0
    private static let shortestReconsideration = Duration.milliseconds(200)

    // MARK: In and out

    /// A new question: it is granted, waits, or is refused.
    mutating func ask(
        _ ticket: Ticket, _ question: AdmissionQuestion, _ client: Int, at now: MonotonicInstant,
        _ actions: inout [Action]
    ) {
        if ledger.clients[client].view.queued == 0 { ledger.lift(client, least: leastWaiting()) }
        let decision = decide(question, client, at: now)
        switch decision {
        case .refuse(let refusal): refuse(ticket, question, client, refusal, &actions)
        case .go(let choice) where waiters.isEmpty || waiters.count >= settings.queue.length:
            grant(ticket, question, client, to: choice, at: now, waited: nil, &actions)
        case .go(let choice):
            // Whoever waits may have a better right to the place.
            let place = Int(question.candidates[choice.candidate].backend.value)
            enqueue(ticket, question, client, home: choice.candidate, at: now)
            dispatch(after: place, at: now, &actions)
        case .wait(let home):
            guard waiters.count < settings.queue.length else {
                let fullness = AdmissionRefusal.queueFull(waiting: UInt32(clamping: waiters.count))
                return refuse(ticket, question, client, fullness, &actions)
            }
            guard settings.queue.wait > .zero else {
                return refuse(ticket, question, client, .waitedTooLong, &actions)
            }
            enqueue(ticket, question, client, home: home, at: now)
        }
    }

    private mutating func refuse(
        _ ticket: Ticket, _ question: AdmissionQuestion, _ client: Int, _ refusal: AdmissionRefusal,
        _ actions: inout [Action]
    ) {
        forget(ticket, question, client)
        tickets[ticket.worker, default: [:]][ticket.number] = .over
        switch refusal {
        case .queueFull, .waitedTooLong: ledger.count(client) { view in view.limited &+= 1 }
        case .resting, .noBackend: break
        }
        actions.append(.refuse(ticket, refusal))
    }

    private mutating func enqueue(
        _ ticket: Ticket, _ question: AdmissionQuestion, _ client: Int, home: Int?,
        at now: MonotonicInstant
    ) {
        var mask: UInt64 = 0
        var top = Int.min
        for candidate in question.candidates {
            mask |= Waiter.bit(candidate.backend)
            let place = Int(candidate.backend.value)
            guard place < records.count else { continue }
            records[place].queued &+= 1
            if records[place].isPresent { top = max(top, records[place].settings.priority) }
        }
        var waiter = Waiter(
            ticket: ticket, question: question, client: client, sequence: nextSequence, arrived: now,
            expires: now + settings.queue.wait, grantsBefore: grants, mask: mask, top: top,
            reading: costsWhileWaiting(question, at: now))
        nextSequence &+= 1
        waiter.home = home
        if let home { records[Int(question.candidates[home].backend.value)].queuedAtHome &+= 1 }
        waiter.reconsiders = reconsideration(waiter, at: now)
        tickets[ticket.worker, default: [:]][ticket.number] = .waiting(waiters.count)
        waiters.append(waiter)
        ledger.count(client) { $0.queued &+= 1 }
        lower(to: min(waiter.expires, waiter.reconsiders ?? waiter.expires))
    }

    /// Under the other balances a place is a place, but for the model that would have to be loaded.
    private func costsWhileWaiting(_ question: AdmissionQuestion, at now: MonotonicInstant) -> [Double] {
        if settings.balance == .auto, scratch.reading.count == question.candidates.count {
            return scratch.reading
        }
        return question.candidates.map { candidate in
            guard candidate.isLoaded == false, let place = place(of: candidate.backend) else { return 0 }
            return records[place].speed.load
        }
    }

    /// Leaves the queue; its ticket is the caller's. Another waiter takes its position.
    mutating func removeWaiter(_ position: Int) {
        let waiter = waiters[position]
        for candidate in waiter.question.candidates {
            let place = Int(candidate.backend.value)
            guard place < records.count else { continue }
            records[place].queued = max(records[place].queued &- 1, 0)
        }
        if let home = waiter.home {
            let place = Int(waiter.question.candidates[home].backend.value)
            if place < records.count {
                records[place].queuedAtHome = max(records[place].queuedAtHome &- 1, 0)
            }
        }
        ledger.count(waiter.client) { $0.queued = max($0.queued &- 1, 0) }
        waiters.swapAt(position, waiters.count - 1)
        waiters.removeLast()
        guard position < waiters.count else { return }
        let moved = waiters[position].ticket
        tickets[moved.worker]?[moved.number] = .waiting(position)
    }

    /// A record is new: who waits for it is counted anew.
    mutating func recount(_ place: Int) {
        let number = records[place].settings.number
        records[place].queued = 0
        records[place].queuedAtHome = 0
        for waiter in waiters {
            guard let index = waiter.index(of: number) else { continue }
            records[place].queued &+= 1
            if waiter.home == index { records[place].queuedAtHome &+= 1 }
        }
    }

    /// Of the clients that wait, the service of the one that has had least.
    func leastWaiting() -> Double? {
        waiters.isEmpty ? nil : waiters.lazy.map { ledger.settled($0.client) }.min()
    }

    /// When it has waited so long that it takes a foreign place that is free now.
    private func reconsideration(_ waiter: Waiter, at now: MonotonicInstant) -> MonotonicInstant? {
        guard let home = waiter.home, waiter.question.candidates.count > 1 else { return nil }
        let half = waiter.arrived + settings.queue.wait / 2
        var earliest = half > now ? half : nil
        for (index, candidate) in waiter.question.candidates.enumerated() where index != home {
            guard let place = place(of: candidate.backend), records[place].hasPlace else { continue }
            let detour = max(0, waiter.reading[index] - waiter.reading[home])
            let moment = waiter.arrived + .seconds(min(detour * Self.patience, 1e6))
            if moment > now { earliest = min(earliest ?? moment, moment) }
        }
        return earliest.map { max($0, now + Self.shortestReconsideration) }
    }

    // MARK: Time

    /// Waits that are over, and requests that think again. Lowers `due` to what comes next.
    mutating func ageWaiters(at now: MonotonicInstant, _ actions: inout [Action]) {
        var position = 0
        while position < waiters.count {
            if now >= waiters[position].expires {
                let waiter = waiters[position]
                removeWaiter(position)
                refuse(waiter.ticket, waiter.question, waiter.client, .waitedTooLong, &actions)
                continue
            }
            if let moment = waiters[position].reconsiders, now >= moment { isUnsettled = true }
            position &+= 1
        }
    }

    mutating func lowerToWaiters(at now: MonotonicInstant) {
        for position in waiters.indices {
            if let moment = waiters[position].reconsiders, now >= moment {
                waiters[position].reconsiders = reconsideration(waiters[position], at: now)
            }
            lower(to: min(waiters[position].expires, waiters[position].reconsiders ?? .distantFuture))
        }
    }

    mutating func refuseThoseWithoutBackend(at now: MonotonicInstant, _ actions: inout [Action]) {
        var position = 0
        while position < waiters.count {
            let isAnyThere = waiters[position].question.candidates.contains { place(of: $0.backend) != nil }
            if isAnyThere {
                position &+= 1
                continue
            }
            let waiter = waiters[position]
            removeWaiter(position)
            refuse(waiter.ticket, waiter.question, waiter.client, .noBackend, &actions)
        }
    }
}

extension Waiter {
    func index(of backend: BackendNumber) -> Int? {
        question.candidates.firstIndex { $0.backend == backend }
    }
}

extension MonotonicInstant {
    static let distantFuture = MonotonicInstant(nanoseconds: .max)
}
