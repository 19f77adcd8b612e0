// Where requests ask the service for a backend, and tell what became of them. Holds: a ticket ends exactly once,
// with its report; notices go out in the order in which things happened, and none later than `batchTime`; what
// the service says of a ticket that has ended is dropped.

internal import EventLoop
internal import Shared

@Loop
final class AdmissionDesk {
    /// How long a notice that nobody waits for may be kept, so that several go in one message.
    static let batchTime = Duration.milliseconds(20)

    private let send: @Loop (WorkerMessage) -> Void
    private var tickets: [UInt64: AdmissionTicket] = [:]
    private var lastNumber: UInt64 = 0
    private var notices: [ExchangeNotice] = []
    private lazy var timer = Timer { [weak self] in self?.flush() }
    /// How long those waited that were granted last: what newcomers have to expect.
    private(set) var recentWait = Duration.zero

    /// - Parameter send: to the supervisor.
    init(send: @escaping @Loop (WorkerMessage) -> Void) { self.send = send }

    // MARK: Requests

    /// Asks where this request may go; `wakeup` is signalled with each answer.
    func admit(_ question: AdmissionQuestion, signalling wakeup: Wakeup) -> AdmissionTicket {
        let ticket = open(.waiting, wakeup)
        // In the order in which things happen: what has ended makes room for this one.
        flush()
        send(.admit(ticket: ticket.number, question))
        return ticket
    }

    /// Tells that this request goes to its only candidate.
    func tell(_ question: AdmissionQuestion, signalling wakeup: Wakeup) -> AdmissionTicket {
        let ticket = open(.told, wakeup)
        note(.began(ticket: ticket.number, question))
        // It may be sent again through another worker: whichever comes first must be known first.
        if question.fingerprint != 0 { flush() }
        return ticket
    }

    private func open(_ state: AdmissionTicket.State, _ wakeup: Wakeup) -> AdmissionTicket {
        lastNumber &+= 1
        let ticket = AdmissionTicket(lastNumber, state, wakeup)
        tickets[lastNumber] = ticket
        return ticket
    }

    /// The backend has begun to answer a trial: others may be waiting for that.
    func answered(_ ticket: AdmissionTicket) {
        guard tickets[ticket.number] != nil else { return }
        note(.answered(ticket: ticket.number))
        flush()
    }

    /// The end of what was granted, told or refused, or a question withdrawn; once.
    func end(_ ticket: AdmissionTicket, _ report: AttemptReport) {
        guard tickets.removeValue(forKey: ticket.number) != nil else { return }
        note(.ended(ticket: ticket.number, report))
        // Somebody may wait for this place.
        if !ticket.isTold { flush() }
    }

    /// An exchange was refused before the service was asked.
    func refused(client: String) { note(.refused(client: client)) }

    private func note(_ notice: ExchangeNotice) {
        notices.append(notice)
        if notices.count >= ExchangeNotice.maximum {
            flush()
        } else if notices.count == 1 {
            timer.arm(at: Loop.now.advanced(by: Self.batchTime))
        }
    }

    /// What has not been told yet goes out now.
    func flush() {
        guard !notices.isEmpty else { return }
        timer.disarm()
        let batch = notices
        notices.removeAll(keepingCapacity: true)
        send(.notices(batch))
    }

    // MARK: From the supervisor

    func granted(_ number: UInt64, _ grant: Grant) {
        guard let ticket = tickets[number] else { return }
        ticket.answer(.granted(grant))
        recentWait = (recentWait * 7 + ticket.waited) / 8
    }

    func refused(_ number: UInt64, _ refusal: AdmissionRefusal) {
        tickets[number]?.answer(.refused(refusal))
    }

    func superseded(_ number: UInt64) { tickets[number]?.supersede() }
}

/// One question, and the place that it becomes.
@Loop
final class AdmissionTicket {
    enum State {
        case waiting
        case granted(Grant)
        case refused(AdmissionRefusal)
        /// Nobody was asked.
        case told
    }

    let number: UInt64
    private(set) var state: State
    /// The client has sent the same request again: this one is of no use any more.
    private(set) var isSuperseded = false
    private let wakeup: Wakeup
    private let begun = Loop.now
    private var answeredAt: Instant?

    fileprivate init(_ number: UInt64, _ state: State, _ wakeup: Wakeup) {
        self.number = number
        self.state = state
        self.wakeup = wakeup
    }

    var isWaiting: Bool { if case .waiting = state { true } else { false } }
    fileprivate var isTold: Bool { if case .told = state { true } else { false } }
    /// The backend is being tried after failures.
    var isTrial: Bool { if case .granted(let grant) = state { grant.isTrial } else { false } }

    /// Until the answer, or until now.
    var waited: Duration { isTold ? .zero : begun.duration(to: answeredAt ?? Loop.now) }

    fileprivate func answer(_ answer: State) {
        guard isWaiting else { return }
        state = answer
        answeredAt = Loop.now
        wakeup.signal()
    }

    fileprivate func supersede() {
        isSuperseded = true
        wakeup.signal()
    }
}
