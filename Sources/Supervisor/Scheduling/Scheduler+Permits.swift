// What a grant takes and what its end gives back: places, reserved service, slots, and what is learnt on the way.

import Shared

/// A granted ticket, or a told one.
struct Permit: Sendable {
    /// Of the backend's record, and of the client in the ledger.
    let place: Int
    let client: Int
    let question: AdmissionQuestion
    let model: ModelDigest
    let began: Double
    var reserved = 0.0
    /// A worker has gone without asking.
    var isTold = false
    /// Its number as a trial of the backend, and of the model.
    var trial: UInt64?
    var modelTrial: UInt64?
    var slot: UInt16?
    /// Tokens of its prompt that the backend's cache had if nothing has displaced them, and their age by its clock;
    /// nil: it is not known.
    var cached: UInt32 = 0
    var age: Double?
    /// Nil for a told one, of which nothing was estimated.
    var expected: SpeedEstimate.Expectation?
    var wasUnloaded = false

    var isTrial: Bool { trial != nil || modelTrial != nil }
}

extension Scheduler {
    /// Longest time that one exchange is charged for, in seconds: what workers report is bounded.
    private static let longestService = 86_400.0
    /// Fewer tokens say nothing of a cache's size.
    private static let smallestExpected: UInt32 = 1024

    // MARK: Begin

    mutating func grant(
        _ ticket: Ticket, _ question: AdmissionQuestion, _ client: Int, to choice: Choice,
        at now: MonotonicInstant, waited: Waiter?, _ actions: inout [Action]
    ) {
        let candidate = question.candidates[choice.candidate]
        let place = Int(candidate.backend.value)
        var permit = Permit(
            place: place, client: client, question: question, model: candidate.model, began: now.seconds)
        var grant = Grant(candidate.backend, choice.reason)
        begin(&permit, choice, isLoaded: candidate.isLoaded, at: now)
        beginTrial(&permit)
        grant.isTrial = permit.isTrial
        grant.slot = permit.slot
        if let waited {
            grant.ahead = UInt32(clamping: grants &- waited.grantsBefore)
            if grant.ahead > 0 { grant.aheadClient = lastGranted }
        }
        grant.costs = leastCosts(question)
        grants &+= 1
        lastGranted = ledger.clients[client].view.name
        tickets[ticket.worker, default: [:]][ticket.number] = .granted(permit)
        actions.append(.grant(ticket, grant))
        settle(place, at: now, &actions)
    }

    private mutating func begin(
        _ permit: inout Permit, _ choice: Choice, isLoaded: Bool?, at now: MonotonicInstant
    ) {
        let place = permit.place
        let question = permit.question
        let rate = records[place].speed.secondsPerToken
        let answer = records[place].speed.answer
        permit.cached = choice.remembered
        permit.age = choice.age
        permit.wasUnloaded = isLoaded == false
        let fresh = Double(question.promptTokens) - Double(min(choice.cached, question.promptTokens))
        let loading = permit.wasUnloaded ? records[place].speed.load : 0
        permit.reserved = fresh * rate + loading + answer
        permit.expected = records[place].speed.began(tokens: fresh, loading: loading, at: now.seconds)
        records[place].cache.advance(fresh)
        count(permit, at: now)
        follow(&permit, isKnownPrefix: !question.prefix.isEmpty, at: now)
    }

    /// A request that has gone to its only candidate. This is the way of nearly all requests where there is one
    /// backend, so it does no more than it must.
    mutating func take(
        told ticket: Ticket, _ question: AdmissionQuestion, _ client: Int, at now: MonotonicInstant
    ) {
        guard let candidate = question.candidates.first else { return }
        let place = Int(candidate.backend.value)
        var permit = Permit(
            place: place, client: client, question: question, model: candidate.model, began: now.seconds)
        permit.isTold = true
        ledger.lift(client, least: leastWaiting())
        count(permit, at: now)
        follow(&permit, isKnownPrefix: false, at: now)
        tickets[ticket.worker, default: [:]][ticket.number] = .granted(permit)
    }

    private mutating func count(_ permit: Permit, at now: MonotonicInstant) {
        records[permit.place].inFlight &+= 1
        records[permit.place].requests &+= 1
        records[permit.place].lastModel = permit.model
        records[permit.place].sees(permit.model, at: now)
        ledger.count(permit.client) { $0.inFlight &+= 1 }
        ledger.reserve(permit.client, permit.reserved)
    }

    /// The conversation is here now, and so is the beginning of the prompt.
    private mutating func follow(_ permit: inout Permit, isKnownPrefix: Bool, at now: MonotonicInstant) {
        guard let affinity = settings.affinity else { return }
        let question = permit.question
        let place = permit.place
        let key = ConversationKey(question)
        if records[place].slots != nil, !permit.isTold {
            let others = records[place].inFlight &- 1
            permit.slot = records[place].slots?.take(
                key, isMain: question.lane <= .compaction, tokens: question.promptTokens,
                others: others, at: now)
        }
        if let key {
            conversations.forget(before: now - affinity.ttl)
            let here = Conversation.Place(
                backend: records[place].settings.number, tokens: question.promptTokens,
                end: question.prefix.last?.digest ?? 0, clock: records[place].cache.clock)
            var before: BackendNumber?
            conversations.update(key, at: now, initial: Conversation()) { conversation in
                before = conversation.current
                conversation.move(to: here)
            }
            if let before {
                if before == here.backend { affinityHits &+= 1 } else { affinityMoves &+= 1 }
            }
        }
        if isKnownPrefix, let bit = records[place].bit { prefixes.add(question.prefix, bit: bit, at: now) }
    }

