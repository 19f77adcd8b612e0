// What is true of the whole service and not of one worker: what is known of the backends' models, whether one
// of them is real, whose turn it is at a backend, and what is shown of them. Pure: events in, actions out,
// like Pool and ConnectionDispatcher. Holds: permits out never exceed their limits, and a dead worker's come
// back; only workers that were welcomed and live are spoken to or counted; every collection is bounded;
// nothing here traps.

import Shared

struct ServiceState: Sendable {
    struct Settings: Sendable {
        /// Connections that a worker holds at once.
        let slots: UInt32
        /// `max_concurrent` of the configured backends; nil = no limit.
        let limits: [BackendID: Int?]

        init(slots: UInt32, backends: [Configuration.Backend]) {
            self.slots = slots
            var limits: [BackendID: Int?] = [:]
            for backend in backends {
                limits.updateValue(backend.maxConcurrent, forKey: BackendID(backend.name))
            }
            self.limits = limits
        }
    }

    enum Action: Equatable, Sendable {
        case send(worker: WorkerID, SupervisorMessage)
        /// The first real backend of this run.
        case realBackendFound(by: WorkerID)
        /// `report` is another one.
        case reportChanged
    }

    let settings: Settings
    /// Welcomed and not dead.
    private(set) var workers: Set<WorkerID> = []
    /// Whether some worker of this run has met a real backend.
    private(set) var realBackendSeen = false
    /// The usual ports have been asked once.
    private(set) var hasSearched = false
    /// What the workers of this run have learnt of the backends' models.
    private(set) var observations = ObservationStore()
    private(set) var limiter: ConcurrencyLimiter
    /// The workers' reports of the backends, JSON arrays.
    private var reports: [WorkerID: String] = [:]
    /// The oldest worker's report: one that has just started has not asked the backends yet. Without any
    /// worker the last report is the best there is.
    private(set) var report = "[]"

    init(_ settings: Settings) {
        self.settings = settings
        limiter = ConcurrencyLimiter(limits: settings.limits, ticketsPerWorker: Int(settings.slots))
    }

    // MARK: Workers

    /// It has said hello. What the others know, it is told.
    mutating func joined(_ worker: WorkerID) -> [Action] {
        workers.insert(worker)
        let welcome = SupervisorMessage.welcome(slots: settings.slots, realBackendSeen: realBackendSeen)
        return [.send(worker: worker, welcome)]
            + observations.all.map { .send(worker: worker, .observation($0)) }
            + (hasSearched ? [.send(worker: worker, .searched)] : [])
    }

    /// The worker is dead and all it ever said has been read.
    mutating func died(_ worker: WorkerID) -> [Action] {
        guard workers.remove(worker) != nil else { return [] }
        let permits = limiter.reclaim(worker).map(Self.permit)
        reports[worker] = nil
        return permits + showOldest()
    }

    // MARK: What is known of backends

    mutating func realBackendSeen(by worker: WorkerID) -> [Action] {
        guard workers.contains(worker), !realBackendSeen else { return [] }
        realBackendSeen = true
        return [.realBackendFound(by: worker)] + broadcast(.realBackendSeen, except: worker)
    }

    mutating func searched(by worker: WorkerID) -> [Action] {
        guard workers.contains(worker), !hasSearched else { return [] }
        hasSearched = true
        return workers.sorted().map { .send(worker: $0, .searched) }
    }

    mutating func observed(
        _ observation: ModelObservation, by worker: WorkerID, at now: WallTime
    ) -> [Action] {
        guard workers.contains(worker), observations.take(observation, at: now) else { return [] }
        return broadcast(.observation(observation), except: worker)
    }

    mutating func capabilitiesInvalidated(
        of backend: BackendID, before moment: WallTime, by worker: WorkerID, at now: WallTime
    ) -> [Action] {
        guard workers.contains(worker) else { return [] }
        observations.forgetRefusals(of: backend, before: moment, at: now)
        // Sent on even when nothing of it is kept here: what a worker has just said may be on its way.
        return broadcast(.capabilitiesInvalidated(backend: backend, before: moment), except: worker)
    }

    mutating func reported(_ report: String, by worker: WorkerID) -> [Action] {
        guard workers.contains(worker) else { return [] }
        reports[worker] = report
        return showOldest()
    }

    // MARK: Permits

    mutating func acquire(
        _ number: UInt64, of backend: BackendID, for worker: WorkerID
    ) throws(ProtocolViolation) -> [Action] {
        guard workers.contains(worker) else { return [] }
        let ticket = ConcurrencyLimiter.Ticket(worker: worker, number: number)
        do throws(ConcurrencyLimiter.Refusal) {
            return try limiter.acquire(ticket, of: backend) ? [Self.permit(ticket)] : []
        } catch {
            throw ProtocolViolation("acquire: \(error)")
        }
    }

    mutating func release(_ number: UInt64, by worker: WorkerID) throws(ProtocolViolation) -> [Action] {
        guard workers.contains(worker) else { return [] }
        do throws(ConcurrencyLimiter.Refusal) {
            return try limiter.release(.init(worker: worker, number: number)).map(Self.permit)
        } catch {
            throw ProtocolViolation("release: \(error)")
        }
    }

    private static func permit(_ ticket: ConcurrencyLimiter.Ticket) -> Action {
        .send(worker: ticket.worker, .permit(ticket: ticket.number))
    }

    private func broadcast(_ message: SupervisorMessage, except source: WorkerID) -> [Action] {
        workers.sorted().filter { $0 != source }.map { .send(worker: $0, message) }
    }

    private mutating func showOldest() -> [Action] {
        guard let shown = reports.min(by: { $0.key < $1.key })?.value, shown != report else { return [] }
        report = shown
        return [.reportChanged]
    }
}
