// The journey of one request for an answer, by either door: parse, route, convert, send, translate back,
// answer, remember. The only place that knows all steps; each step takes a value and gives one. Holds: exactly
// one answer and one journal entry; the upstream is cancelled in the turn in which the client is seen gone.

internal import EventLoop
internal import Glibc
internal import HTTP
internal import Shared
internal import Translation
internal import Upstream

@Loop
final class Exchange {
    private let request: Request
    private let answer: Answer
    private let connection: Connection
    private let server: Server
    private var record: ExchangeRecord
    /// The parsed request, as long as another backend may still be tried with it.
    private var message: ClientRequest?
    private var routes: ArraySlice<Route> = []
    /// The route in use, and whether its backend is to be asked once more.
    private var route: Route?
    private var asksAgain = false
    private var retry = FeatureRetry()
    /// The backend in use had nothing to say in a stream: it is asked for the whole answer.
    private var asksWhole = false
    private var counts = PromptCounts()
    /// Of the backend in use: kept out of the journal.
    private var secret = BackendSecret([])
    /// The failed attempt whose words the client gets when no other succeeds.
    private var failed: FailedAttempt?
    /// What the backend's count of the prompt will be compared with.
    private var sentPrompt: SentPrompt?

    init(_ request: Request, _ answer: Answer, on connection: Connection, of server: Server) {
        self.request = request
        self.answer = answer
        self.connection = connection
        self.server = server
        record = ExchangeRecord(
            requestID: answer.requestID, begun: request.receivedAt, peer: connection.peer)
    }

    func run() async {
        server.exchangeBegan()
        let ending = await journey()
        server.exchangeEnded()
        remember(ending)
    }

    // What is large lives in functions that do not suspend: the frames of this one and of `run` stay small
    // for as long as the stream lasts, thousands at a time.
    private func journey() async -> ExchangeRecord.Ending {
        if let ending = request.isLarge ? await parseInSteps() : parse(RequestBody(request.body)) {
            return ending
        }
        if let ending = await findRoutes() { return ending }
        if hasDocumentsToRead { await readDocuments() }
        while true {
            if request.isLarge { await Loop.yield() }
            // Who left while waiting for a slot or for room costs no backend anything.
            if connection.socket.hasLeft { return .ended(.cancelled) }
            if server.isCut { return refuse(.stopping) }
            switch nextAttempt() {
            case .refused(let error): return refuse(error)
            case .count: await countPrompt()
            case .attempt(let attempt):
                let outcome = await attempt.run()
                if let ending = judge(attempt, outcome) { return ending }
            }
        }
    }

    // MARK: Steps

    private func parseInSteps() async -> ExchangeRecord.Ending? {
        await Loop.yield()
        let body = RequestBody(request.body)
        await Loop.yield()
        return parse(body)
    }

    /// JSON to a typed request.
    private func parse(_ body: RequestBody) -> ExchangeRecord.Ending? {
        do throws(ClientError) {
            let message = try ClientRequest(
                reading: body, at: answer.door, head: MessagesHead(request.head))
            record.requestedModel = message.model
            connection.note(requestedModel: message.model)
            record.streaming = message.stream
            self.message = message
            return nil
        } catch {
            return refuse(error)
        }
    }

    /// The model's name to the backends to try; answers what no backend has to see.
    private func findRoutes() async -> ExchangeRecord.Ending? {
        guard let catalogue = server.catalogue, let message else { return refuse(Self.notReady) }
        do throws(RoutingFailure) {
            routes = try await catalogue.routes(for: message.model)[...]
        } catch {
            return message.localAnswer.map { answer($0, message) } ?? refuse(error.clientError)
        }
        guard let local = message.localAnswer else { return nil }
        // A backend that speaks the client's API decides itself.
        let isRelayed = routes.first.flatMap(destination)?.relays(message.door) == true
        return isRelayed ? nil : answer(local, message)
    }

    /// Documents that one of the backends does not take as they are.
    private var hasDocumentsToRead: Bool {
        guard server.documents.canRead, let message, !message.pdfs.isEmpty else { return false }
        return routes.contains { route in
            guard let destination = destination(of: route) else { return false }
            return !destination.target(for: message.door).profile.pdfFiles
                && !destination.relays(message.door)
        }
    }

