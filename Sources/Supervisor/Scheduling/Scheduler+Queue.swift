// Who waits, and whose turn it is. One queue for the service; a request waits for any of its candidates.
//
// A place that frees goes to the client that has had least, of its requests to the highest lane, there to one that was
// failed before, then to the first come. Two things are stronger than that order, both bounded:
// - A request that is better off elsewhere, because its conversation's cache is there, lets those pass that are at home
//   here. It takes a foreign place that nobody else wants when the wait at home is long against what it would cost
//   there, or when it has waited many times as long as that; and any place after half of `queue.wait`.
// - A request whose model would have to be loaded lets those pass that want the one in memory: at most
//   `maximumSwapPasses` of them, and for at most `longestSwapPassing`.
// Neither lets another client pass that is ahead of its own by more than what is held at once. So between two clients
// that both wait all the time the difference is at most twice that, or twice the largest request.

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
    /// Requests for the loaded model that one for another model lets pass, and for how long it does.
    static let maximumSwapPasses = 8
    static let longestSwapPassing = Duration.seconds(30)
    /// A request has waited long when it has waited so many times what a foreign place would cost it.
    private static let patience = 10.0
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
        tickets[ticket.worker]?[ticket.number] = nil
        forget(ticket, question, client)
        refusedLately.update(ticket, at: MonotonicInstant(nanoseconds: 0), initial: true) { _ in }
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
        waiters.isEmpty ? nil : waiters.lazy.map { ledger.service($0.client) }.min()
    }

    // MARK: Turns

    /// Gives away what is free.
    /// - Parameter place: of the backend where something has changed; nil or `isUnsettled`: everywhere.
    mutating func dispatch(after place: Int?, at now: MonotonicInstant, _ actions: inout [Action]) {
        guard !waiters.isEmpty else {
            isUnsettled = false
            return
        }
        // A grant may itself unsettle (a trial that begins); each round grants or ends.
        repeat {
            let isEverywhere = isUnsettled
            isUnsettled = false
            if let place, !isEverywhere {
                fill(place, at: now, &actions)
            } else {
                for place in records.indices { fill(place, at: now, &actions) }
            }
        } while isUnsettled && !waiters.isEmpty
    }

    private mutating func fill(_ place: Int, at now: MonotonicInstant, _ actions: inout [Action]) {
        while records[place].isPresent, records[place].hasPlace, !waiters.isEmpty,
            let position = pick(place, at: now)
        {
            let waiter = waiters[position]
            guard let index = waiter.index(of: records[place].settings.number) else { return }
            removeWaiter(position)
            let choice = chooseForWaiter(waiter, index, at: now)
            grant(
                waiter.ticket, waiter.question, waiter.client, to: choice, at: now, waited: waiter, &actions)
        }
    }

    private mutating func chooseForWaiter(
        _ waiter: Waiter, _ index: Int, at now: MonotonicInstant
    ) -> Choice {
        _ = survey(waiter.question, at: now)
        let conversation = conversation(of: waiter.question, at: now)
        weigh(waiter.question, conversation, at: now)
        let otherwise: PlacementReason =
            settings.balance == .auto || settings.balance == .leastRequests ? .load : .order
        var choice = choice(waiter.question, index, conversation, otherwise)
        choice.isLastResort = !scratch.standings[index].isUsable
        return choice
    }

    /// The position of the one who gets a place here, if any wants it.
    private mutating func pick(_ place: Int, at now: MonotonicInstant) -> Int? {
        let number = records[place].settings.number
        let bit = Waiter.bit(number)
        var first: Int?
        var content: Int?
        var willing: Int?
        for position in waiters.indices where waiters[position].mask & bit != 0 {
            guard let index = waiters[position].index(of: number),
                isEligible(waiters[position], index, place, at: now)
            else { continue }
            if first.map({ goesBefore(position, $0) }) ?? true { first = position }
            if content.map({ goesBefore(position, $0) }) ?? true, isContent(position, index, at: now) {
                content = position
            }
            if content == nil, willing.map({ goesBefore(position, $0) }) ?? true,
                isWilling(position, index, at: now)
            {
                willing = position
            }
        }
        guard let first, let chosen = content ?? willing else { return nil }
        guard chosen != first else { return chosen }
        let lead = ledger.service(waiters[chosen].client) - ledger.service(waiters[first].client)
        let allowed = max(records[place].speed.hold, ledger.outstanding)
        if waiters[chosen].client != waiters[first].client, lead > allowed { return first }
        letPass(chosen, bit, at: now)
        return chosen
    }

    private func goesBefore(_ left: Int, _ right: Int) -> Bool {
        if waiters[left].client != waiters[right].client {
            let leftService = ledger.service(waiters[left].client)
            let rightService = ledger.service(waiters[right].client)
            if leftService != rightService { return leftService < rightService }
        } else if waiters[left].question.lane != waiters[right].question.lane {
            return waiters[left].question.lane < waiters[right].question.lane
        } else {
            let leftFailed = waiters[left].question.failures > 0
            let rightFailed = waiters[right].question.failures > 0
            if leftFailed != rightFailed { return leftFailed }
        }
        return waiters[left].sequence < waiters[right].sequence
    }

    /// Those that stand before the chosen one.
    private mutating func letPass(_ chosen: Int, _ bit: UInt64, at now: MonotonicInstant) {
        for position in waiters.indices
        where position != chosen && waiters[position].mask & bit != 0 && goesBefore(position, chosen) {
            waiters[position].passes &+= 1
            if waiters[position].passing == nil { waiters[position].passing = now }
        }
    }

    private mutating func isEligible(
        _ waiter: Waiter, _ index: Int, _ place: Int, at now: MonotonicInstant
    ) -> Bool {
        let standing = standing(waiter.question.candidates[index], at: now)
        if standing.isUsable {
            guard waiter.top > records[place].settings.priority else { return true }
            // A lower class has its turn only while nobody of the upper ones is usable.
            return !waiter.question.candidates.contains { candidate in
                Int(candidate.backend.value) < records.count
                    && records[Int(candidate.backend.value)].settings.priority
                        > records[place].settings.priority
                    && self.standing(candidate, at: now).isUsable
            }
        }
        guard standing != .resting, standing != .absent else { return false }
        let survey = survey(waiter.question, at: now)
        guard survey.top == nil, survey.lastResort == index else { return false }
        if let until = survey.restsUntil, until <= now + settings.queue.wait { return false }
        return isFreeAsLast(waiter.question, index)
    }

    /// What it costs here more than at home.
    private func detour(_ position: Int, _ index: Int, at now: MonotonicInstant) -> Double {
        guard let home = waiters[position].home, home != index,
            standing(waiters[position].question.candidates[home], at: now).isUsable
        else { return 0 }
        return max(0, waiters[position].reading[index] - waiters[position].reading[home])
    }

    /// It is at home here, or has let enough others pass.
    private func isContent(_ position: Int, _ index: Int, at now: MonotonicInstant) -> Bool {
        let candidate = waiters[position].question.candidates[index]
        if isSwap(candidate) {
            if waiters[position].passes >= Self.maximumSwapPasses { return true }
            return waiters[position].passing.map { now.since($0) >= Self.longestSwapPassing } ?? false
        }
        if detour(position, index, at: now) <= Self.moveSeconds { return true }
        return now.since(waiters[position].arrived) >= settings.queue.wait / 2
    }

    /// Another model would have to make room.
    private func isSwap(_ candidate: BackendCandidate) -> Bool {
        guard candidate.isLoaded == false, let last = records[Int(candidate.backend.value)].lastModel else {
            return false
        }
        return last != candidate.model
    }

    /// It takes this place if no one else wants it.
    private func isWilling(_ position: Int, _ index: Int, at now: MonotonicInstant) -> Bool {
        let detour = detour(position, index, at: now)
        guard detour > 0, let home = waiters[position].home else { return true }
        if now.since(waiters[position].arrived).inSeconds >= detour * Self.patience { return true }
        let place = Int(waiters[position].question.candidates[home].backend.value)
        return expectedWait(place, at: now.seconds) > detour * Self.readingWeight
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
