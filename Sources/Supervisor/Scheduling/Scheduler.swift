// Where each request of the service goes, and when: the one place that decides. Pure: events in, actions out; the
// time is given. Holds: no permit is granted beyond its backend's limit; each ticket has exactly one answer
// (granted or refused) and ends once, with its report or with its worker; a dead worker's permits and questions
// come back; every collection is bounded; no arithmetic here traps.

public import Shared

public struct Scheduler: Sendable {
    /// A question, and the permit that it becomes.
    public struct Ticket: Hashable, Sendable {
        public let worker: WorkerID
        /// Chosen by the worker.
        public let number: UInt64

        public init(worker: WorkerID, number: UInt64) {
            self.worker = worker
            self.number = number
        }
    }

    /// What is configured of a backend and matters here.
    public struct Backend: Sendable, Equatable {
        public let number: BackendNumber
        public let name: String
        public var priority = 100
        public var weight = 1
        /// Nil = no limit.
        public var limit: Int?

        public init(_ number: BackendNumber, name: String) {
            self.number = number
            self.name = name
        }
    }

    public enum Action: Equatable, Sendable {
        case grant(Ticket, Grant)
        case refuse(Ticket, AdmissionRefusal)
        /// The client has sent the same request again: this older one is of no use any more.
        case supersede(Ticket)
        /// `condition(of:)` is another one: all workers have to know.
        case conditionChanged(BackendNumber)
        case modelConditionChanged(BackendNumber, ModelDigest, isOpen: Bool)
        /// For the journal.
        case changed(StateChange)
    }

    /// One line of the journal.
    public struct StateChange: Equatable, Sendable {
        public enum What: Equatable, Sendable {
            /// Checks: it answers now, or does not.
            case up
            case down(reason: String)
            /// The breaker.
            case opened(failures: Int, rest: Duration)
            case halfOpened
            case closed
            /// It changes too often to be told each time: how many changes were kept back.
            case flapping(changes: Int)
        }

        public let backend: BackendNumber
        /// Nil = the backend as a whole.
        public let model: ModelDigest?
        public let what: What

        public init(_ backend: BackendNumber, model: ModelDigest? = nil, _ what: What) {
            self.backend = backend
            self.model = model
            self.what = what
        }
    }

    /// Why a message of a worker is not permitted.
    public enum Violation: Error, Equatable {
        case ticketInUse(UInt64)
        case unknownTicket(UInt64)
        case unknownBackend(BackendNumber)
        case tooManyTickets
    }

    private enum State {
        case waiting(AdmissionQuestion)
        case granted(BackendNumber)
        case refused
    }

    private let settings: Configuration.Service
    /// One exchange holds or awaits one ticket, so more than a worker has slots is a fault of the worker.
    private let ticketsPerWorker: Int
    private var backends: [BackendNumber: Backend] = [:]
    private var tickets: [Ticket: State] = [:]
    private var inFlight: [BackendNumber: Int] = [:]
    private var order: [Ticket] = []

    public init(_ settings: Configuration.Service, ticketsPerWorker: Int) {
        self.settings = settings
        self.ticketsPerWorker = ticketsPerWorker
    }

    // MARK: Backends

    /// There is this backend, or it has these settings from now on. Permits that are out stay out.
    public mutating func apply(_ backend: Backend, at now: MonotonicInstant) -> [Action] {
        backends[backend.number] = backend
        return grantWaiting(at: now)
    }

    /// It is not configured any more.
    public mutating func remove(_ backend: BackendNumber, at now: MonotonicInstant) -> [Action] {
        backends[backend] = nil
        return []
    }

    /// The prober has asked it.
    public mutating func checked(
        _ backend: BackendNumber, _ result: CheckResult, at now: MonotonicInstant
    ) -> [Action] { [] }

    /// How it fares, for all workers.
    public func condition(of backend: BackendNumber, at now: MonotonicInstant) -> BackendCondition {
        BackendCondition(backend, .up, isOpen: true)
    }

    // MARK: Requests

    public mutating func admit(
        _ ticket: Ticket, _ question: AdmissionQuestion, at now: MonotonicInstant
    ) throws(Violation) -> [Action] {
        try add(ticket, .waiting(question))
        order.append(ticket)
        return grantWaiting(at: now)
    }

    /// A worker has sent it to its only candidate without having asked.
    public mutating func began(
        _ ticket: Ticket, _ question: AdmissionQuestion, at now: MonotonicInstant
    ) throws(Violation) -> [Action] {
        guard let only = question.candidates.first else { throw .unknownTicket(ticket.number) }
        try add(ticket, .granted(only.backend))
        inFlight[only.backend, default: 0] &+= 1
        return []
    }

    /// The first byte of an answer, where the grant was a trial.
    public mutating func answered(_ ticket: Ticket, at now: MonotonicInstant) throws(Violation) -> [Action] {
        guard tickets[ticket] != nil else { throw .unknownTicket(ticket.number) }
        return []
    }

    /// The end of what was granted or begun, or a question withdrawn.
    public mutating func ended(
        _ ticket: Ticket, _ report: AttemptReport, at now: MonotonicInstant
    ) throws(Violation) -> [Action] {
        guard let state = tickets.removeValue(forKey: ticket) else { throw .unknownTicket(ticket.number) }
        end(ticket, state)
        return grantWaiting(at: now)
    }

    /// Where the ticket's request is now; nil while it waits, and when there is no such ticket.
    public func backend(of ticket: Ticket) -> BackendNumber? {
        if case .granted(let backend)? = tickets[ticket] { backend } else { nil }
    }

    /// An exchange that was refused before any backend was chosen.
    public mutating func refused(client: String, at now: MonotonicInstant) {}

    /// All it held and asked for comes back.
    public mutating func died(_ worker: WorkerID, at now: MonotonicInstant) -> [Action] {
        for (ticket, state) in tickets where ticket.worker == worker {
            tickets[ticket] = nil
            end(ticket, state)
        }
        return grantWaiting(at: now)
    }

    // MARK: Time

    /// What is due: waits that are over, rests that have ended.
    public mutating func tick(at now: MonotonicInstant) -> [Action] { [] }

    /// When `tick` has something to do at the latest; nil = nothing is to come.
    public var nextDeadline: MonotonicInstant? { nil }

    // MARK: The rest is to be replaced

    private mutating func add(_ ticket: Ticket, _ state: State) throws(Violation) {
        guard tickets[ticket] == nil else { throw .ticketInUse(ticket.number) }
        guard tickets.keys.count(where: { $0.worker == ticket.worker }) < ticketsPerWorker else {
            throw .tooManyTickets
        }
        tickets[ticket] = state
    }

    private mutating func end(_ ticket: Ticket, _ state: State) {
        switch state {
        case .waiting: order.removeAll { $0 == ticket }
        case .granted(let backend): inFlight[backend, default: 0] &-= 1
        case .refused: break
        }
    }

    private mutating func grantWaiting(at now: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        for ticket in order {
            guard case .waiting(let question)? = tickets[ticket] else { continue }
            let free = question.candidates.first { candidate in
                guard let backend = backends[candidate.backend] else { return false }
                return inFlight[candidate.backend, default: 0] < backend.limit ?? .max
            }
            guard let free else { continue }
            tickets[ticket] = .granted(free.backend)
            inFlight[free.backend, default: 0] &+= 1
            actions.append(.grant(ticket, Grant(free.backend, .order)))
        }
        order.removeAll { ticket in
            if case .waiting = tickets[ticket] { false } else { true }
        }
        return actions
    }
}
