// What checks and the ends of exchanges say of a backend and its models, and who is told of it.

import Shared

extension Scheduler {
    /// A model that the backend says it has not is not asked for again so soon.
    private static let missingFor = Duration.seconds(10)
    /// While a model is loaded: asked again after 1 s, then 2, up to 5.
    private static let longestLoadingRest = 5

    // MARK: Checks

    mutating func check(
        _ place: Int, _ result: CheckResult, at now: MonotonicInstant, _ actions: inout [Action]
    ) {
        let before = records[place].checks.state
        if records[place].checks.take(result, settings.health, at: now) {
            turned(place, from: before, at: now, &actions)
        }
        settle(place, at: now, &actions)
    }

    private mutating func turned(
        _ place: Int, from before: HealthChecks.State, at now: MonotonicInstant, _ actions: inout [Action]
    ) {
        isUnsettled = true
        guard records[place].checks.state == .up else {
            // Whatever was in its cache may be gone with it.
            records[place].cache.restart()
            if let bit = records[place].bit { prefixes.forget(bit: bit) }
            return tell(place, .down(reason: records[place].checks.reason), at: now, &actions)
        }
        tell(place, .up, at: now, &actions)
        guard before == .down else { return }
        close(place, at: now, &actions)
        for model in records[place].models.map(\.model) { close(place, model, at: now, &actions) }
    }

    // MARK: Exchanges

    mutating func judge(
        _ permit: Permit, _ report: AttemptReport, at now: MonotonicInstant, _ actions: inout [Action]
    ) {
        let place = permit.place
        defer {
            endTrial(permit)
            settle(place, at: now, &actions)
        }
        switch report.verdict {
        case .notSent: break
        case .well:
            // Gone before there was an answer: that says nothing.
            guard report.firstByte > 0 || report.duration == 0 else { break }
            proveWell(permit, at: now, &actions)
            records[place].answersWell()
        case .unreachable: fails(permit, isConnection: true, at: now, &actions)
        case .broken: fails(permit, isConnection: report.firstByte == 0, at: now, &actions)
        case .failed, .firstByteTimeout, .stalled: fails(permit, isConnection: false, at: now, &actions)
        case .busy(let seconds):
            records[place].rests(seconds, at: now)
            isUnsettled = true
        case .loading:
            _ = records[place].withModel(permit.model) { record in
                record.loadings = min(record.loadings &+ 1, Self.longestLoadingRest)
                record.restsUntil = now + .seconds(record.loadings)
            }
            isUnsettled = true
        case .modelMissing:
            _ = records[place].withModel(permit.model) { $0.missingUntil = now + Self.missingFor }
            isUnsettled = true
        }
    }

    /// It has answered.
    mutating func proveWell(_ permit: Permit, at now: MonotonicInstant, _ actions: inout [Action]) {
        let place = permit.place
        // A removed backend has no condition any more.
        guard records[place].isPresent, !records[place].isPlain else { return }
        let before = records[place].checks.state
        if before == .down, records[place].checks.answered() {
            turned(place, from: before, at: now, &actions)
        }
        if isTrial(permit) { close(place, at: now, &actions) }
        if isModelTrial(permit) { close(place, permit.model, at: now, &actions) }
        for index in records[place].models.indices where records[place].models[index].model == permit.model {
            records[place].models[index].loadings = 0
            records[place].models[index].missingUntil = nil
        }
        settle(place, at: now, &actions)
    }

