// Which backend a request goes to: first who may be asked at all, then the class, then what `balance` says.
//
// `auto` takes the least expected time to the first token:
//   (prompt − cached there) ÷ reading rate + loading + what it would displace, and the work that is there already.
// A conversation stays where it is unless another place is better by a margin; a full backend counts with the time
// until a place is free there, so a request may wait for it while others are free. Without history, near-equal
// backends are told apart by rendezvous hashing with bounded load.
// `least-requests` and `round-robin` leave a conversation where it is unless that backend is full, or has more than
// twice the share of the others (and four requests or more). `priority` is the order of the file and knows no affinity.

import Shared

extension Scheduler {
    /// What reading a prompt costs the others that are there, beyond the request itself: times its seconds.
    static let readingWeight = 2.0
    /// A move must be better by this part of staying, and by so many seconds.
    static let moveMargin = 0.3
    static let moveSeconds = 1.0
    /// Backends within this of the best are equal for a request without history.
    private static let equalMargin = 0.15
    private static let equalSeconds = 0.25
    /// Of the mean load, for rendezvous hashing.
    private static let boundedLoad = 1.25
    /// For the other balances: a conversation leaves a backend with so many times the others' mean load.
    private static let overload = 2.0

    // MARK: Who may be asked

    func standing(_ candidate: BackendCandidate, at now: MonotonicInstant) -> Standing {
        let place = Int(candidate.backend.value)
        guard place < records.count, records[place].isPresent else { return .absent }
        return records[place].isPlain ? .usable : troubledStanding(place, candidate.model, at: now)
    }

    @inline(never)
    private func troubledStanding(
        _ place: Int, _ model: ModelDigest, at now: MonotonicInstant
    ) -> Standing {
        if records[place].checks.state == .down { return .down }
        var standing = Standing.usable
        switch records[place].breaker.state {
        case .closed: break
        case .open: return .open
        case .halfOpen:
            if records[place].breaker.isTrying { return .tried }
            standing = .trial
        }
        if let until = records[place].restsUntil, now < until { return .resting }
        guard let record = records[place].model(model) else { return standing }
        if let until = record.missingUntil, now < until { return .missing }
        switch record.breaker.state {
        case .closed: break
        case .open: return .open
        case .halfOpen:
            if record.breaker.isTrying { return .tried }
            standing = .trial
        }
        if let until = record.restsUntil, now < until { return .resting }
        return standing
    }

    /// Fills `scratch.standings`.
    mutating func survey(_ question: AdmissionQuestion, at now: MonotonicInstant) -> Survey {
        var survey = Survey()
        scratch.begin(question.candidates.count)
        for candidate in question.candidates {
            let standing = standing(candidate, at: now)
            scratch.standings.append(standing)
            guard standing != .absent else { continue }
            survey.isAnyThere = true
            guard standing.isUsable else { continue }
            let priority = records[Int(candidate.backend.value)].settings.priority
            if survey.top.map({ priority > $0 }) ?? true { survey.top = priority }
        }
        if survey.top == nil { surveyTroubled(question, &survey) }
        return survey
    }

    @inline(never)
    private func surveyTroubled(_ question: AdmissionQuestion, _ survey: inout Survey) {
        var best: (rank: Int, priority: Int, until: UInt64)?
        for (index, candidate) in question.candidates.enumerated() {
            let place = Int(candidate.backend.value)
            var rank = 0
            switch scratch.standings[index] {
            case .usable, .trial, .absent: continue
            case .resting:
                let rests = [records[place].restsUntil, records[place].model(candidate.model)?.restsUntil]
                guard let until = rests.compactMap({ $0 }).max() else { continue }
                survey.restsUntil = survey.restsUntil.map { min($0, until) } ?? until
                continue
            case .tried: rank = 0
            case .open: rank = 1
            case .down: rank = 2
            case .missing: rank = 3
            }
            let offer = (rank, -records[place].settings.priority, openUntil(place, candidate.model))
            if best.map({ offer < ($0.rank, $0.priority, $0.until) }) ?? true {
                best = (offer.0, offer.1, offer.2)
                survey.lastResort = index
            }
        }
    }

    private func openUntil(_ place: Int, _ model: ModelDigest) -> UInt64 {
        var until: UInt64 = 0
        if case .open(let moment) = records[place].breaker.state { until = moment.nanoseconds }
        if case .open(let moment)? = records[place].model(model)?.breaker.state {
            until = max(until, moment.nanoseconds)
        }
        return until
    }

    // MARK: Decision