    /// Gives the documents their words; those that cannot be read stay named as left out. A client that
    /// leaves meanwhile is noticed by the attempt that follows.
    private func readDocuments() async {
        guard let pdfs = message?.pdfs else { return }
        let socket = connection.socket
        let readings = await server.documents.read(pdfs, signalling: connection.wakeup) {
            socket.isGone || socket.isStalled
        }
        for case (let pdf, let reading?) in zip(pdfs, readings) { message?.read(pdf, as: reading) }
    }

    private enum Next {
        case attempt(Attempt)
        /// Whether the prompt fits is in doubt, and the backend can tell.
        case count
        case refused(ClientError)
    }

    /// The next backend, with the request in its words.
    private func nextAttempt() -> Next {
        guard let message else { return .refused(Self.notReady) }
        while let route = nextRoute() {
            guard let destination = destination(of: route) else { continue }
            if case .backend(let access) = destination,
                counts.shouldAsk(message, access, server.catalogue)
            {
                return .count
            }
            do throws(ClientError) {
                return .attempt(try attempt(destination, message))
            } catch {
                // It said what it lacks, and nothing can be asked without.
                rememberVerdicts()
                // Another backend's model may not lack it.
                let lacking = destination.target(for: answer.door).lacking
                guard !lacking.isEmpty, !routes.isEmpty else { return .refused(error) }
            }
        }
        return .refused(Self.notReady)
    }

    private func nextRoute() -> Route? {
        if asksAgain {
            asksAgain = false
            return route
        }
        retry.beginsAnew()
        asksWhole = false
        route = routes.popFirst()
        if let route {
            record.attempts += 1
            server.catalogue?.gave(route)
        }
        return route
    }

    private func countPrompt() async {
        asksAgain = true
        guard let message, let route, case .backend(let access)? = destination(of: route) else { return }
        counts.note(await server.count(message, access), for: access.index)
    }

    private func attempt(_ destination: Destination, _ message: ClientRequest) throws(ClientError)
        -> Attempt
    {
        record.backend = destination.name
        connection.note(backend: destination.name)
        record.model = destination.model
        let target = destination.target(for: answer.door)
        secret = target.backend.secret
        var call = try message.converted(for: target)
        record.isStreamed = call.plan.streamRequested
        record.omissions = call.omissions.map(\.path)
        record.historyRepairs = call.repairs
        answer.fields = destination.fields(
            omissions: record.omissions, isRelayed: call.plan.isRelayed)
        // The demo thinks when its words ask for it.
        if case .demo = destination { call.plan.showsThinking = true }
        let messageID =
            answer.door == .chat ? RequestIdentity.completion() : RequestIdentity.message()
        let reply = ClientReply(
            to: message, call, messageID: messageID, requestID: answer.requestID, created: Int(time(nil)))
        let timeouts = server.configuration.timeouts
        let timing = ExchangeTiming(
            begun: request.receivedAt, holdStatus: destination.holdStatus ?? timeouts.holdStatus)
        let source: Attempt.Source
        switch destination {
        case .demo:
            let demo = Demo(
                answering: answer.door == .chat ? call.body : request.body,
                inputTokens: message.estimatedInputTokens,
                callID: RequestIdentity.toolCall())
            source = .demo(DemoPlayback(demo, begun: Loop.now))
        case .backend(let access):
            sentPrompt = SentPrompt(access, call)
            source = .backend(
                access.index, access.request(for: call, timeouts), isLimited: access.maxConcurrent != nil)
        }
        let attempt = Attempt(source, reply, timing, streaming: message.stream, answer, connection, server) {
            // Nobody else will be asked: neither the bytes nor their tape are needed any more.
            [unowned self] in
            self.message = nil
            request.giveUpBody()
        }
        if retry.isAmended { attempt.began = { [unowned self] in rememberVerdicts() } }
        return attempt
    }

    /// The backend answers without what it had refused: it meant what it said.
    private func rememberVerdicts() {
        guard let route, case .backend(let index) = route.destination else { return }
        server.catalogue?.learn(index, route.model, retry.verdicts, of: retry.conversation)
    }

    private func learn(from attempt: Attempt) {
        guard let sentPrompt else { return }
        server.catalogue?.learn(answered: sentPrompt)
        // The count of a part says nothing of the whole.
        if let cut = attempt.promptCut {
            server.catalogue?.learn(sentPrompt.index, sentPrompt.model, cut: cut)
        } else if let reported = attempt.reportedInput {
            server.catalogue?.learn(sentPrompt, reported: reported)
        }
    }

