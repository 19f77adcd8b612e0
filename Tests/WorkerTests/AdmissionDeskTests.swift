// What requests say to the service, and in which messages.

import EventLoop
import LoopTesting
import Shared
import Testing

@testable import Worker

/// The messages of a desk.
@Loop
private final class Post {
    private(set) var sent: [WorkerMessage] = []
    let wakeup = Wakeup()
    lazy var desk = AdmissionDesk { [unowned self] in
        sent.append($0)
        wakeup.signal()
    }

    var notices: [ExchangeNotice] {
        sent.flatMap { message -> [ExchangeNotice] in
            if case .notices(let notices) = message { notices } else { [] }
        }
    }
}

@Suite(.serialized)
struct AdmissionDeskTests {
    init() { LoopThread.start() }

    private static let question = AdmissionQuestion(
        client: "c", candidates: [BackendCandidate(BackendNumber(0), ModelDigest(of: "m"))])
    private static let well = AttemptReport(.well)

    @Test("what nobody waits for goes out together, in its order, and soon")
    @Loop func batches() async throws {
        let post = Post()
        let wakeup = Wakeup()
        let begun = Instant.now
        let first = post.desk.tell(Self.question, signalling: wakeup)
        post.desk.refused(client: "d")
        post.desk.end(first, Self.well)
        #expect(post.sent.isEmpty)
        while post.sent.isEmpty, begun.advanced(by: .seconds(2)) > .now { await post.wakeup.wait() }
        #expect(
            post.sent == [
                .notices([
                    .began(ticket: first.number, Self.question), .refused(client: "d"),
                    .ended(ticket: first.number, Self.well),
                ])
            ])
        #expect(begun.duration(to: .now) < AdmissionDesk.batchTime * 20)
        post.desk.flush()
        #expect(post.sent.count == 1)
    }

    @Test("what may be sent again through another worker is known at once")
    @Loop func known() async throws {
        let post = Post()
        var question = Self.question
        question.fingerprint = 7
        let ticket = post.desk.tell(question, signalling: Wakeup())
        #expect(post.sent == [.notices([.began(ticket: ticket.number, question)])])
    }

    @Test("no message holds more notices than one may")
    @Loop func bounds() async throws {
        let post = Post()
        for _ in 0..<(2 * ExchangeNotice.maximum + 1) { post.desk.refused(client: "c") }
        #expect(post.sent.count == 2 && post.notices.count == 2 * ExchangeNotice.maximum)
        post.desk.flush()
        #expect(post.notices.count == 2 * ExchangeNotice.maximum + 1)
    }

    @Test("a question comes behind what has ended before it; the end of what was granted is told at once")
    @Loop func order() async throws {
        let post = Post()
        let wakeup = Wakeup()
        let told = post.desk.tell(Self.question, signalling: wakeup)
        post.desk.end(told, Self.well)
        let asked = post.desk.admit(Self.question, signalling: wakeup)
        #expect(post.sent.count == 2 && post.sent.last == .admit(ticket: asked.number, Self.question))
        post.desk.granted(asked.number, Grant(BackendNumber(0), .session))
        await wakeup.wait()
        post.desk.end(asked, Self.well)
        #expect(post.sent.count == 3)
    }

    @Test("a refused ticket ends as every other; what is said of an ended one is dropped")
    @Loop func endings() async throws {
        let post = Post()
        let wakeup = Wakeup()
        let refused = post.desk.admit(Self.question, signalling: wakeup)
        post.desk.refused(refused.number, .waitedTooLong)
        await wakeup.wait()
        guard case .refused(.waitedTooLong) = refused.state else { return #expect(Bool(false)) }
        post.desk.granted(refused.number, Grant(BackendNumber(0), .name))
        guard case .refused = refused.state else { return #expect(Bool(false)) }
        post.desk.end(refused, AttemptReport(.notSent))
        post.desk.end(refused, AttemptReport(.notSent))
        #expect(post.notices == [.ended(ticket: refused.number, AttemptReport(.notSent))])
        post.desk.superseded(refused.number)
        post.desk.refused(99, .noBackend)
        #expect(!refused.isSuperseded)
        let second = post.desk.tell(Self.question, signalling: wakeup)
        post.desk.superseded(second.number)
        await wakeup.wait()
        #expect(second.isSuperseded)
    }

    @Test("a trial's first byte is told at once")
    @Loop func trials() async throws {
        let post = Post()
        let wakeup = Wakeup()
        let ticket = post.desk.admit(Self.question, signalling: wakeup)
        var grant = Grant(BackendNumber(0), .name)
        grant.isTrial = true
        post.desk.granted(ticket.number, grant)
        #expect(ticket.isTrial)
        post.desk.answered(ticket)
        #expect(post.sent.last == .notices([.answered(ticket: ticket.number)]))
    }
}
