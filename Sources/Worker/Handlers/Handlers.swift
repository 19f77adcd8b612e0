// The endpoints that need no backend's answer, and the switch that leads to all of them.

internal import EventLoop
internal import HTTP
internal import Shared
internal import Translation

extension Server {
    func admit(_ head: RequestHead, scope: ListenerScope, port: () -> Int?) -> Admission {
        access.admit(head, scope: scope, port: port)
    }

    /// Answers one admitted request, whole. Its frame lives as long as a stream: nothing large is in it.
    func answer(_ request: Request, _ endpoint: Endpoint, _ answer: Answer, on connection: Connection) async {
        switch endpoint {
        case .exchange: await Exchange(request, answer, on: connection, in: context).run()
        case .countTokens: await countTokens(request, answer, on: connection)
        default: await answerAtOnce(request, endpoint, answer, on: connection)
        }
    }

    /// Answers what no model has to see.
    @inline(never)
    private func answerAtOnce(
        _ request: Request, _ endpoint: Endpoint, _ answer: Answer, on connection: Connection
    ) async {
        switch endpoint {
        case .exchange, .countTokens: break
        case .models(let shape):
            await models(shape, request.head, answer)
            remember(RequestEntry(), request, answer, connection)
        case .model(let id, let shape):
            let failure = await model(id, shape, answer)
            remember(RequestEntry(requestedModel: id, failure: failure), request, answer, connection)
        case .hello, .telemetry, .greeting:
            let isGreeting = endpoint == .greeting
            answer.send(200, type: "text/plain", body: isGreeting ? Self.greeting : [])
            remember(RequestEntry(), request, answer, connection)
        case .health, .ready:
            // The first look at the backends takes some milliseconds, and is bounded.
            if endpoint == .ready { await registry.waitForFirstRound() }
            let probe = probe(endpoint)
            answer.send(probe.status, body: probe.body)
            probed(request, answer, connection)
        case .status:
            if let text = await status.ask() {
                answer.send(200, body: text + [0x0a])
            } else {
                answer.send(.gateway(.noStatus))
            }
            probed(request, answer, connection)
        }
    }

    /// For people who look with a browser or curl.
    private static let greeting = Array(
        "Dragoman \(dragomanVersion) is running: POST /v1/messages for Anthropic's API, /v1/chat/completions for OpenAI's.\n"
            .utf8)

    /// `/health`: this worker answers. `/ready`: and something could answer for a model.
    func probe(_ endpoint: Endpoint) -> (status: Int, body: [UInt8]) {
        if endpoint == .health { return (200, Array(#"{"status":"ok"}"#.utf8)) }
        return registry.canServe
            ? (200, Array(#"{"status":"ready"}"#.utf8))
            : (503, Array(#"{"status":"no backend answers"}"#.utf8))
    }

    /// A whole answer to a probe on a connection that waits for a slot.
    func probeAnswer(
        _ endpoint: Endpoint, _ head: RequestHead, _ scope: ListenerScope, port: () -> Int?
    ) -> [UInt8] {
        let requestID = RequestIdentity.request()
        var status: Int
        var body: [UInt8]
        if let failure = access.refusesHost(head, scope: scope)
            ?? access.refusesPage(head, scope: scope, port: port)
        {
            let error = failure.error(for: .messages)
            (status, body) = (error.status, error.body(requestID: requestID))
        } else {
            (status, body) = probe(endpoint)
        }
        var bytes: [UInt8] = []
        ResponseHead(
            status: status, framing: .length(body.count), closes: true,
            fields: [
                AnswerDate.field, .init("content-type", "application/json"), .init("request-id", requestID),
            ]
        ).append(to: &bytes)
        return head.method == .head ? bytes : bytes + body
    }
}