    private mutating func fails(
        _ permit: Permit, isConnection: Bool, at now: MonotonicInstant, _ actions: inout [Action]
    ) {
        let place = permit.place
        records[place].failures &+= 1
        guard records[place].isPresent else { return }
        if isTrial(permit) || isModelTrial(permit) {
            return trialFails(permit, at: now, &actions)
        }
        // What its checks have found out already needs no second verdict.
        guard records[place].checks.state != .down else { return }
        if isConnection {
            if records[place].breaker.fails(settings.breaker, at: now) { open(place, at: now, &actions) }
            return
        }
        let breaker = settings.breaker
        let isToOpen = records[place].withModel(permit.model) { $0.breaker.fails(breaker, at: now) }
        guard isToOpen ?? records[place].breaker.fails(breaker, at: now) else { return }
        let failures = records[place].model(permit.model)?.breaker.failures ?? breaker.failures
        guard records[place].breaker.isClosed else { return }
        if isToOpen == nil || records[place].isLastModel(permit.model, breaker, at: now) {
            // All its models fail: one line and one verdict, the backend's.
            for index in records[place].models.indices
            where records[place].models[index].model == permit.model {
                records[place].models[index].breaker.close()
            }
            open(place, failures: failures, at: now, &actions)
        } else {
            _ = records[place].withModel(permit.model) { $0.breaker.open(breaker, at: now) }
            isUnsettled = true
            let what = StateChange.What.opened(failures: failures, rest: breaker.open)
            tell(place, model: permit.model, what, at: now, &actions)
        }
    }

    private mutating func trialFails(
        _ permit: Permit, at now: MonotonicInstant, _ actions: inout [Action]
    ) {
        let place = permit.place
        isUnsettled = true
        if isTrial(permit), !records[place].breaker.isClosed {
            records[place].breaker.trialFails(settings.breaker, at: now)
            let breaker = records[place].breaker
            let what = StateChange.What.opened(failures: breaker.failures, rest: breaker.rest)
            tell(place, what, at: now, &actions)
        }
        guard isModelTrial(permit) else { return }
        let settings = settings.breaker
        let opened = records[place].withModel(permit.model) { record -> StateChange.What? in
            guard !record.breaker.isClosed else { return nil }
            record.breaker.trialFails(settings, at: now)
            return .opened(failures: record.breaker.failures, rest: record.breaker.rest)
        }
        if let opened, let what = opened { tell(place, model: permit.model, what, at: now, &actions) }
    }

    // MARK: Trials

    /// What is not closed is asked one at a time.
    mutating func beginTrial(_ permit: inout Permit) {
        let place = permit.place
        guard !records[place].isPlain else { return }
        if !records[place].breaker.isClosed || records[place].checks.state == .down {
            permit.trial = records[place].breaker.begin()
        }
        guard let record = records[place].model(permit.model), !record.breaker.isClosed else { return }
        permit.modelTrial = records[place].withModel(permit.model) { $0.breaker.begin() }
    }

    private mutating func endTrial(_ permit: Permit) {
        guard permit.isTrial else { return }
        isUnsettled = true
        if isTrial(permit) { records[permit.place].breaker.trialEnds() }
        guard isModelTrial(permit) else { return }
        _ = records[permit.place].withModel(permit.model) { $0.breaker.trialEnds() }
    }

    /// Whether the permit is the trial that the breaker waits for now, not one of an earlier time.
    private func isTrial(_ permit: Permit) -> Bool {
        permit.trial != nil && records[permit.place].breaker.trial == permit.trial
    }

    private func isModelTrial(_ permit: Permit) -> Bool {
        permit.modelTrial != nil
            && records[permit.place].model(permit.model)?.breaker.trial == permit.modelTrial
    }

    // MARK: Breakers

    private mutating func open(
        _ place: Int, failures: Int? = nil, at now: MonotonicInstant, _ actions: inout [Action]
    ) {
        records[place].breaker.open(settings.breaker, at: now, failures: failures)
        isUnsettled = true
        let breaker = records[place].breaker
        tell(place, .opened(failures: breaker.failures, rest: breaker.rest), at: now, &actions)
    }

    private mutating func close(_ place: Int, at now: MonotonicInstant, _ actions: inout [Action]) {
        guard records[place].breaker.succeeds() else { return }
        isUnsettled = true
        tell(place, .closed, at: now, &actions)
    }

    private mutating func close(
        _ place: Int, _ model: ModelDigest, at now: MonotonicInstant, _ actions: inout [Action]
    ) {
        guard records[place].model(model) != nil else { return }
        guard records[place].withModel(model, { $0.breaker.succeeds() }) ?? false else { return }
        isUnsettled = true
        tell(place, model: model, .closed, at: now, &actions)
    }

    // MARK: Telling

