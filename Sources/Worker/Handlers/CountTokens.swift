// POST /v1/messages/count_tokens: counted by the backend that would get the request, where it can, in a
// short time; else estimated. Holds: no count takes longer than `CountLimits.time`; a backend that does not
// count is not asked again for a while; only the backend that a message would go to first sees the text.

internal import EventLoop
internal import HTTP
internal import JSON
internal import Routing
internal import Shared
internal import Translation
internal import Upstream

enum CountLimits {
    /// From the request to the answer; clients ask for many counts at once and wait for all.
    static let time = Duration.seconds(2)
    /// Largest answer that is read, in bytes; servers list every token.
    static let answerBytes = 8 << 20
    /// A backend that says it does not count is asked again after this time,
    static let pauseAfterRefusal = Duration.seconds(600)
    /// and one that failed this once, or did not answer in time, after this.
    static let pauseAfterFailure = Duration.seconds(10)
}

extension Server {
    @inline(never)
    func countTokens(_ request: Request, _ answer: Answer, on connection: Connection) async {
        var entry = RequestEntry()
        if request.isLarge { await Loop.yield() }
        let body = RequestBody(request.body)
        if request.isLarge { await Loop.yield() }
        do throws(Failure) {
            var message = try MessagesRequest(readingCount: body)
            message.head = MessagesHead(request.head)
            entry.requestedModel = message.model
            if request.isLarge { await Loop.yield() }
            let count = await count(message, answer, &entry)
            entry.inputTokens = count
            answer.send(200, body: CountTokensReply.body(inputTokens: count))
        } catch {
            entry.failure = error
            answer.send(error)
        }
        remember(entry, request, answer, connection)
    }

    private func count(
        _ message: MessagesRequest, _ answer: Answer, _ entry: inout RequestEntry
    ) async -> Int {
        guard let access = await context.destination(message.model) else {
            return message.estimatedInputTokens
        }
        let estimate = message.estimate(for: access.target)
        guard let count = await context.count(message, access, estimate) else { return estimate.tokens }
        answer.fields = [
            .init("x-dragoman-backend", access.name), .init("x-dragoman-model", access.target.model),
        ]
        entry.backend = access.name
        entry.model = access.target.model
        return count
    }
}

extension ExchangeContext {
    /// The tokens as the backend counts them, pictures included; nil when it does not say in time. Either is
    /// remembered.
    @inline(never)
    func count(
        _ message: MessagesRequest, _ access: BackendAccess, _ estimate: PromptEstimate
    ) async -> Int? {
        guard registry.counts(access.index),
            let question = Self.question(message, access.target)
        else { return nil }
        switch await ask(question, access) {
        case .counted(let counted):
            let count = question.includesPictures ? counted : counted &+ estimate.pictures
            registry.learn(SentPrompt(access, estimate), reported: count)
            return count
        case .refused: registry.pauseCounting(access.index, for: CountLimits.pauseAfterRefusal)
        case .failed: registry.pauseCounting(access.index, for: CountLimits.pauseAfterFailure)
        }
        return nil
    }

    fileprivate func destination(_ model: String) async -> BackendAccess? {
        do throws(RoutingFailure) {
            let routes = try await registry.routes(for: model).lazy.compactMap { self.registry.access($0) }
            return routes.first { self.registry.counts($0.index) } ?? routes.first
        } catch {
            // Nobody would answer it; how long it is can be said all the same.
            return nil
        }
    }

    private static func question(_ message: MessagesRequest, _ target: UpstreamTarget) -> CountQuestion? {
        do throws(Failure) {
            return try CountQuestion(message, target)
        } catch {
            return nil
        }
    }

    private enum Finding {
        case counted(Int)
        /// It does not count, or not like this.
        case refused
        /// No answer in time, or none for this conversation.
        case failed
    }

    private func ask(_ question: CountQuestion, _ access: BackendAccess) async -> Finding {
        let deadline = Loop.now.advanced(by: CountLimits.time)
        var question = question
        while true {
            let answer = await upstream.ask(
                access.request(for: question), until: deadline, atMost: CountLimits.answerBytes)
            guard case .answered(let status, _) = answer else { return .failed }
            guard let root = answer.json else {
                switch status {
                case 400, 422, 500, 502...: return .failed
                default: return .refused
                }
            }
            switch question.read(root) {
            case .counted(let count): return .counted(count)
            case .ask(let next): question = next
            case .unusable: return .refused
            }
        }
    }
}

extension BackendAccess {
    fileprivate func request(for question: CountQuestion) -> UpstreamRequest {
        let time = CountLimits.time
        return UpstreamRequest(
            url: url + question.path, method: .post(body: question.body),
            headers: headers + question.headers.map { .init($0.name, $0.value) } + [
                .init("content-type", "application/json"), .init("user-agent", "dragoman/\(dragomanVersion)"),
            ], limits: TransferLimits(connect: time, firstByte: time, idle: time))
    }
}

extension BackendRegistry {
    /// Whether this backend may be asked for a count.
    func counts(_ index: Int) -> Bool {
        guard entries.indices.contains(index), !entries[index].isDown else { return false }
        return entries[index].countsAfter <= Loop.now
    }
}