    mutating func decide(
        _ question: AdmissionQuestion, _ client: Int, at now: MonotonicInstant
    ) -> Decision {
        let survey = survey(question, at: now)
        guard survey.isAnyThere else { return .refuse(.noBackend) }
        guard let top = survey.top else { return decideTroubled(question, survey, at: now) }
        let conversation = conversation(of: question, at: now)
        weigh(question, conversation, at: now)
        if let trial = trial(question, top: top, conversation) {
            return .go(choice(question, trial, conversation, .load))
        }
        switch settings.balance {
        case .auto: return decideByTime(question, client, top: top, conversation)
        case .leastRequests, .roundRobin, .priority: return decideByOrder(question, top: top, conversation)
        }
    }

    @inline(never)
    private mutating func decideTroubled(
        _ question: AdmissionQuestion, _ survey: Survey, at now: MonotonicInstant
    ) -> Decision {
        // Who rests is well: it is waited for, if that is not too long.
        if let until = survey.restsUntil, until <= now + settings.queue.wait { return .wait(home: nil) }
        if let last = survey.lastResort {
            guard isFreeAsLast(question, last) else { return .wait(home: nil) }
            let conversation = conversation(of: question, at: now)
            weigh(question, conversation, at: now)
            return .go(choice(question, last, conversation, .load))
        }
        let rest = survey.restsUntil?.since(now).inSeconds ?? 1
        return .refuse(.resting(seconds: UInt32(rest.rounded(.up).clamped(to: 1...60))))
    }

    /// What fails is asked one at a time; what only lacks the model says so at once.
    func isFreeAsLast(_ question: AdmissionQuestion, _ index: Int) -> Bool {
        let candidate = question.candidates[index]
        let place = Int(candidate.backend.value)
        guard records[place].hasPlace else { return false }
        if records[place].breaker.isTrying { return false }
        return !(records[place].model(candidate.model)?.breaker.isTrying ?? false)
    }

    /// A half-open backend needs someone to try it: the first request that has no conversation elsewhere.
    private func trial(_ question: AdmissionQuestion, top: Int, _ conversation: Conversation?) -> Int? {
        guard conversation?.current == nil else { return nil }
        return question.candidates.indices.first { index in
            let place = Int(question.candidates[index].backend.value)
            return scratch.standings[index] == .trial && records[place].settings.priority == top
                && records[place].hasPlace
        }
    }

    func conversation(of question: AdmissionQuestion, at now: MonotonicInstant) -> Conversation? {
        guard let affinity = settings.affinity, let key = ConversationKey(question),
            let used = conversations.used(key), now.since(used) <= affinity.ttl
        else { return nil }
        return conversations.value(key)
    }

    func choice(
        _ question: AdmissionQuestion, _ index: Int, _ conversation: Conversation?,
        _ otherwise: PlacementReason
    ) -> Choice {
        let candidate = question.candidates[index]
        let place = Int(candidate.backend.value)
        let reason: PlacementReason
        if question.failures > 0 {
            reason = .failover
        } else if question.candidates.count == 1 {
            reason = .name
        } else if settings.balance != .priority, conversation?.current == candidate.backend {
            reason = .session
        } else if otherwise == .load, settings.balance == .auto, knowsMoreThanOthers(index) {
            reason = .prefix
        } else {
            reason = otherwise
        }
        var choice = Choice(candidate: index, reason: reason, cached: scratch.cached[index])
        choice.remembered = choice.cached
        if let known = conversation?.place(at: candidate.backend), reaches(known, question) {
            choice.remembered = min(known.tokens, question.promptTokens)
            choice.age = records[place].cache.clock - known.clock
        }
        return choice
    }

    private func knowsMoreThanOthers(_ index: Int) -> Bool {
        let mine = scratch.cached[index]
        return scratch.cached.contains { $0 < mine }
    }

    // MARK: By time

    private func isMember(_ question: AdmissionQuestion, _ index: Int, _ top: Int) -> Bool {
        scratch.standings[index].isUsable
            && records[Int(question.candidates[index].backend.value)].settings.priority == top
    }

    private func value(_ index: Int) -> Double {
        scratch.waiting[index] + scratch.reading[index] * Self.readingWeight
    }

    private mutating func decideByTime(
        _ question: AdmissionQuestion, _ client: Int, top: Int, _ conversation: Conversation?
    ) -> Decision {
        var best: Int?
        var bestFree: Int?
        var home: Int?
        // Without an id a conversation is known by what it has beyond the beginning that many share.
        var longest = question.prefix.first?.tokens ?? .max
        for index in question.candidates.indices where isMember(question, index, top) {
            let value = value(index)
            if best.map({ value < self.value($0) }) ?? true { best = index }
            if records[Int(question.candidates[index].backend.value)].hasPlace,
                bestFree.map({ value < self.value($0) }) ?? true
            {
                bestFree = index
            }
            if let current = conversation?.current {
                if current == question.candidates[index].backend { home = index }
            } else if scratch.cached[index] > longest {
                longest = scratch.cached[index]
                home = index
            }
        }
        guard var pick = best else { return .wait(home: nil) }
        if let home {
            if isWithin(value(home), of: value(pick), Self.moveMargin, Self.moveSeconds) { pick = home }
        } else if let free = bestFree, question.candidates.count > 1 {
            pick = rendezvous(question, client, top: top, best: free) ?? pick
        }
        guard let free = bestFree else { return .wait(home: pick) }
        if !records[Int(question.candidates[pick].backend.value)].hasPlace {
            guard isWithin(value(free), of: value(pick), Self.moveMargin, Self.moveSeconds) else {
                return .wait(home: pick)
            }
            pick = free
        }
        return .go(choice(question, pick, conversation, .load))
    }

