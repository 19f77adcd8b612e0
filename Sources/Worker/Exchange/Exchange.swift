// The journey of one request for an answer, in any client API: parse, route, place, convert, send, translate
// back, answer, remember. The only place that knows all steps; each step takes a value and gives one. Holds:
// exactly one answer and one journal entry; the upstream is cancelled in the turn in which the client is seen
// gone.

internal import EventLoop
internal import Glibc
internal import HTTP
internal import Routing
internal import Shared
internal import Translation
internal import Upstream

@Loop
final class Exchange {
    private let request: Request
    private let answer: Answer
    private let connection: Connection
    private let context: ExchangeContext
    private var record: ExchangeRecord
    /// The parsed request, as long as another backend may still be tried with it.
    private var message: ClientRequest?
    /// Where it goes.
    private let placement: Placement
    /// How the backend there is asked.
    private let rounds: Rounds
    /// Of the backend in use: kept out of the journal.
    private var secret = BackendSecret([])
    /// The failed attempt whose words the client gets when no other succeeds.
    private var failed: FailedAttempt?
    /// Not nil once the client has its answer, or is gone.
    private var ending: ExchangeRecord.Ending?
    /// What the client has seen of a stream that has no answer yet.
    private var opening = ReplyOpening.nothing
    private lazy var identity = AttemptPlan.Identity(
        message: RequestIdentity.reply(answer.api), request: answer.requestID, created: Int(time(nil)))

    @inline(never)
    init(_ request: Request, _ answer: Answer, on connection: Connection, in context: ExchangeContext) {
        self.request = request
        self.answer = answer
        self.connection = connection
        self.context = context
        placement = Placement(context, signalling: connection.wakeup)
        rounds = Rounds(context.registry)
        record = ExchangeRecord(
            requestID: answer.requestID, begun: request.receivedAt, peer: connection.peer)
    }

    func run() async {
        context.exchangeBegan()
        await journey()
        placement.end(AttemptReport(.notSent))
        context.exchangeEnded()
        remember()
    }

    // The frames of this function and of those that wait for it live as long as a stream, thousands at a
    // time: what is large (requests, errors, endings) stays in functions that neither suspend nor are
    // inlined.
    private func journey() async {
        if request.isLarge { await parseInSteps() } else { parse() }
        await context.registry.waitForFirstRound()
        findRoutes()
        if hasDocumentsToRead() { await readDocuments() }
        while true {
            if request.isLarge { await Loop.yield() }
            switch nextStep() {
            case .end: return
            case .wait: await waitForPlace()
            case .count: await countPrompt()
            case .attempt(let attempt):
                await attempt.run()
                conclude(attempt)
            }
        }
    }

    private var isOver: Bool { if case .some = ending { true } else { false } }

    // MARK: Steps

    @inline(never)
    private func parseInSteps() async {
        await Loop.yield()
        let body = RequestBody(request.body)
        await Loop.yield()
        read(body)
    }

    @inline(never)
    private func parse() { read(RequestBody(request.body)) }

    /// JSON to a typed request.
    private func read(_ body: RequestBody) {
        do throws(Failure) {
            let message = try ClientRequest(
                reading: body, at: answer.api, head: MessagesHead(request.head))
            record.requestedModel = message.model
            connection.note(requestedModel: message.model)
            record.streaming = message.stream
            self.message = message
        } catch {
            refuse(error)
        }
    }

    /// The model's name to the backends to try; answers what no backend has to see.
    @inline(never)
    private func findRoutes() {
        guard !isOver else { return }
        guard let message else { return refuse(.gateway(.notReady)) }
        let routes: [Route]
        do throws(RoutingFailure) {
            routes = try context.registry.settledRoutes(for: message.model)
        } catch {
            guard let local = message.localAnswer else { return refuse(Failure(error)) }
            return answer(local, message)
        }
        placement.begin(routes, message)
        guard let local = message.localAnswer else { return }
        // A backend that speaks the client's API decides itself.
        let isPassthrough = placement.routes.first.flatMap(destination)?.passesThrough(message.api) == true
        if !isPassthrough { answer(local, message) }
    }

    /// Documents that one of the backends does not take as they are.
    @inline(never)
    private func hasDocumentsToRead() -> Bool {
        guard let message, !message.pdfs.isEmpty, context.documents.canRead else { return false }
        return placement.routes.contains { needsWords($0, message) }
    }