    // MARK: End

    mutating func end(
        _ ticket: Ticket, _ entry: Entry, _ report: AttemptReport, at now: MonotonicInstant,
        _ actions: inout [Action]
    ) {
        switch entry {
        case .over: if tickets[ticket.worker]?.isEmpty == true { tickets[ticket.worker] = nil }
        case .waiting(let position):
            guard waiters.indices.contains(position) else { return }
            forget(ticket, waiters[position].question, waiters[position].client)
            removeWaiter(position)
        case .granted(let permit):
            forget(ticket, permit.question, permit.client)
            giveBack(permit, report, at: now)
            learn(permit, report, at: now)
            judge(permit, report, at: now, &actions)
            dispatch(after: permit.place, at: now, &actions)
        }
    }

    /// Nothing stands for the ticket any more.
    mutating func forget(_ ticket: Ticket, _ question: AdmissionQuestion, _ client: Int) {
        if tickets[ticket.worker]?.isEmpty == true { tickets[ticket.worker] = nil }
        guard question.fingerprint != 0 else { return }
        let key = ResentKey(question, client: client)
        if resent[key] == ticket { resent[key] = nil }
    }

    private mutating func giveBack(_ permit: Permit, _ report: AttemptReport, at now: MonotonicInstant) {
        let place = permit.place
        records[place].inFlight = max(records[place].inFlight &- 1, 0)
        if records[place].inFlight == 0 { records[place].speed.idle() }
        if let slot = permit.slot { records[place].slots?.giveBack(slot) }
        let duration = Double(report.duration) / 1e6
        let held = max(now.seconds - permit.began, duration).clamped(to: 0...Self.longestService)
        ledger.settle(permit.client, reserved: permit.reserved, used: held)
        ledger.count(permit.client) { view in
            view.inFlight = max(view.inFlight &- 1, 0)
            view.inputTokens &+= UInt64(report.inputTokens)
            view.outputTokens &+= UInt64(report.outputTokens)
        }
    }

    private mutating func learn(_ permit: Permit, _ report: AttemptReport, at now: MonotonicInstant) {
        let place = permit.place
        guard report.verdict == .well, report.firstByte > 0 else { return }
        let firstByte = Double(report.firstByte) / 1e6
        let duration = max(Double(report.duration) / 1e6, firstByte)
        let held = max(now.seconds - permit.began, duration)
        records[place].speed.ended(held: held, answer: duration - firstByte)
        records[place].cache.advance(Double(report.outputTokens))
        let input = Double(report.inputTokens)
        if permit.wasUnloaded {
            let reading = input * records[place].speed.secondsPerToken
            records[place].speed.loaded(after: firstByte - reading)
            return
        }
        // Told requests have no estimate of what was cached, so they teach nothing here.
        guard let expected = permit.expected else { return }
        let cached = Double(report.cachedTokens ?? permit.cached)
        records[place].speed.firstByte(after: firstByte, fresh: max(input - cached, 0), expected)
        if let reported = report.cachedTokens { learnCache(permit, reported: reported) }
    }

    /// The backend says how much it had in its cache: whether what was expected is still there.
    private mutating func learnCache(_ permit: Permit, reported: UInt32) {
        guard let age = permit.age, permit.cached >= Self.smallestExpected else { return }
        records[permit.place].cache.learn(age: age, wasThere: reported >= permit.cached / 2)
    }

    // MARK: Re-sent requests

    /// The client has sent this before and waits for it no more.
    mutating func supersede(
        _ ticket: Ticket, _ question: AdmissionQuestion, _ client: Int, _ actions: inout [Action]
    ) {
        guard question.fingerprint != 0 else { return }
        let key = ResentKey(question, client: client)
        if question.isRetry, let older = resent[key], older != ticket {
            if case .waiting(let position)? = tickets[older.worker]?[older.number] {
                removeWaiter(position)
                tickets[older.worker]?[older.number] = .over
            }
            actions.append(.supersede(older))
        }
        resent[key] = ticket
    }
}

extension Scheduler.ResentKey {
    init(_ question: AdmissionQuestion, client: Int) {
        self.init(
            client: client, session: question.session, agent: question.agent,
            fingerprint: question.fingerprint)
    }
}

extension MonotonicInstant {
    /// Not before the beginning of time.
    static func - (moment: MonotonicInstant, duration: Duration) -> MonotonicInstant {
        let nanoseconds = UInt64(max(duration.inNanoseconds, 0))
        return MonotonicInstant(
            nanoseconds: moment.nanoseconds > nanoseconds ? moment.nanoseconds - nanoseconds : 0)
    }
}
