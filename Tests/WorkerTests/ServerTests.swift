// A whole worker without its process: a supervisor's end of the channel, clients on socket pairs. What needs
// a real backend or real processes is in the scenarios.

import EventLoop
import Glibc
import LoopTesting
import Shared
import Testing
import Upstream

@testable import Worker

private let health = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
private let isReleased: @Sendable (WorkerMessage) -> Bool = { if case .released = $0 { true } else { false } }

@Suite(.serialized)
struct ServerTests {
    init() { LoopThread.start() }

    @Test("requests in one write are answered in order; the slot comes back once")
    @Loop func pipelined() async throws {
        let worker = try await Worked()
        let (id, client) = try worker.connect()
        #expect(await worker.next { $0 == .accepted(id: id) })
        client.send(health + "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" + health)
        let text = await client.read(until: "\"ok\"", count: 2)
        #expect(text.components(of: "HTTP/1.1 200 OK") == 2 && text.components(of: "HTTP/1.1 404") == 1)
        #expect(try #require(worker.server).figures().connections == 1)
        client.leave()
        #expect(await worker.next { $0 == .released(count: 1) })
        #expect(try #require(worker.server).figures().connections == 0)
        #expect(worker.count(isReleased) == 0)
        worker.end()
    }

    @Test("HTTP/1.0 is closed, or kept when it asks for it and told so")
    @Loop func oldClients() async throws {
        let worker = try await Worked()
        let closing = try worker.connect().client
        closing.send("GET /health HTTP/1.0\r\n\r\n")
        #expect(await closing.read(until: nil).contains("connection: close"))
        let kept = try worker.connect().client
        for count in 1...2 {
            kept.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(
                await kept.read(until: "\"ok\"", count: count).components(of: "connection: keep-alive")
                    == count)
        }
        worker.end()
    }

    @Test("shedding closes the connection that is idle longest, and no busy one")
    @Loop func shedding() async throws {
        let worker = try await Worked()
        var idle: [Client] = []
        for _ in 0..<3 {
            let client = try worker.connect().client
            client.send(health)
            _ = await client.read(until: "\"ok\"")
            idle.append(client)
            await Loop.sleep(for: .milliseconds(2))
        }
        let fresh = try worker.connect().client
        try worker.say(.closeIdle(count: 2))
        #expect(await worker.next(isReleased))
        #expect(await worker.next(isReleased))
        #expect(await idle[0].read(until: nil).hasSuffix("\"ok\"}"))
        #expect(await idle[1].read(until: nil).hasSuffix("\"ok\"}"))
        idle[2].send(health)
        #expect(await idle[2].read(until: "\"ok\"", count: 2).components(of: "200 OK") == 2)
        fresh.send(health)
        #expect(await fresh.read(until: "\"ok\"").contains("200 OK"))
        worker.end()
    }

    @Test("shedding also closes those that have said nothing yet, after a moment, and none that has begun")
    @Loop func sheddingSilent() async throws {
        let worker = try await Worked()
        let silent = try worker.connect().client
        let begun = try worker.connect().client
        begun.send("GET /health HT")
        #expect(await worker.next { $0 == .accepted(id: 2) })
        await Loop.sleep(for: .milliseconds(2))
        let asked = Instant.now
        try worker.say(.closeIdle(count: 2))
        #expect(await worker.next(isReleased))
        #expect(await silent.read(until: nil) == "")
        #expect(Instant.now < asked.advanced(by: .seconds(2)))
        begun.send("TP/1.1\r\nHost: a\r\n\r\n")
        #expect(await begun.read(until: "\"ok\"").contains("200 OK"))
        #expect(worker.count(isReleased) == 0)
        worker.end()
    }

