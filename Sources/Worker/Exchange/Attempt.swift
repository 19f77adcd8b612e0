// One backend asked once: transfer, translate, write. Everything that can make it go on signals the connection's wakeup; each round looks at all sources again, so no order is special.

internal import EventLoop
internal import Glibc
internal import Shared
internal import Translation
internal import Upstream

@Loop
final class Attempt {
    private enum Stage {
        case planned(AttemptPlan.Source)
        case transferring(Transfer, backend: Int)
        case playing(DemoPlayback)
    }

    private let answer: Answer
    private let connection: Connection
    private let context: ExchangeContext
    private let streaming: Bool
    private let placement: Placement
    private let committed: () -> Void
    private var isCommitted = false
    private var stage: Stage
    private var reply: ClientReply
    private var timing: ExchangeTiming
    /// The client takes less than comes: the upstream waits.
    private var congested = false
    /// When the model was seen to have stopped.
    private var stoppedAt: Instant?
    /// Called once the backend's answer has begun.
    var began: (() -> Void)?

    /// - Parameter committed: called once the client has seen a byte of the answer.
    init(
        _ plan: consuming AttemptPlan, _ answer: Answer, _ connection: Connection, _ placement: Placement,
        _ context: ExchangeContext, committed: @escaping () -> Void
    ) {
        self.answer = answer
        self.connection = connection
        self.placement = placement
        self.context = context
        self.committed = committed
        streaming = plan.isStreaming
        timing = plan.timing
        times = (Loop.now, nil)
        stage = .planned(plan.source)
        reply = plan.reply
    }

    var usage: Usage { reply.usage }
    var reportedInput: Int? { reply.reportedInput }
    var repairs: [String] { reply.repairs }
    /// How the backend calls this exchange.
    private(set) var upstreamID: String?
    var promptTruncation: PromptTruncation? { reply.promptTruncation }
    /// What the backend refused of the request, and could be asked instead.
    var refused: Refusal? { reply.refused }
    /// The backend answered with success and without a byte.
    var saidNothing: Bool { reply.saidNothing }
    /// What the client has seen although nothing of an answer has come.
    var opening: ReplyOpening { reply.opening }
    /// How the transport failed, for the journal; nil when it did not.
    private(set) var detail: String?
    /// How far the transport came.
    private(set) var seen = AttemptCircumstances()
    /// Sent, and when the first byte of the answer's body came.
    private var times: (begun: Instant, firstByte: Instant?)
    /// The backend could not be reached, and not for the first time.
    private var isPersistent = false
    /// Not nil when it ended before anything of an answer was sent: another backend may be tried, or this is the
    /// answer.
    var undecidedFailure: Failure? {
        guard !answer.isEnded, let failure = reply.failure else { return nil }
        return isPersistent ? failure.persisting : failure
    }

    /// Not nil once it has run.
    private(set) var outcome: Outcome?

    /// What the service has to know of it, but for what its client was told.
    var report: AttemptReport {
        var report = AttemptReport(outcome.map { .init($0, seen) } ?? .notSent)
        let usage = reply.usage
        let input = usage.input &+ usage.cacheRead &+ usage.cacheCreation
        report.firstByte = (times.firstByte?.nanoseconds(since: times.begun) ?? 0) / 1000
        report.duration = Loop.now.nanoseconds(since: times.begun) / 1000
        report.inputTokens = UInt32(clamping: input)
        report.cachedTokens = usage.tellsCache ? UInt32(clamping: usage.cacheRead) : nil
        report.outputTokens = UInt32(clamping: usage.output)
        return report
    }

    /// Runs to the one outcome. When `undecidedFailure` is nil then, the client has been answered or is gone.
    func run() async {
        begin()
        while !turn() { _ = await connection.wakeup.wait(until: deadline) }
    }

    @inline(never)
    private func begin() {
        guard case .planned(let source) = stage else { return }
        switch source {
        case .demo(let demo): stage = .playing(DemoPlayback(demo, begun: Loop.now))
        case .backend(let index, let request):
            stage = .transferring(
                context.upstream.start(request, wakeup: connection.wakeup), backend: index)
        }
    }

    /// Does everything that can be done now; true when that was all.
    @inline(never)
    private func turn() -> Bool {
        outcome = step()
        guard case .some = outcome else { return false }
        return true
    }

    private func step() -> Outcome? {
        if connection.socket.isGone || connection.socket.isStalled || placement.isSuperseded {
            if case .transferring(let transfer, _) = stage { transfer.cancel() }
            reply.cancel()
            return .cancelled
        }
        // First make room: it decides whether more may come.
        connection.socket.flush()
        advance()
        stopWaitingAfterFinish()
        if context.isCut { cut() }
        keepTime()
        guard case .ended(let outcome) = reply.phase else {
            write()
            return nil
        }
        if case .transferring(let transfer, let backend) = stage { detach(transfer, backend, outcome) }
        if undecidedFailure == nil { answer.finish(with: &reply, streaming: streaming) }
        return outcome
    }

    private var deadline: Instant {
        var next = timing.deadline(timingStage)
        if let farewell { next = min(next, farewell) }
        if case .playing(let playback) = stage { return min(next, playback.deadline) }
        return next
    }

    private func advance() {
        switch stage {
        case .planned: break
        case .transferring(let transfer, let backend): take(from: transfer, backend)
        case .playing(var playback):
            for delta in playback.take(at: Loop.now) { reply.receive(delta) }
            if playback.isOver { reply.end(.complete) }
            stage = .playing(playback)
        }
    }

    // MARK: From upstream

