// Where each request of the service goes, and when: the one place that decides. Pure: events in, actions out; the
// time is given. Holds: no permit is granted beyond its backend's limit; each ticket has exactly one answer
// (granted, refused or superseded) and ends once, with its report or with its worker; a dead worker's permits and
// questions come back; every collection is bounded; no arithmetic here traps.
//
// This file has its words and its events. How a backend is chosen stands in Scheduler+Choice, what each would cost in
// Scheduler+Costs, who waits in Scheduler+Queue, whose turn it is in Scheduler+Turns, what a grant and an end mean in
// Scheduler+Permits, and health in Scheduler+Health.

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

    /// Highest number of a backend; a higher one is not known here.
    static let maximumBackends = 4096

    enum Entry: Sendable {
        /// With its place in `waiters`.
        case waiting(Int)
        case granted(Permit)
        /// Refused, or superseded while it waited: its worker has not ended it yet.
        case over
    }

    /// What makes two requests the same one.
    struct ResentKey: Hashable, Sendable {
        let client: Int
        let session: UInt64
        let agent: UInt64
        let fingerprint: UInt64
    }

    var settings: Configuration.Service
    /// One exchange holds or awaits one ticket, so more than a worker has slots is a fault of the worker.
    let ticketsPerWorker: Int
    /// By number; nil-like holes are records that are not present.
    var records: [BackendRecord] = []
    var tickets: [WorkerID: [UInt64: Entry]] = [:]
    var resent: [ResentKey: Ticket] = [:]
    var ledger = ClientLedger()

    var waiters: [Waiter] = []
    var nextSequence: UInt64 = 0
    /// Grants of asked tickets so far, and whose the last one was.
    var grants: UInt64 = 0
    var lastGranted = ""

    var conversations: RecentTable<ConversationKey, Conversation>
    var prefixes = PrefixIndex()
    var affinityHits: UInt64 = 0
    var affinityMoves: UInt64 = 0

    /// Used again for each decision.
    var scratch = Scratch()
    /// Something changed that may matter for any who wait.
    var isUnsettled = false
    /// Not later than the first thing that `tick` has to do.
    var due: MonotonicInstant?

    public init(_ settings: Configuration.Service, ticketsPerWorker: Int) {
        self.settings = settings
        self.ticketsPerWorker = ticketsPerWorker
        conversations = RecentTable(limit: settings.affinity?.sessions ?? 1)
    }

    // MARK: Backends

    /// There is this backend, or it has these settings from now on. Permits that are out stay out.
    public mutating func apply(_ backend: Backend, at now: MonotonicInstant) -> [Action] {
        let place = Int(backend.number.value)
        guard place < Self.maximumBackends else { return [] }
        var actions: [Action] = []
        while records.count <= place {
            var hole = BackendRecord(Backend(BackendNumber(UInt16(clamping: records.count)), name: ""))
            hole.isPresent = false
            hole.refresh()
            records.append(hole)
            recount(records.count - 1)
        }
        if !records[place].isPresent {
            // What is still out of an earlier life comes back here.
            let inFlight = records[place].inFlight
            records[place] = BackendRecord(backend)
            records[place].inFlight = inFlight
            records[place].bit = freeBit()
            recount(place)
        } else {
            records[place].apply(backend)
        }
        isUnsettled = true
        settle(place, at: now, &actions)
        dispatch(after: place, at: now, &actions)
        return actions
    }

    /// It is not configured any more.
    public mutating func remove(_ backend: BackendNumber, at now: MonotonicInstant) -> [Action] {
        guard let place = place(of: backend) else { return [] }
        var actions: [Action] = []
        if let bit = records[place].bit { prefixes.forget(bit: bit) }
        records[place].bit = nil
        records[place].isPresent = false
        records[place].models = []
        records[place].refresh()
        isUnsettled = true
        refuseThoseWithoutBackend(at: now, &actions)
        dispatch(after: place, at: now, &actions)
        return actions
    }

    /// What a backend has, as the prober has found it.
    /// - Parameters:
    ///   - models: how many it lists, so that "all its models fail" has a meaning.
    ///   - slots: caches that it has, each for one conversation; nil = it does not show them.
    public mutating func listed(_ backend: BackendNumber, models: Int, slots: Int?) {
        guard let place = place(of: backend) else { return }
        records[place].listed = models
        guard records[place].slots?.count != slots.map({ min(max($0, 0), SlotTable.maximum) }) else { return }
        records[place].slots = slots.flatMap { $0 > 0 ? SlotTable(count: $0) : nil }
    }

    /// The prober has asked it.
    public mutating func checked(
        _ backend: BackendNumber, _ result: CheckResult, at now: MonotonicInstant
    ) -> [Action] {
        guard let place = place(of: backend) else { return [] }
        var actions: [Action] = []
        advance(at: now, &actions)
        check(place, result, at: now, &actions)
        dispatch(after: place, at: now, &actions)
        return actions
    }

    /// How it fares, for all workers.
    public func condition(of backend: BackendNumber, at now: MonotonicInstant) -> BackendCondition {
        place(of: backend).map { records[$0].condition(at: now) }
            ?? BackendCondition(backend, .unknown, isOpen: false)
    }

    /// Models of it that fare otherwise than the rest of it.
    public func closedModels(of backend: BackendNumber) -> [ModelDigest] {
        place(of: backend).map { records[$0].models.filter { !$0.isToldOpen }.map(\.model) } ?? []
    }

    // MARK: Requests

    public mutating func admit(
        _ ticket: Ticket, _ question: AdmissionQuestion, at now: MonotonicInstant
    ) throws(Violation) -> [Action] {
        try check(ticket)
        var actions: [Action] = []
        advance(at: now, &actions)
        let client = ledger.place(of: question.client, at: now)
        ledger.count(client) { view in
            if question.failures == 0 { view.requests &+= 1 }
        }
        supersede(ticket, question, client, &actions)
        ask(ticket, question, client, at: now, &actions)
        return actions
    }

    /// A worker has sent it to its only candidate without having asked.
    public mutating func began(
        _ ticket: Ticket, _ question: AdmissionQuestion, at now: MonotonicInstant
    ) throws(Violation) -> [Action] {
        guard let only = question.candidates.first else { throw .unknownTicket(ticket.number) }
        guard Int(only.backend.value) < records.count else { throw .unknownBackend(only.backend) }
        try check(ticket)
        var actions: [Action] = []
        let client = ledger.place(of: question.client, at: now)
        ledger.count(client) { view in
            if question.failures == 0 { view.requests &+= 1 }
        }
        supersede(ticket, question, client, &actions)
        take(told: ticket, question, client, at: now)
        return actions
    }

    /// The first byte of an answer, where the grant was a trial.
    public mutating func answered(_ ticket: Ticket, at now: MonotonicInstant) throws(Violation) -> [Action] {
        guard let entry = tickets[ticket.worker]?[ticket.number] else { throw .unknownTicket(ticket.number) }
        guard case .granted(let permit) = entry else { return [] }
        var actions: [Action] = []
        advance(at: now, &actions)
        proveWell(permit, at: now, &actions)
        dispatch(after: permit.place, at: now, &actions)
        return actions
    }

    /// The end of what was granted or begun, or a question withdrawn.
    public mutating func ended(
        _ ticket: Ticket, _ report: AttemptReport, at now: MonotonicInstant
    ) throws(Violation) -> [Action] {
        guard let entry = tickets[ticket.worker]?.removeValue(forKey: ticket.number) else {
            throw .unknownTicket(ticket.number)
        }
        var actions: [Action] = []
        // Before what is due: that grants what waits, and moves it.
        end(ticket, entry, report, at: now, &actions)
        advance(at: now, &actions)
        return actions
    }

    /// Where the ticket's request is now; nil while it waits, and when there is no such ticket.
    public func backend(of ticket: Ticket) -> BackendNumber? {
        guard case .granted(let permit)? = tickets[ticket.worker]?[ticket.number] else { return nil }
        return records[permit.place].settings.number
    }

    /// An exchange that was refused before any backend was chosen.
    public mutating func refused(client: String, at now: MonotonicInstant) {
        ledger.count(ledger.place(of: client, at: now)) { view in view.requests &+= 1 }
    }

    /// All it held and asked for comes back.
    public mutating func died(_ worker: WorkerID, at now: MonotonicInstant) -> [Action] {
        guard let lost = tickets.removeValue(forKey: worker) else { return [] }
        var actions: [Action] = []
        // First the questions, so that no permit that comes back is granted to the dead worker again. Removing one
        // moves another, so the places are looked up anew.
        var position = 0
        while position < waiters.count {
            if waiters[position].ticket.worker == worker {
                forget(waiters[position].ticket, waiters[position].question, waiters[position].client)
                removeWaiter(position)
            } else {
                position &+= 1
            }
        }
        for case (let number, .granted(let permit)) in lost.sorted(by: { $0.key < $1.key }) {
            let ticket = Ticket(worker: worker, number: number)
            end(ticket, .granted(permit), AttemptReport(.notSent), at: now, &actions)
        }
        isUnsettled = true
        dispatch(after: nil, at: now, &actions)
        return actions
    }

    // MARK: Time

    /// What is due: waits that are over, rests that have ended.
    public mutating func tick(at now: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        advance(at: now, &actions)
        return actions
    }

    /// When `tick` has something to do at the latest; nil = nothing is to come.
    public var nextDeadline: MonotonicInstant? { due }

    // MARK: Common

    /// Nil: not known, or not configured any more.
    func place(of backend: BackendNumber) -> Int? {
        let place = Int(backend.value)
        return place < records.count && records[place].isPresent ? place : nil
    }

    private func freeBit() -> Int? {
        var taken: UInt64 = 0
        for record in records { if let bit = record.bit { taken |= 1 << UInt64(bit) } }
        let bit = (~taken).trailingZeroBitCount
        return bit < PrefixIndex.backends ? bit : nil
    }

    private mutating func check(_ ticket: Ticket) throws(Violation) {
        if let held = tickets[ticket.worker] {
            guard held[ticket.number] == nil else { throw .ticketInUse(ticket.number) }
            guard held.count < ticketsPerWorker else { throw .tooManyTickets }
        }
    }

    /// Something is to be done then.
    mutating func lower(to moment: MonotonicInstant) {
        due = due.map { min($0, moment) } ?? moment
    }
}