    @Test("bodies that nobody reads are read over: small ones keep the connection, larger ones end it")
    @Loop func unreadBodies() async throws {
        let worker = try await Worked()
        let limit = ServingLimits.discardedBody
        for path in ["POST /api/event_logging/batch", "GET /health", "POST /nowhere"] {
            let (_, kept) = try worker.connect()
            kept.send("\(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(limit)\r\n\r\n")
            await kept.sendAll(String(repeating: "x", count: limit) + health)
            let text = await kept.read(until: "\"ok\"}", count: path.hasPrefix("GET") ? 2 : 1)
            #expect(text.hasSuffix("\"ok\"}") && !text.contains("connection: close"), "\(path)")
            let (_, chunked) = try worker.connect()
            chunked.send("\(path) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunked.send("5\r\nhello\r\n0\r\n\r\n" + health)
            #expect(await !chunked.read(until: "\"ok\"}").contains("connection: close"))
            let (_, closed) = try worker.connect()
            closed.send("\(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(limit + 1)\r\n\r\nxxx")
            #expect(await closed.read(until: "\r\n\r\n").contains("connection: close"), "\(path)")
        }
        worker.end()
    }

    @Test("when the service ends now, a request that is being read is refused, and idle ones are closed")
    @Loop func cutting() async throws {
        let worker = try await Worked()
        let idle = try worker.connect().client
        idle.send(health)
        _ = await idle.read(until: "\"ok\"")
        let head = try worker.connect().client
        head.send("GET /health HTTP/1.1\r\nHo")
        let body = try worker.connect().client
        body.send("POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        #expect(await worker.next { $0 == .accepted(id: 3) })
        try worker.say(.drain)
        try worker.say(.cut)
        for client in [head, body] {
            let text = await client.read(until: nil)
            #expect(text.hasPrefix("HTTP/1.1 529 ") && text.contains("x-should-retry: true"))
            client.leave()
        }
        #expect(await worker.next { $0 == .drained })
        worker.end()
    }

    @Test("draining ends idle connections, lets a begun request finish, then says drained")
    @Loop func draining() async throws {
        let worker = try await Worked()
        let idle = try worker.connect().client
        idle.send(health)
        _ = await idle.read(until: "\"ok\"")
        let busy = try worker.connect().client
        busy.send("GET /health HTTP/1.1\r\nHo")
        #expect(await worker.next { $0 == .accepted(id: 2) })
        try worker.say(.drain)
        #expect(await worker.next(isReleased))
        #expect(await !idle.read(until: nil).contains("timed out"))
        #expect(worker.count { $0 == .drained } == 0)
        busy.send("st: a\r\n\r\n")
        let text = await busy.read(until: nil)
        #expect(text.contains("connection: close") && text.contains("\"ok\""))
        #expect(await worker.next { $0 == .drained })
        #expect(worker.count(isReleased) == 1)
        worker.end()
    }

    @Test("a waiting connection is looked at, answered for probes, and given one verdict")
    @Loop func lobby() async throws {
        let worker = try await Worked()
        let (probe, asking) = try worker.connect(peek: true)
        asking.send("GET /hea")
        let (other, posting) = try worker.connect(peek: true)
        posting.send("POST /v1/messages HTTP/1.1\r\n")
        #expect(await worker.next { $0 == .peeked(id: other, verdict: .other) })
        asking.send("lth HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(await worker.next { $0 == .peeked(id: probe, verdict: .served) })
        #expect(await asking.read(until: nil).contains("200 OK"))
        let (gone, leaving) = try worker.connect(peek: true)
        leaving.leave()
        #expect(await worker.next { $0 == .peeked(id: gone, verdict: .gone) })
        let (called, silent) = try worker.connect(peek: true)
        silent.send("GET ")
        try worker.say(.unpeek(id: called))
        #expect(await worker.next { $0 == .peeked(id: called, verdict: .other) })
        try worker.say(.unpeek(id: called))
        try worker.say(.ping(sequence: 7))
        #expect(await worker.next { if case .pong(7, _) = $0 { true } else { false } })
        #expect(worker.count { if case .peeked = $0 { true } else { false } } == 0)
        worker.end()
    }

    @Test("deadlines of head and body are answered with 408; silence only with the end")
    @Loop func deadlines() async throws {
        var configuration = Configuration()
        configuration.timeouts.header = .milliseconds(60)
        configuration.timeouts.body = .milliseconds(60)
        let worker = try await Worked(configuration)
        let silent = try worker.connect().client
        let slow = try worker.connect().client
        slow.send("GET /hea")
        let half = try worker.connect().client
        half.send("POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        #expect(await silent.read(until: nil) == "")
        #expect(await slow.read(until: nil).hasPrefix("HTTP/1.1 408 "))
        #expect(await half.read(until: nil).contains("timeout_error"))
        worker.end()
    }

    @Test("a backend is asked for, granted and left once; what was told goes out before the last word")
    @Loop func admissions() async throws {
        let worker = try await Worked()
        let wakeup = Wakeup()
        let desk = worker.control.admissions
        let question = AdmissionQuestion(client: "c", candidates: [.init(BackendNumber(3), .init(of: "m"))])
        let ticket = desk.admit(question, signalling: wakeup)
        #expect(await worker.next { $0 == .admit(ticket: ticket.number, question) })
        #expect(ticket.isWaiting)
        try worker.say(.granted(ticket: ticket.number, Grant(BackendNumber(3), .load)))
        await wakeup.wait()
        #expect(!ticket.isWaiting)
        desk.end(ticket, AttemptReport(.well))
        desk.end(ticket, AttemptReport(.well))
        let ended = ExchangeNotice.ended(ticket: ticket.number, AttemptReport(.well))
        #expect(await worker.next { $0 == .notices([ended]) })
        let told = desk.tell(question, signalling: wakeup)
        try worker.say(.drain)
        #expect(await worker.next { $0 == .notices([.began(ticket: told.number, question)]) })
        #expect(await worker.next { $0 == .drained })
        worker.end()
    }

    @Test("what is not permitted ends the worker")
    @Loop func violations() async throws {
        let early = try await Worked(greet: false)
        try early.say(.drain)
        #expect(await early.hasLeft(with: Control.brokenChannel))
        let twice = try await Worked()
        try twice.say(.drain)
        try twice.say(.drain)
        #expect(await twice.hasLeft(with: Control.brokenChannel))
        let late = try await Worked()
        try late.say(.drain)
        _ = try late.connect()
        #expect(await late.hasLeft(with: Control.brokenChannel))
        for worker in [early, twice, late] { worker.end() }
    }
}
