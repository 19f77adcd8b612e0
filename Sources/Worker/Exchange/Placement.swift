// Where one request goes: its candidates, the question to the service and its answer, the backends that have
// failed it. Holds: a ticket that was opened ends once; a backend is asked for the same request in one place only;
// no more backends are asked than `failover` allows.

internal import EventLoop
internal import Routing
internal import Shared
internal import Translation

@Loop
final class Placement {
    enum Step {
        case at(Route)
        case waiting
        /// No backend is left to be asked; nil = for nothing that the service has said.
        case nowhere(Failure?)
    }

    private struct Candidate {
        let route: Route
        /// Nil = the demo, which nobody counts.
        let known: BackendCandidate?
        /// It wants to be left alone for a while, which the service may not have told all workers yet.
        var rests = false
    }

    private let context: ExchangeContext
    private let wakeup: Wakeup
    private var candidates: [Candidate] = []
    /// What it was given, as long as nothing else has been tried.
    private var routed: [Route] = []
    /// There was more than one to choose from.
    private var hadChoice = false
    /// What `route` was taken from.
    private var taken: Candidate?
    /// Not nil while a backend is to be asked, or is being asked.
    private(set) var route: Route?
    /// Not nil from the question until what it led to has ended.
    private(set) var ticket: AdmissionTicket?
    private var budget: FailoverBudget
    /// Of the backend's caches the one to use; nil = it chooses.
    var slot: Int? {
        if case .granted(let grant)? = ticket?.state { grant.slot.map(Int.init) } else { nil }
    }
    /// For the journal and for the head of the answer.
    private(set) var story = PlacementStory()
    /// The service knows of this request.
    private(set) var wasTold = false

    init(_ context: ExchangeContext, signalling wakeup: Wakeup) {
        self.context = context
        self.wakeup = wakeup
        budget = FailoverBudget(context.configuration.service.failover)
    }

    /// Where it may go, the preferred first.
    func begin(_ routes: [Route], _ message: ClientRequest) {
        routed = routes
        candidates = known(routes)
        if candidates.count > AdmissionQuestion.maximumCandidates {
            candidates.removeLast(candidates.count - AdmissionQuestion.maximumCandidates)
        }
        hadChoice = candidates.count > 1
        guard hadChoice, !routes.allSatisfy({ message.surelyFits($0.contextWindow) }) else { return }
        // A backend whose model cannot take it is none, if another's can.
        let fitting = candidates.filter { candidate in
            context.registry.access(candidate.route).map { message.fits($0.target) } ?? true
        }
        if !fitting.isEmpty { candidates = fitting }
    }

    private func known(_ routes: [Route]) -> [Candidate] {
        routes.compactMap { route in
            guard case .backend = route.destination else { return Candidate(route: route, known: nil) }
            return context.registry.candidate(of: route).map { Candidate(route: route, known: $0) }
        }
    }

    /// All routes that are left, the present one among them.
    var routes: [Route] { candidates.map(\.route) + [route].compactMap(\.self) }
    var isLast: Bool { candidates.isEmpty || !budget.allowsAnother(at: Loop.now) }
    var isSuperseded: Bool { ticket?.isSuperseded == true }
    /// Until when its answer is waited for, where that is not for the service to say.
    var deadline: Instant { budget.deadline ?? .distantFuture }

    /// How much has to be known of a request.
    enum Detail {
        /// It goes to its only backend: who it is.
        case identity
        /// It waits for its only backend: also how urgent it is.
        case urgency
        /// A backend is to be chosen: also what its prompt begins with.
        case prompt
    }

    /// Goes on as far as it can without waiting.
    /// - Parameter question: the request as the service has to know it, but for the candidates.
    func step(_ question: (Detail) -> AdmissionQuestion) -> Step {
        if let route { return .at(route) }
        if let ticket { return heard(ticket) }
        guard let first = candidates.first, budget.allowsAnother(at: Loop.now) else { return .nowhere(nil) }
        guard let only = first.known else {
            story.note(reason: budget.failures == 0 ? .name : .failover)
            return take(first.route)
        }
        let isAlone = candidates.count == 1
        let isOpen = isAlone && !first.rests && context.registry.isOpen(first.route)
        var asked = question(isOpen ? .identity : isAlone ? .urgency : .prompt)
        asked.failures = UInt8(clamping: budget.failures)
        wasTold = true
        guard isOpen else {
            asked.candidates = candidates.compactMap(\.known)
            ticket = context.admissions.admit(asked, signalling: wakeup)
            return .waiting
        }
        asked.candidates = [only]
        ticket = context.admissions.tell(asked, signalling: wakeup)
        story.note(reason: budget.failures == 0 ? .name : .failover)
        return take(first.route)
    }

