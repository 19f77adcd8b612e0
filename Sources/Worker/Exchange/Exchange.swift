// The journey of one POST /v1/messages: parse, route, convert, send, translate back, answer, remember.
// The only place that knows all steps; each step takes a value and gives one. Holds: exactly one answer
// and one journal entry; the upstream is cancelled in the turn in which the client is seen gone.

internal import EventLoop
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

    init(_ request: Request, _ answer: Answer, on connection: Connection, of server: Server) {
        self.request = request
        self.answer = answer
        self.connection = connection
        self.server = server
        record = ExchangeRecord(requestID: answer.requestID, begun: request.receivedAt)
    }

    func run() async {
        server.counters.exchanges &+= 1
        let ending = await journey()
        server.counters.exchanges &-= 1
        remember(ending)
    }

    private func journey() async -> ExchangeRecord.Ending {
        do throws(ClientError) {
            let message = try MessagesRequest(parsing: request.body)
            record.requestedModel = message.model
            record.streaming = message.stream
            if let local = message.localAnswer { return answerLocally(local, message) }
            return try await tryRoutes(try await routes(for: message.model), message)
        } catch {
            answer.send(error)
            return .refused(error)
        }
    }

    private func routes(for model: String) async throws(ClientError) -> [Route] {
        guard let catalogue = server.catalogue else { throw Self.notReady }
        do throws(RoutingFailure) {
            return try await catalogue.routes(for: model)
        } catch {
            throw error.clientError
        }
    }

    private static let notReady = ClientError(
        status: 529, kind: .overloaded, message: "No backend is available yet.", retryAfter: 1)

    /// One backend after the other, until one has decided. Throws when the request itself cannot be sent.
    private func tryRoutes(
        _ routes: [Route], _ message: MessagesRequest
    ) async throws(ClientError) -> ExchangeRecord.Ending {
        var last: (failure: ClientError, outcome: Outcome)?
        for route in routes {
            guard let destination = destination(of: route) else { continue }
            record.attempts += 1
            record.backend = destination.name
            record.model = destination.model
            let call = try message.converted(for: destination.target)
            record.omissions = call.omissions.map(\.path)
            answer.fields = destination.fields(omissions: record.omissions)
            let attempt = Attempt(destination, call, request, message, answer, connection, server)
            let outcome = await attempt.run()
            record.usage = attempt.usage
            record.repairs = attempt.repairs
            record.cause = attempt.cause
            guard let failure = attempt.undecidedFailure else { return .ended(outcome) }
            last = (failure, outcome)
            guard Failover.mayTryNext(failure, anythingSent: !answer.isOpen) else { break }
        }
        guard let last else { throw Self.notReady }
        answer.send(last.failure)
        return .ended(last.outcome)
    }

    private func destination(of route: Route) -> Destination? {
        switch route.destination {
        case .demo: .demo
        case .backend: server.catalogue?.access(route).map(Destination.backend)
        }
    }

    /// Answers what no backend has to see.
    private func answerLocally(_ local: LocalAnswer, _ message: MessagesRequest)
        -> ExchangeRecord.Ending
    {
        record.backend = Self.ownName
        answer.fields = [.init("x-dragoman-backend", Self.ownName)]
        record.usage.input = message.estimatedInputTokens
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

    /// What answered when no backend did.
    private static let ownName = "dragoman"

    private func remember(_ ending: ExchangeRecord.Ending) {
        server.counters.served &+= 1
        if ending.isFailure { server.counters.failed &+= 1 }
        server.counters.inputTokens &+= UInt64(clamping: record.usage.input)
        server.counters.outputTokens &+= UInt64(clamping: record.usage.output)
        let fields = record.fields(
            ending, status: answer.status, firstByteAt: answer.firstByteAt, now: .now)
        if ending.level == .warning {
            server.log.warning(.exchange, fields)
        } else {
            server.log.info(.exchange, fields)
        }
    }
}