    private func isWithin(_ value: Double, of best: Double, _ share: Double, _ seconds: Double) -> Bool {
        value <= best + max(best * share, seconds)
    }

    /// Of near-equal backends always the same for the same conversation, beginning or client, unless it has more than
    /// its share.
    private func rendezvous(
        _ question: AdmissionQuestion, _ client: Int, top: Int, best: Int
    ) -> Int? {
        var seed = question.session
        // Behind the shared beginning comes what tells conversations apart.
        if seed == 0 { seed = question.prefix.prefix(2).last?.digest ?? UInt64(client) &+ 1 }
        seed ^= question.agent.mixed
        var load = 1.0
        var weight = 0.0
        for index in question.candidates.indices where isMember(question, index, top) {
            let place = Int(question.candidates[index].backend.value)
            load += Double(records[place].inFlight)
            weight += Double(records[place].capacity)
        }
        let bound = Self.boundedLoad * load / max(weight, 1)
        var chosen: Int?
        var highest: UInt64 = 0
        for index in question.candidates.indices where isMember(question, index, top) {
            let candidate = question.candidates[index]
            let place = Int(candidate.backend.value)
            guard records[place].hasPlace,
                isWithin(value(index), of: value(best), Self.equalMargin, Self.equalSeconds),
                Double(records[place].inFlight) <= bound * Double(records[place].capacity)
            else { continue }
            let hash = (seed ^ UInt64(candidate.backend.value).mixed).mixed
            if chosen == nil || hash > highest {
                chosen = index
                highest = hash
            }
        }
        return chosen
    }

    // MARK: By order

    private mutating func decideByOrder(
        _ question: AdmissionQuestion, top: Int, _ conversation: Conversation?
    ) -> Decision {
        let members = question.candidates.indices.filter { index in
            isMember(question, index, top)
                && records[Int(question.candidates[index].backend.value)].hasPlace
        }
        guard !members.isEmpty else { return .wait(home: nil) }
        if settings.balance == .priority, let first = members.first {
            return .go(choice(question, first, conversation, .order))
        }
        if let home = members.first(where: { conversation?.current == question.candidates[$0].backend }),
            !isOverloaded(question, home, members)
        {
            return .go(choice(question, home, conversation, .load))
        }
        guard settings.balance == .leastRequests else {
            return .go(choice(question, nextInTurn(question, members), conversation, .order))
        }
        let least = members.map { load(question, $0) }.min() ?? 0
        let equal = members.filter { load(question, $0) <= least }
        let pick = equal.count > 1 ? nextInTurn(question, equal) : equal.first ?? members[0]
        return .go(choice(question, pick, conversation, .load))
    }

    private func load(_ question: AdmissionQuestion, _ index: Int) -> Double {
        let place = Int(question.candidates[index].backend.value)
        return Double(records[place].inFlight) / Double(records[place].capacity)
    }

    private func isOverloaded(_ question: AdmissionQuestion, _ index: Int, _ members: [Int]) -> Bool {
        let fewest = 4
        let place = Int(question.candidates[index].backend.value)
        guard records[place].inFlight >= fewest else { return false }
        let others = members.filter { $0 != index }
        guard !others.isEmpty else { return false }
        let mean = others.map { load(question, $0) }.reduce(0, +) / Double(others.count)
        return load(question, index) > mean * Self.overload
    }

    /// Smooth weighted round-robin, as nginx has it.
    private mutating func nextInTurn(_ question: AdmissionQuestion, _ members: [Int]) -> Int {
        let isByWeight = settings.balance == .roundRobin
        var total = 0
        var pick = members[0]
        var highest = Int.min
        for index in members {
            let place = Int(question.candidates[index].backend.value)
            let weight = isByWeight ? max(records[place].settings.weight, 1) : records[place].capacity
            // Bounded: candidates that are no members stand still, so a turn could grow over a very long time.
            records[place].turn = min(max(records[place].turn &+ weight, -1_000_000), 1_000_000)
            total = total &+ weight
            if records[place].turn > highest {
                highest = records[place].turn
                pick = index
            }
        }
        records[Int(question.candidates[pick].backend.value)].turn &-= total
        return pick
    }
}
