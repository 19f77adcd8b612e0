// One backend asked once: wait for a permit, transfer, translate, write. Everything that can make it go
// on signals the connection's wakeup; each round looks at all sources again, so no order is special.

internal import EventLoop
internal import Glibc
internal import Shared
internal import Translation
internal import Upstream

@Loop
final class Attempt {
    private enum Stage {
        case planned(AttemptPlan.Source)
        case queued(Permit, UpstreamRequest, backend: Int)
        case transferring(Transfer, backend: Int)
        case playing(DemoPlayback)
    }

    private let answer: Answer
    private let connection: Connection
    private let context: ExchangeContext
    private let streaming: Bool
    private let committed: () -> Void
    private var stage: Stage
    private var permit: Permit?
    private var reply: ClientReply
    private var timing: ExchangeTiming
    private var headSeen = false
    /// The client takes less than comes: the upstream waits.
    private var congested = false
    /// When the model was seen to have stopped.
    private var stoppedAt: Instant?
    /// Called once the backend's answer has begun.
    var began: (() -> Void)?

    /// - Parameter committed: called once the client has seen a byte.
    init(
        _ plan: consuming AttemptPlan, _ answer: Answer, _ connection: Connection,
        _ context: ExchangeContext, committed: @escaping () -> Void
    ) {
        self.answer = answer
        self.connection = connection
        self.context = context
        self.committed = committed
        streaming = plan.isStreaming
        timing = plan.timing
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
    /// How the transport failed, for the journal; nil when it did not.
    private(set) var cause: String?
    /// The backend could not be reached, and not for the first time.
    private var isPersistent = false
    /// Not nil when it ended before anything was sent: another backend may be tried, or this is the answer.
    var undecidedFailure: Failure? {
        guard answer.isOpen, let failure = reply.failure else { return nil }
        return isPersistent ? failure.persisting : failure
    }

    /// Not nil once it has run.
    private(set) var outcome: Outcome?

    /// Runs to the one outcome. When `undecidedFailure` is nil then, the client has been answered or is gone.
    func run() async {
        begin()
        defer { if let permit { context.permits.release(permit) } }
        while !turn() { _ = await connection.wakeup.wait(until: deadline) }
    }

    @inline(never)
    private func begin() {
        guard case .planned(let source) = stage else { return }
        switch source {
        case .demo(let demo): stage = .playing(DemoPlayback(demo, begun: Loop.now))
        case .backend(let index, let request, limit: let backend?):
            let permit = context.permits.acquire(backend, signalling: connection.wakeup)
            self.permit = permit
            stage = .queued(permit, request, backend: index)
        case .backend(let index, let request, limit: nil):
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
        if connection.socket.isGone || connection.socket.isStalled {
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
        if case .queued(let permit, let request, let backend) = stage, permit.isGranted {
            stage = .transferring(
                context.upstream.start(request, wakeup: connection.wakeup), backend: backend)
        }
        switch stage {
        case .planned, .queued: break
        case .transferring(let transfer, let backend): take(from: transfer, backend)
        case .playing(var playback):
            for delta in playback.take(at: Loop.now) { reply.receive(delta) }
            if playback.isOver { reply.end(.complete) }
            stage = .playing(playback)
        }
    }

    // MARK: From upstream

    private func take(from transfer: Transfer, _ backend: Int) {
        if !headSeen, let head = transfer.head {
            headSeen = true
            context.registry.succeeded(backend)
            upstreamID = head.requestID
            reply.receive(head: UpstreamHead(head))
        }
        let waiting = connection.socket.waiting
        congested = waiting > (congested ? ServingLimits.outputLowWater : ServingLimits.outputHighWater)
        guard !congested else { return }
        if transfer.hasBytes { transfer.consume { reply.receive($0) } }
        if reply.wantsMore, let end = transfer.end, !transfer.hasBytes {
            cause = end.cause
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
        cause = "stopped"
        reply.end(.stopped)
    }

    /// The reply is over. What the backend still has to say (the end of its framing) may come for a moment,
    /// so that its connection can be used again; then it is cut.
    private func detach(_ transfer: Transfer, _ backend: Int, _ outcome: Outcome) {
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
        case .undecided: .undecided(mayCommit: streaming)
        case .streaming: .streaming
        case .ended: .over
        }
    }

    private func keepTime() {
        switch timing.due(timingStage, at: Loop.now) {
        case .nothing: break
        case .commit: reply.commitEarly()
        case .ping:
            // A client that does not even take what waits needs no sign of life.
            if connection.socket.waiting == 0 { reply.ping() }
            timing.noteSent(at: Loop.now)
        }
    }

    private func write() {
        guard reply.phase == .streaming else { return }
        let events = reply.takeOutput()
        guard !events.isEmpty else { return }
        if let began, reply.hasBegun {
            began()
            self.began = nil
        }
        if answer.isOpen { committed() }
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
    fileprivate var cause: String? {
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
