// Whose turn it is when a place is free.
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

extension Scheduler {
    /// Requests for the loaded model that one for another model lets pass, and for how long it does.
    static let maximumSwapPasses = 8
    static let longestSwapPassing = Duration.seconds(30)

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
        return choice(waiter.question, index, conversation, otherwise)
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
}
