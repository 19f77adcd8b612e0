// What is true of the whole service and not of one worker: which backends there are, what they have and how they
// fare, which worker asks them, what was learnt of their models, where each request goes and when. Pure: events
// in, actions out, the time given; like Pool and ConnectionDispatcher. Holds: only workers that were welcomed and
// live are spoken to or counted; a worker knows all that the others know from its welcome on; a dead worker's
// permits come back; nothing is known by its place in a list; every collection is bounded; nothing here traps.

import Scheduling
import Shared

struct ServiceState: Sendable {
    struct Settings: Sendable {
        /// Connections that a worker holds at once.
        let slots: UInt32
        /// As configured; none = they are looked for on their usual ports.
        let backends: [Configuration.Backend]
        let service: Configuration.Service

        init(slots: UInt32, backends: [Configuration.Backend], service: Configuration.Service = .init()) {
            self.slots = slots
            self.backends = backends
            self.service = service
        }
    }

    enum Action: Equatable, Sendable {
        case send(worker: WorkerID, SupervisorMessage)
        /// It has broken the contract.
        case condemn(worker: WorkerID, ProtocolViolation)
        /// For the journal.
        case tell(ServiceNews)
        /// What is shown of the backends is another.
        case backendsChanged
    }

    let settings: Settings
    /// Welcomed and not dead.
    private(set) var workers: Set<WorkerID> = []
    /// What the workers of this run have learnt of the backends' models.
    private(set) var observations = ObservationStore()
    /// The usual ports have been asked once.
    private(set) var hasSearched = false
    var catalogue: BackendCatalogue
    var scheduler: Scheduler
    var prober = ProberRole()
    /// Lines about lists that change.
    var listLines = LineLimit()

    init(_ settings: Settings) {
        self.settings = settings
        catalogue = BackendCatalogue(settings.backends)
        scheduler = Scheduler(settings.service, ticketsPerWorker: Int(settings.slots))
        // Nobody waits yet: there is nothing to carry out.
        for entry in catalogue.entries {
            _ = scheduler.apply(Self.scheduled(entry), at: MonotonicInstant(nanoseconds: 0))
        }
    }

    // MARK: Workers

    /// It has said hello. What the others know, it is told: what there is before how it fares.
    mutating func joined(_ worker: WorkerID, at now: MonotonicInstant) -> [Action] {
        workers.insert(worker)
        var messages = [SupervisorMessage.welcome(slots: settings.slots)]
        messages += catalogue.entries.map { .backend($0.announcement) }
        for entry in catalogue.entries {
            messages += catalogue.parts(of: entry.number).map { .listing($0) }
            messages.append(.condition(scheduler.condition(of: entry.number, at: now)))
            messages += scheduler.closedModels(of: entry.number).map {
                .modelCondition(backend: entry.number, model: $0, isOpen: false)
            }
        }
        messages += observations.all.map { .observation($0) }
        if hasSearched { messages.append(.searched) }
        return messages.map { .send(worker: worker, $0) }
    }

    /// It serves.
    mutating func opened(_ worker: WorkerID) {
        if workers.contains(worker) { prober.opened(worker) }
    }

    /// It takes no more connections.
    mutating func closed(_ worker: WorkerID) { prober.closed(worker) }

    /// The worker is dead and all it ever said has been read.
    mutating func died(_ worker: WorkerID, at now: MonotonicInstant) -> [Action] {
        guard workers.remove(worker) != nil else { return [] }
        prober.died(worker)
        return carryOut(scheduler.died(worker, at: now), at: now)
    }

    // MARK: Time

    /// What is due, and who asks the backends from now on.
    mutating func tick(at now: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        for change in prober.settle() {
            if change.isOn { catalogue.forgetDrafts() }
            guard workers.contains(change.worker) else { continue }
            actions.append(.send(worker: change.worker, .probe(isOn: change.isOn)))
        }
        for (backend, kept) in listLines.due(at: now) {
            guard let entry = catalogue[backend] else { continue }
            actions.append(.tell(ServiceNews(entry, .flappingModels(changes: kept))))
        }
        if let deadline = scheduler.nextDeadline, deadline <= now {
            actions += carryOut(scheduler.tick(at: now), at: now)
        }
        return actions
    }

    /// When `tick` has something to do at the latest; nil = nothing is to come.
    var nextDeadline: MonotonicInstant? {
        [scheduler.nextDeadline, listLines.nextDeadline].compactMap { $0 }.min()
    }

    // MARK: What is learnt of models

    mutating func observed(
        _ observation: ModelObservation, by worker: WorkerID, at now: WallTime
    ) -> [Action] {
        guard workers.contains(worker), observations.take(observation, at: now) else { return [] }
        let told = broadcast(.observation(observation), except: worker)
        switch observation.fact {
        // What a Claude name means is shown.
        case .automatic, .chosen: return told + [.backendsChanged]
        case .lacks, .tokens, .output: return told
        }
    }

    mutating func capabilitiesInvalidated(
        of backend: BackendID, before moment: WallTime, by worker: WorkerID, at now: WallTime
    ) -> [Action] {
        guard workers.contains(worker) else { return [] }
        observations.forgetRefusals(of: backend, before: moment, at: now)
        // Sent on even when nothing of it is kept here: what a worker has just said may be on its way.
        return broadcast(.capabilitiesInvalidated(backend: backend, before: moment), except: worker)
    }

    /// The usual ports have been asked.
    mutating func searched(by worker: WorkerID) -> [Action] {
        guard workers.contains(worker), !hasSearched else { return [] }
        hasSearched = true
        let demo: [Action] = catalogue.entries.isEmpty ? [.tell(ServiceNews(.demo))] : []
        return broadcast(.searched) + demo + [.backendsChanged]
    }

    func broadcast(_ message: SupervisorMessage, except source: WorkerID? = nil) -> [Action] {
        workers.sorted().filter { $0 != source }.map { .send(worker: $0, message) }
    }
}
