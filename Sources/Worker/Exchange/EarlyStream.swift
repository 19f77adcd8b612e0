// A request waits for a backend, and what its client sees meanwhile if it reads a stream: after `hold_status` the
// head and what every stream begins with, then signs of life. None of it is an answer: the backend is chosen behind
// it. Holds: the wait ends in the turn in which there is an answer, or a reason not to wait any longer.

internal import EventLoop
internal import HTTP
internal import Translation

@Loop
final class EarlyStream {
    /// Made when it is needed: most requests do not wait for long.
    private final class Held {
        var reply: ClientReply

        init(_ message: ClientRequest, _ identity: AttemptPlan.Identity, _ opening: ReplyOpening) {
            reply = ClientReply(
                opening: message, messageID: identity.message, requestID: identity.request,
                created: identity.created, opening: opening)
        }
    }

    private let answer: Answer
    private let connection: Connection
    private let begun: Instant
    private let streaming: Bool
    private let make: @Loop () -> Held
    private var held: Held?
    private var timing: ExchangeTiming
    /// What the client has seen.
    private(set) var opening: ReplyOpening

    /// - Parameters:
    ///   - begun: when the whole request was here.
    ///   - opening: what the client has seen already.
    init(
        _ message: ClientRequest, _ answer: Answer, on connection: Connection, begun: Instant,
        holdStatus: Duration, opening: ReplyOpening,
        _ identity: @escaping @Loop () -> AttemptPlan.Identity
    ) {
        self.answer = answer
        self.connection = connection
        self.begun = begun
        self.opening = opening
        timing = ExchangeTiming(begun: begun, holdStatus: holdStatus, lastSent: answer.lastSentAt)
        streaming = message.stream
        make = { Held(message, identity(), opening) }
    }

    /// Until the service has answered, or there is a reason not to wait any longer.
    func wait(for placement: Placement, in context: ExchangeContext) async {
        while goesOn(placement, context) {
            _ = await connection.wakeup.wait(until: min(timing.deadline(stage), placement.deadline))
        }
    }

    @inline(never)
    private func goesOn(_ placement: Placement, _ context: ExchangeContext) -> Bool {
        let socket = connection.socket
        socket.flush()
        guard placement.ticket?.isWaiting == true, !placement.isSuperseded, !context.isCut,
            placement.deadline > Loop.now, !socket.isGone, !socket.isStalled
        else { return false }
        keepTime()
        return true
    }

    private var stage: ExchangeTiming.Stage {
        opening == .nothing ? .undecided(mayCommit: streaming) : .streaming
    }

    /// Sends what is due.
    private func keepTime() {
        let due = timing.due(stage, at: Loop.now)
        guard due != .nothing else { return }
        let held = held ?? make()
        self.held = held
        if due == .commit {
            answer.fields = PlacementStory.queued(begun.duration(to: Loop.now))
            held.reply.openEarly()
            opening = held.reply.opening
            answer.beginStream()
        } else if connection.socket.waiting == 0 {
            // A client that does not even take what waits needs no sign of life.
            held.reply.ping()
        }
        answer.stream(held.reply.takeOutput())
        timing.noteSent(at: Loop.now)
    }
}