    private func heard(_ ticket: AdmissionTicket) -> Step {
        switch ticket.state {
        case .told: return .nowhere(nil)
        case .waiting:
            guard deadline <= Loop.now else { return .waiting }
            end(AttemptReport(.notSent))
            return .nowhere(nil)
        case .granted(let grant):
            guard let candidate = candidates.first(where: { $0.known?.backend == grant.backend }) else {
                end(AttemptReport(.notSent))
                return .nowhere(.gateway(.notReady))
            }
            story.note(grant, waited: ticket.waited, names: context.registry.name(of:))
            return take(candidate.route)
        case .refused(let refusal):
            story.note(waited: ticket.waited)
            var report = AttemptReport(.notSent)
            report.isFailure = true
            end(report)
            return .nowhere(Failure(refusal, recentWait: context.admissions.recentWait))
        }
    }

    private func take(_ route: Route) -> Step {
        taken = candidates.first { $0.route.destination == route.destination }
        candidates.removeAll { $0.route.destination == route.destination }
        if candidates.isEmpty {
            // Who asked for `auto` rather has another model than none.
            candidates = known(context.registry.substitutes(for: routed))
            routed = []
        }
        self.route = route
        context.registry.gave(route)
        return .at(route)
    }

    /// The backend has begun to answer.
    func answered() {
        if let ticket, ticket.isTrial { context.admissions.answered(ticket) }
    }

    /// The backend has failed the request.
    /// - Parameter rest: how long it wants to be left alone; nil = it has failed otherwise. Where there was a
    ///   choice, it is asked again when no other one can answer before that.
    func noteFailure(rest: Duration?) {
        budget.noteFailure(at: Loop.now)
        guard hadChoice, let rest, var taken, Loop.now.advanced(by: rest) < deadline else { return }
        taken.rests = true
        candidates.append(taken)
    }

    /// It is over with this backend, or with waiting for one.
    func end(_ report: AttemptReport) {
        route = nil
        guard let ticket else { return }
        self.ticket = nil
        context.admissions.end(ticket, report)
    }
}

/// How many backends one request may still be given to, and until when. Pure; the time is given.
struct FailoverBudget {
    private let limits: Configuration.Failover
    private(set) var failures = 0
    /// Nil before the first failure.
    private(set) var deadline: Instant?

    init(_ limits: Configuration.Failover) { self.limits = limits }

    mutating func noteFailure(at now: Instant) {
        failures &+= 1
        if deadline == nil { deadline = now.advanced(by: limits.within) }
    }

    func allowsAnother(at now: Instant) -> Bool {
        failures < limits.attempts && deadline.map { now < $0 } ?? true
    }
}

extension Failure {
    /// Longest advice to come again, in seconds.
    private static let longestGuess = 60
    /// The advice where nobody has waited lately.
    private static let firstGuess = 5

    /// - Parameter recentWait: how long those waited that were granted last.
    init(_ refusal: AdmissionRefusal, recentWait: Duration) {
        let wait = Int(clamping: recentWait.components.seconds)
        func guess(_ seconds: Int) -> Int {
            wait == 0 ? Self.firstGuess : min(max(seconds, 1), Self.longestGuess)
        }
        self =
            switch refusal {
            // By then half of those that wait now will have been granted.
            case .queueFull(let waiting):
                .gateway(.queueFull(waiting: Int(waiting), retryAfter: guess(wait / 2)))
            case .waitedTooLong: .gateway(.waitedTooLong(retryAfter: guess(wait)))
            case .resting(let seconds): .gateway(.resting(retryAfter: Int(seconds)))
            case .noBackend: .routing(.nothingToServe(isConfigured: true))
            }
    }
}