    private func needsWords(_ route: Route, _ message: ClientRequest) -> Bool {
        guard let destination = destination(of: route) else { return false }
        return !destination.target.profile.pdfFiles
            && !destination.passesThrough(message.api)
    }

    /// Gives the documents their words; those that cannot be read stay named as left out. A client that
    /// leaves meanwhile is noticed by the attempt that follows.
    @inline(never)
    private func readDocuments() async {
        guard let pdfs = message?.pdfs else { return }
        let socket = connection.socket
        let readings = await context.documents.read(pdfs, signalling: connection.wakeup) {
            socket.isGone || socket.isStalled
        }
        for case (let pdf, let reading?) in zip(pdfs, readings) { message?.read(pdf, as: reading) }
    }

    private enum Step {
        case attempt(Attempt)
        /// No backend has a place for it yet.
        case wait
        /// Whether the prompt fits is in doubt, and the backend can tell.
        case count
        /// The client has its answer, or is gone.
        case end
    }

    /// The next backend, with the request in its words.
    @inline(never)
    private func nextStep() -> Step {
        guard !isOver else { return .end }
        // A client that left while it waited for a slot or for room: no backend is asked.
        guard !hasLeft else { return .end }
        guard !context.isCut else { return end(.gateway(.stopping)) }
        guard let message else { return end(.gateway(.notReady)) }
        while true {
            let isNew = placement.route == nil
            let route: Route
            switch placement.step({ question(message, $0) }) {
            case .waiting: return .wait
            case .nowhere(let failure): return nowhere(failure)
            case .at(let place): route = place
            }
            if isNew {
                record.attempts += 1
                rounds.begin()
            }
            guard let destination = destination(of: route) else {
                placement.end(AttemptReport(.notSent))
                continue
            }
            if case .backend(let access) = destination, rounds.shouldCount(message, access) { return .count }
            do throws(Failure) {
                return .attempt(try attempt(destination, message))
            } catch {
                // Its refusals are confirmed: this request cannot be asked without what was refused.
                rounds.rememberVerdicts(at: route)
                // Another backend's model may not lack it.
                guard !destination.target.lacking.isEmpty, !placement.isLast else { return end(error) }
                placement.end(AttemptReport(.notSent))
            }
        }
    }

    private var hasLeft: Bool {
        if placement.isSuperseded {
            ending = .superseded
        } else if connection.socket.hasLeft || connection.socket.isStalled {
            ending = .ended(.cancelled)
        } else {
            return false
        }
        return true
    }

    private func end(_ failure: Failure) -> Step {
        refuse(failure)
        return .end
    }

    /// No backend is left: of what was said, the client is told what says most.
    private func nowhere(_ failure: Failure?) -> Step {
        guard let failed, !Failover.says(more: failure, than: failed) else {
            return end(failure ?? .gateway(.notReady))
        }
        finish(with: failed)
        return .end
    }

    /// The request as the service has to know it.
    @inline(never)
    private func question(_ message: ClientRequest, _ detail: Placement.Detail) -> AdmissionQuestion {
        AdmissionQuestion(request, message, client: connection.account, detail)
    }

    private func waitForPlace() async {
        guard let early = earlyStream() else { return }
        await early.wait(for: placement, in: context)
        opening = early.opening
    }

    @inline(never)
    private func earlyStream() -> EarlyStream? {
        message.map { message in
            EarlyStream(
                message, answer, on: connection, begun: request.receivedAt,
                holdStatus: context.configuration.timeouts.holdStatus, opening: opening
            ) { [unowned self] in identity }
        }
    }

    @inline(never)
    private func countPrompt() async {
        guard let message, let route = placement.route, case .backend(let access)? = destination(of: route)
        else { return }
        rounds.note(await context.count(message, access), of: access.index)
    }

    @inline(never)
    private func attempt(_ destination: Destination, _ message: ClientRequest) throws(Failure)
        -> Attempt
    {
        record.backend = destination.name
        connection.note(backend: destination.name)
        record.model = destination.model
        let target = destination.target
        secret = target.backend.secret
        let call = try destination.call(message, target)
        record.isStreamed = call.plan.streamRequested
        record.omissions = call.omissions.map(\.path)
        record.historyRepairs = call.repairs
        answer.fields =
            destination.fields(
                omissions: record.omissions, isPassthrough: call.plan.isPassthrough) + placement.story.fields
        if case .backend(let access) = destination { rounds.sent(call, to: access) }
        let plan = AttemptPlan(
            message, call, to: destination, begun: request.receivedAt, opening: opening,
            lastSent: answer.lastSentAt, identity, context.configuration.timeouts)
        let attempt = Attempt(plan, answer, connection, placement, context) {
            // No other backend will be asked: the received bytes and the parsed request are released.
            [unowned self] in
            self.message = nil
            request.giveUpBody()
        }
        if rounds.isAmended {
            attempt.began = { [unowned self] in rounds.rememberVerdicts(at: placement.route) }
        }
        return attempt
    }