    private mutating func tell(
        _ place: Int, model: ModelDigest? = nil, _ what: StateChange.What, at now: MonotonicInstant,
        _ actions: inout [Action]
    ) {
        guard records[place].log.admit(at: now) else {
            if let deadline = records[place].log.deadline { lower(to: deadline) }
            return
        }
        actions.append(.changed(StateChange(records[place].settings.number, model: model, what)))
    }

    /// After anything that may have changed how a backend fares: who has to know is told.
    mutating func settle(_ place: Int, at now: MonotonicInstant, _ actions: inout [Action]) {
        records[place].refresh()
        guard records[place].isPresent, !records[place].isAsTold else { return }
        settleModels(place, at: now, &actions)
        let condition = records[place].condition(at: now)
        let told = records[place].told
        if condition.state != told.state || condition.isOpen != told.isOpen
            || condition.isLost != told.isLost
        {
            records[place].told = condition
            actions.append(.conditionChanged(condition.backend))
        }
        if let deadline = deadline(of: place, at: now) { lower(to: deadline) }
    }

    private mutating func settleModels(
        _ place: Int, at now: MonotonicInstant, _ actions: inout [Action]
    ) {
        guard !records[place].models.isEmpty else { return }
        let number = records[place].settings.number
        for index in records[place].models.indices {
            let record = records[place].models[index]
            let isOpen = record.breaker.isClosed && record.missingUntil == nil && record.restsUntil == nil
            guard isOpen != record.isToldOpen else { continue }
            records[place].models[index].isToldOpen = isOpen
            actions.append(.modelConditionChanged(number, record.model, isOpen: isOpen))
        }
        let breaker = settings.breaker
        records[place].models.removeAll { $0.isIdle(breaker, at: now) }
        records[place].refresh()
    }

    private func deadline(of place: Int, at now: MonotonicInstant) -> MonotonicInstant? {
        var earliest: MonotonicInstant?
        func note(_ moment: MonotonicInstant?) {
            guard let moment, moment > now else { return }
            earliest = earliest.map { min($0, moment) } ?? moment
        }
        note(records[place].checks.lostAt)
        if case .open(let until) = records[place].breaker.state { note(until) }
        note(records[place].restsUntil)
        note(records[place].log.deadline)
        for record in records[place].models {
            if case .open(let until) = record.breaker.state { note(until) }
            note(record.missingUntil)
            note(record.restsUntil)
            // Forgotten when its failures are too old to count.
            if record.breaker.isClosed { note(now + settings.breaker.window) }
        }
        return earliest
    }

    // MARK: Time

    /// Whatever is due by now happens before anything else does.
    mutating func advance(at now: MonotonicInstant, _ actions: inout [Action]) {
        guard let due, now >= due else { return }
        self.due = nil
        for place in records.indices where records[place].isPresent { age(place, at: now, &actions) }
        ageWaiters(at: now, &actions)
        dispatch(after: nil, at: now, &actions)
        lowerToWaiters(at: now)
        for place in records.indices where records[place].isPresent {
            if let deadline = deadline(of: place, at: now) { lower(to: deadline) }
        }
    }

    private mutating func age(_ place: Int, at now: MonotonicInstant, _ actions: inout [Action]) {
        if let changes = records[place].log.settle(at: now) {
            let number = records[place].settings.number
            actions.append(.changed(StateChange(number, .flapping(changes: changes))))
        }
        if records[place].breaker.advance(at: now) {
            isUnsettled = true
            tell(place, .halfOpened, at: now, &actions)
        }
        if let until = records[place].restsUntil, now >= until {
            records[place].restsUntil = nil
            isUnsettled = true
        }
        for index in records[place].models.indices {
            let model = records[place].models[index].model
            if records[place].models[index].breaker.advance(at: now) {
                isUnsettled = true
                tell(place, model: model, .halfOpened, at: now, &actions)
            }
            if let until = records[place].models[index].missingUntil, now >= until {
                records[place].models[index].missingUntil = nil
                isUnsettled = true
            }
            if let until = records[place].models[index].restsUntil, now >= until {
                records[place].models[index].restsUntil = nil
                isUnsettled = true
            }
        }
        settle(place, at: now, &actions)
    }
}
