// What a client that reads a stream sees while its request waits for a backend: after `hold_status` the head and
// what every stream begins with, then signs of life. None of it is an answer: the backend is chosen behind it.

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
    private let streaming: Bool
    private let make: @Loop () -> Held
    private var held: Held?
    private var timing: ExchangeTiming
    /// What the client has seen.
    private(set) var opening: ReplyOpening

    init(
        _ message: ClientRequest, _ answer: Answer, _ identity: @escaping @Loop () -> AttemptPlan.Identity,
        opening: ReplyOpening, timing: ExchangeTiming
    ) {
        self.answer = answer
        self.opening = opening
        self.timing = timing
        streaming = message.stream
        make = { Held(message, identity(), opening) }
    }

    var deadline: Instant { timing.deadline(stage) }

    private var stage: ExchangeTiming.Stage {
        opening == .nothing ? .undecided(mayCommit: streaming) : .streaming
    }

    /// Sends what is due.
    /// - Parameters:
    ///   - fields: of a head that goes out now.
    ///   - isIdle: the client has taken all that it was sent.
    func keepTime(_ fields: () -> [ResponseHead.Field], isIdle: Bool) {
        let due = timing.due(stage, at: Loop.now)
        guard due != .nothing else { return }
        let held = held ?? make()
        self.held = held
        if due == .commit {
            answer.fields = fields()
            held.reply.openEarly()
            opening = held.reply.opening
            answer.beginStream()
        } else if isIdle {
            // A client that does not even take what waits needs no sign of life.
            held.reply.ping()
        }
        answer.stream(held.reply.takeOutput())
        timing.noteSent(at: Loop.now)
    }
}
