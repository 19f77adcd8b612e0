// What the prober finds becomes the catalogue, the scheduler's judgement and the journal's lines, and all workers
// hear of it.

import Scheduling
import Shared

extension ServiceState {
    static func scheduled(_ entry: BackendCatalogue.Entry) -> Scheduler.Backend {
        var backend = Scheduler.Backend(entry.number, name: entry.name)
        backend.priority = Int(entry.announcement.priority)
        if let configured = entry.configured {
            backend.weight = configured.weight
            backend.limit = configured.maxConcurrent
        }
        return backend
    }

    // MARK: From the prober

    /// A backend on a usual port.
    mutating func discovered(
        name: String, url: String, priority: UInt32, by worker: WorkerID, at now: MonotonicInstant
    ) -> [Action] {
        // Who has just lost the role still says what it found; its successor finds it again.
        guard worker == prober.worker, settings.backends.isEmpty,
            let entry = catalogue.discover(name: name, url: url, priority: priority)
        else { return [] }
        let decided = scheduler.apply(Self.scheduled(entry), at: now)
        return broadcast(.backend(entry.announcement))
            + broadcast(.condition(scheduler.condition(of: entry.number, at: now)))
            + carryOut(decided, at: now) + [.backendsChanged]
    }

    mutating func checked(
        _ backend: BackendNumber, _ result: CheckResult, by worker: WorkerID, at now: MonotonicInstant
    ) throws(ProtocolViolation) -> [Action] {
        guard catalogue[backend] != nil else { throw ProtocolViolation("checked: no \(backend)") }
        guard worker == prober.worker else { return [] }
        return carryOut(scheduler.checked(backend, result, at: now), at: now)
    }

    mutating func listed(
        _ part: ListingPart, by worker: WorkerID, at now: MonotonicInstant
    ) throws(ProtocolViolation) -> [Action] {
        guard catalogue[part.backend] != nil else {
            throw ProtocolViolation("listing: no \(part.backend)")
        }
        guard worker == prober.worker, let change = catalogue.take(part), let entry = catalogue[part.backend]
        else { return [] }
        scheduler.listed(
            entry.number, models: entry.models?.count ?? 0, slots: entry.models?.compactMap(\.slots).max())
        var actions = catalogue.parts(of: entry.number).flatMap { broadcast(.listing($0)) }
        if change.wasCutNow {
            actions.append(.tell(ServiceNews(entry, .cutModels(count: entry.models?.count ?? 0))))
        }
        let state = scheduler.condition(of: entry.number, at: now).state
        if !change.isFirst, change.hasOtherNames, state != .down, state != .unknown,
            listLines.admits(entry.number, at: now)
        {
            actions.append(.tell(ServiceNews(entry, .changedModels(count: entry.models?.count ?? 0))))
        }
        return actions + [.backendsChanged]
    }

    // MARK: What the scheduler has decided

    mutating func carryOut(_ decided: [Scheduler.Action], at now: MonotonicInstant) -> [Action] {
        guard !decided.isEmpty else { return [] }
        var actions: [Action] = []
        var changed: [BackendNumber] = []
        for action in decided {
            switch action {
            case .grant(let ticket, let grant):
                actions += answer(ticket, .granted(ticket: ticket.number, grant))
            case .refuse(let ticket, let refusal):
                actions += answer(ticket, .refused(ticket: ticket.number, refusal))
            case .supersede(let ticket): actions += answer(ticket, .superseded(ticket: ticket.number))
            case .conditionChanged(let backend): if !changed.contains(backend) { changed.append(backend) }
            case .modelConditionChanged(let backend, let model, let isOpen):
                actions += broadcast(.modelCondition(backend: backend, model: model, isOpen: isOpen))
            case .changed(let change): if let news = news(change) { actions.append(.tell(news)) }
            }
        }
        for backend in changed where catalogue[backend] != nil {
            actions += broadcast(.condition(scheduler.condition(of: backend, at: now)))
        }
        return changed.isEmpty ? actions : actions + [.backendsChanged]
    }

    private func answer(_ ticket: Scheduler.Ticket, _ message: SupervisorMessage) -> [Action] {
        workers.contains(ticket.worker) ? [.send(worker: ticket.worker, message)] : []
    }

    // MARK: For the journal

    private func news(_ change: Scheduler.StateChange) -> ServiceNews? {
        guard let entry = catalogue[change.backend] else { return nil }
        let model = change.model.map { entry.model($0) ?? "?" }
        return ServiceNews(entry, model: model, what(change, entry))
    }

    private func what(
        _ change: Scheduler.StateChange, _ entry: BackendCatalogue.Entry
    ) -> ServiceNews.What {
        switch change.what {
        case .up: found(entry)
        case .down(let reason): .lost(reason: reason)
        case .opened(let failures, let rest): .opened(failures: failures, rest: rest)
        case .halfOpened: .halfOpened
        case .closed: .closed
        case .flapping(let changes): .flapping(changes: changes)
        }
    }

    private func found(_ entry: BackendCatalogue.Entry) -> ServiceNews.What {
        let model = AutomaticModels(observations).model(of: entry)
        return .found(
            type: entry.type, dialect: entry.dialect, models: entry.models?.count ?? 0, model: model?.id,
            context: model?.contextWindow)
    }
}