    private func destination(of route: Route) -> Destination? {
        switch route.destination {
        case .demo: .demo
        case .backend:
            server.catalogue?.access(route).map { access in
                var access = access
                retry.amend(&access.target)
                access.target.asksWhole = asksWhole
                access.target.countedPrompt = counts.tokens(access.index)
                return .backend(access)
            }
        }
    }

    /// What an ended attempt means: the end, or (nil) that the next backend is to be tried.
    private func judge(_ attempt: Attempt, _ outcome: Outcome) -> ExchangeRecord.Ending? {
        record.usage = attempt.usage
        record.repairs = attempt.repairs
        record.cause = attempt.cause
        record.upstreamID = attempt.upstreamID.map(secret.hidden)
        if outcome == .completed {
            learn(from: attempt)
            rememberVerdicts()
        }
        guard let failure = attempt.undecidedFailure else { return .ended(outcome) }
        if let refused = attempt.refused, retry.takes(refused, of: message?.conversation ?? 0) {
            record.retriedWithout = retry.all
            asksAgain = true
            return nil
        }
        if attempt.saidNothing, record.isStreamed, !asksWhole {
            // Some servers fail inside their stream and say why only to those who ask without one.
            asksWhole = true
            asksAgain = true
            return nil
        }
        let this = FailedAttempt(
            failure, outcome, isPersistent: attempt.isPersistent, fields: answer.fields, record)
        guard !server.isCut, Failover.mayTryNext(failure, anythingSent: !answer.isOpen) else {
            return tell(this)
        }
        let worthTelling = failed.map { Failover.worthTelling($0, this) } ?? this
        guard routes.isEmpty else {
            failed = worthTelling
            return nil
        }
        return tell(worthTelling)
    }

    private func tell(_ attempt: FailedAttempt) -> ExchangeRecord.Ending {
        let (attempts, retriedWithout) = (record.attempts, record.retriedWithout)
        record = attempt.record
        record.attempts = attempts
        record.retriedWithout = retriedWithout
        answer.fields = attempt.fields
        let told = Failover.told(attempt.failure, isPersistent: attempt.isPersistent)
        answer.send(told)
        return .ended(told == attempt.failure ? attempt.outcome : .upstreamFailed(told))
    }

    // MARK: Answers of our own

    private static let notReady = ClientError(
        529, .overloaded, "No backend is available yet.", retryAfter: 1)

    /// What answered when no backend did.
    private static let ownName = "dragoman"

    private func refuse(_ error: ClientError) -> ExchangeRecord.Ending {
        answer.send(error)
        return .refused(error)
    }

    private func answer(_ local: LocalAnswer, _ message: ClientRequest) -> ExchangeRecord.Ending {
        record.backend = Self.ownName
        record.usage.input = message.estimatedInputTokens
        answer.fields = [.init("x-dragoman-backend", Self.ownName)]
        let body = local.body(
            messageID: RequestIdentity.message(), model: message.model, streaming: message.stream,
            inputTokens: message.estimatedInputTokens)
        if message.stream {
            answer.beginStream()
            answer.endStream(body)
        } else {
            answer.send(200, body: body)
        }
        return .ended(.completed)
    }

    // MARK: The record

    private func remember(_ ending: ExchangeRecord.Ending) {
        server.counters.served &+= 1
        if ending.isFailure { server.counters.failed &+= 1 }
        server.counters.inputTokens &+= UInt64(clamping: record.usage.input)
        server.counters.outputTokens &+= UInt64(clamping: record.usage.output)
        guard server.log.takes(ending.level) else { return }
        record.client = connection.client
        let fields = record.fields(
            ending, status: answer.status, firstByteAt: answer.firstByteAt, now: .now)
        if ending.level == .warning {
            server.log.warning(.exchange, fields)
        } else {
            server.log.info(.exchange, fields)
        }
    }
}

extension MessagesHead {
    /// What of a request's head a backend of the same API gets to see.
    init(_ head: RequestHead) {
        let isBeta = head.query?.split(separator: "&").contains("beta=true") == true
        self.init(
            version: head.fieldText("anthropic-version"), betas: head.fieldTexts("anthropic-beta"),
            isBeta: isBeta)
    }
}