    private func take(from transfer: Transfer, _ backend: Int) {
        if !seen.hasHead, let head = transfer.head {
            seen = AttemptCircumstances(wasConnected: true, hasHead: true)
            if head.status < 500 { placement.answered() }
            context.registry.succeeded(backend)
            upstreamID = head.requestID
            reply.receive(head: UpstreamHead(head))
        }
        let waiting = connection.socket.waiting
        congested = waiting > (congested ? ServingLimits.outputLowWater : ServingLimits.outputHighWater)
        guard !congested else { return }
        if transfer.hasBytes {
            if times.firstByte == nil { times.firstByte = Loop.now }
            transfer.consume { reply.receive($0) }
        }
        if reply.wantsMore, let end = transfer.end, !transfer.hasBytes {
            detail = end.detail
            reply.end(UpstreamEnd(end))
        }
    }

    /// When a backend whose model has stopped is no longer waited for. What a slow client holds up is not the
    /// backend's silence.
    private var farewell: Instant? {
        congested ? nil : stoppedAt?.advanced(by: ServingLimits.stoppedFarewell)
    }

    /// Counts and the end of the framing may follow the model's stop for a while; without them the reply is
    /// complete as well.
    private func stopWaitingAfterFinish() {
        guard reply.hasStopped, case .transferring(let transfer, _) = stage else { return }
        if stoppedAt == nil { stoppedAt = Loop.now }
        guard let farewell, farewell <= Loop.now else { return }
        transfer.cancel()
        reply.end(.complete)
    }

    /// The service ends before the backend has said all: the client learns so, instead of being cut off.
    private func cut() {
        guard reply.wantsMore else { return }
        if case .transferring(let transfer, _) = stage { transfer.cancel() }
        detail = "stopped"
        reply.end(.stopped)
    }

    /// The reply is over. What the backend still has to say (the end of its framing) may come for a moment,
    /// so that its connection can be used again; then it is cut.
    private func detach(_ transfer: Transfer, _ backend: Int, _ outcome: Outcome) {
        seen.wasConnected = transfer.times.connected != nil
        switch transfer.end {
        case nil where outcome.isCompleted:
            Timer { transfer.cancel() }.arm(at: Loop.now.advanced(by: ServingLimits.upstreamFarewell))
        case nil: transfer.cancel()
        case .unreachable, .misconfigured, .timedOut(.connect):
            context.registry.failed(backend)
            isPersistent = context.registry.failsPersistently(backend)
        case .complete, .broken, .timedOut, .cancelled: break
        }
    }

    // MARK: To the client

    private var timingStage: ExchangeTiming.Stage {
        switch reply.phase {
        case .undecided where reply.opening != .nothing: .streaming
        case .undecided: .undecided(mayCommit: streaming)
        case .streaming: .streaming
        case .ended: .over
        }
    }

    private func keepTime() {
        switch timing.due(timingStage, at: Loop.now) {
        case .nothing: break
        case .commit: reply.openEarly()
        case .ping:
            // A client that does not even take what waits needs no sign of life.
            if connection.socket.waiting == 0 { reply.ping() }
            timing.noteSent(at: Loop.now)
        }
    }

    private func write() {
        let isAnswer = reply.phase == .streaming
        guard isAnswer || reply.opening != .nothing else { return }
        let events = reply.takeOutput()
        guard !events.isEmpty else { return }
        if let began, reply.hasBegun {
            began()
            self.began = nil
        }
        if isAnswer, !isCommitted {
            isCommitted = true
            committed()
        }
        answer.beginStream()
        answer.stream(events)
        timing.noteSent(at: Loop.now)
    }
}

extension Answer {
    /// Hands out what an ended reply still holds, as the client asked for it.
    func finish(with reply: inout ClientReply, streaming: Bool) {
        if streaming {
            beginStream()
            endStream(reply.takeOutput())
        } else {
            send(200, body: reply.takeOutput())
        }
    }

    /// What no backend has to see, as the client asked for it.
    func send(_ local: LocalAnswer, to message: ClientRequest) {
        let body = local.body(
            messageID: RequestIdentity.reply(message.api), model: message.model, streaming: message.stream,
            inputTokens: message.estimatedInputTokens)
        guard message.stream else { return send(200, body: body) }
        beginStream()
        endStream(body)
    }
}

extension UpstreamHead {
    init(_ head: TransferHead) {
        self.init(
            status: head.status, contentType: head.contentType, retryAfter: head.retryAfter,
            rateLimitReset: head.rateLimitReset, shouldRetry: head.shouldRetry, receivedAt: Int(time(nil)))
        contentEncoding = head.contentEncoding
    }
}

extension TransferEnd {
    fileprivate var detail: String? {
        switch self {
        case .complete: nil
        case .broken(let detail), .unreachable(let detail), .misconfigured(let detail): detail
        case .timedOut(let limit): "limit \(limit.rawValue)"
        case .cancelled: "cancelled"
        }
    }
}

extension UpstreamEnd {
    init(_ end: TransferEnd) {
        switch end {
        case .complete: self = .complete
        case .broken(let detail): self = .broken(detail: detail)
        case .unreachable(let detail): self = .unreachable(detail: detail)
        case .misconfigured(let detail): self = .misconfigured(detail: detail)
        // A host that is switched off refuses nothing: to the client, and for trying the next backend, that
        // is the same as a refused connection.
        case .timedOut(.connect): self = .unreachable(detail: "no connection in time")
        case .timedOut(let limit): self = .timedOut(limit: limit.rawValue)
        case .cancelled: self = .broken(detail: "cancelled")
        }
    }
}