    private func destination(of route: Route) -> Destination? {
        switch route.destination {
        case .demo: .demo(DemoRequest(request.body, answer.api))
        case .backend:
            context.registry.access(route).map { access in
                var access = access
                rounds.amend(&access.target, of: access.index)
                access.target.slot = placement.slot
                return .backend(access)
            }
        }
    }

    /// What an ended attempt means: the end, or that another backend is to be tried.
    @inline(never)
    private func conclude(_ attempt: Attempt) {
        guard let outcome = attempt.outcome else { return }
        note(attempt, outcome)
        if outcome.isCompleted {
            rounds.learn(from: attempt)
            rounds.rememberVerdicts(at: placement.route)
        }
        guard let failure = attempt.undecidedFailure else {
            ending = placement.isSuperseded ? .superseded : .ended(outcome)
            return leave(attempt)
        }
        let conversation = message?.conversation ?? 0
        guard !rounds.asksAgain(after: attempt, isStreamed: record.isStreamed, of: conversation) else {
            record.retriedWithout = rounds.withheld
            return
        }
        let this = FailedAttempt(failure, outcome, fields: answer.fields, record)
        guard !context.isCut, Failover.mayTryNext(failure) else {
            finish(with: this)
            return leave(attempt)
        }
        let moreInformative = failed.map { Failover.moreInformative($0, this) } ?? this
        placement.noteFailure(rest: attempt.report.verdict.rest)
        if placement.isLast {
            finish(with: moreInformative)
        } else {
            failed = moreInformative
        }
        leave(attempt)
    }

    private func note(_ attempt: Attempt, _ outcome: Outcome) {
        opening = attempt.opening
        record.usage = attempt.usage
        record.repairs = attempt.repairs
        record.cause = outcome.causeWord(attempt.seen)
        record.detail = attempt.detail
        record.upstreamID = attempt.upstreamID.map(secret.hidden)
    }

    /// It is over with this backend.
    private func leave(_ attempt: Attempt) {
        var report = attempt.report
        report.isLast = isOver
        report.isFailure = ending?.isFailure == true
        placement.end(report)
    }

    private func finish(with attempt: FailedAttempt) {
        let (attempts, retriedWithout) = (record.attempts, record.retriedWithout)
        record = attempt.record
        record.attempts = attempts
        record.retriedWithout = retriedWithout
        answer.fields = attempt.fields
        answer.fail(attempt.failure)
        ending = .ended(attempt.outcome)
    }

    // MARK: Answers of our own

    /// What answered when no backend did.
    private static let ownName = "dragoman"

    @inline(never)
    private func refuse(_ failure: Failure) {
        answer.fail(failure)
        ending = .refused(failure)
    }

    private func answer(_ local: LocalAnswer, _ message: ClientRequest) {
        record.backend = Self.ownName
        record.usage.input = message.estimatedInputTokens
        answer.fields = [.init("x-dragoman-backend", Self.ownName)]
        answer.send(local, to: message)
        ending = .ended(.completed)
    }

    // MARK: The record

    @inline(never)
    private func remember() {
        guard let ending else { return }
        if case .refused = ending, !placement.wasTold {
            context.admissions.refused(client: connection.account)
        }
        context.counters.served &+= 1
        if ending.isFailure { context.counters.failed &+= 1 }
        context.counters.inputTokens &+= UInt64(clamping: record.usage.input)
        context.counters.outputTokens &+= UInt64(clamping: record.usage.output)
        guard context.log.takes(ending.level) else { return }
        record.client = connection.client
        record.placement = placement.story
        let fields = record.fields(
            ending, status: answer.status, firstByteAt: answer.firstByteAt, now: .now)
        if ending.level == .warning {
            context.log.warning(.exchange, fields)
        } else {
            context.log.info(.exchange, fields)
        }
    }
}
