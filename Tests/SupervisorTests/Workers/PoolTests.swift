// The workers' lives under an injected clock: events in, exactly these actions out.

import Shared
import Testing

@testable import Supervisor

/// A pool with a clock that the test moves. Workers are named by their numbers.
private struct Bench {
    var pool: Pool
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    private var lastPid: Int32 = 100

    init(workers: Int = 1) {
        pool = Pool(
            Pool.Settings(
                workers: workers, heartbeat: .seconds(1), hungAfter: .seconds(10),
                restartDelayMaximum: .seconds(30)))
    }

    /// Who lives under this number; a stranger when nobody does.
    func worker(_ number: Int) -> WorkerID { pool.records[number].id ?? 99 }

    mutating func after(_ duration: Duration) -> [Pool.Action] {
        now = now + duration
        return pool.tick(at: now)
    }

    mutating func start(_ number: Int = 0) {
        lastPid += 1
        pool.started(worker(number), pid: lastPid)
    }

    /// As the supervisor does with messages about a worker's life.
    mutating func says(_ message: WorkerMessage, _ number: Int = 0) throws -> [Pool.Action] {
        let worker = worker(number)
        guard let phase = pool.phase(of: worker), message.isPermitted(in: phase) else {
            throw ProtocolViolation("\(message.kind)")
        }
        switch message {
        case .hello(let version): return try pool.greeted(worker, version: version)
        case .ready: return pool.ready(worker, at: now)
        case .pong(let sequence, let figures): try pool.answered(worker, sequence, figures)
        case .drained: pool.drained(worker, at: now)
        default: break
        }
        return []
    }

    /// Through spawn and handshake to serving.
    mutating func serve(_ number: Int = 0) throws {
        start(number)
        _ = try says(.hello(protocolVersion: controlProtocolVersion), number)
        _ = try says(.ready, number)
    }

    mutating func dies(
        _ ending: Ending = .signalled(9), _ number: Int = 0, hasServed: Bool = false
    ) -> Obituary? {
        let actions = pool.ended(worker(number), ending, hasServed: hasServed, at: now)
        guard case .bury(let obituary) = actions.last else { return nil }
        return obituary
    }
}

private func figures(served: UInt64, connections: UInt32 = 0) -> WorkerFigures {
    var figures = WorkerFigures()
    figures.served = served
    figures.connections = connections
    return figures
}

private let question = AdmissionQuestion(client: "k", candidates: [])

@Suite("Pool") struct PoolTests {
    @Test("start to serving: spawn, hello, welcome, ready, open")
    func start() throws {
        var bench = Bench(workers: 2)
        #expect(bench.after(.zero) == [.spawn(worker: 0, number: 0), .spawn(worker: 1, number: 1)])
        bench.start(0)
        bench.start(1)
        #expect(bench.after(.zero) == [])
        #expect(
            try bench.says(.hello(protocolVersion: controlProtocolVersion))
                == [.welcome(worker: 0)])
        #expect(!bench.pool.hasStarted)
        #expect(try bench.says(.ready) == [.open(worker: 0)])
        #expect(!bench.pool.hasStarted)
        _ = try bench.says(.hello(protocolVersion: controlProtocolVersion), 1)
        #expect(try bench.says(.ready, 1) == [.open(worker: 1)])
        #expect(bench.pool.hasStarted && bench.pool.serving == 2)
    }

    /// State by name, and every message that is not permitted in it.
    static let forbidden: [(String, [WorkerMessage])] = [
        (
            "new",
            [
                .ready, .accepted(id: 1), .released(count: 1), .peeked(id: 1, verdict: .gone), .drained,
                .admit(ticket: 1, question), .askStatus(token: 1),
                .searched, .pong(sequence: 1, figures: .init()),
                .hello(protocolVersion: controlProtocolVersion + 1),
                .observation(lacksTools), .capabilitiesInvalidated(backend: "b", before: 1),
            ]
        ),
        (
            "welcomed",
            [
                .hello(protocolVersion: controlProtocolVersion), .accepted(id: 1), .released(count: 1),
                .drained,
                .peeked(id: 1, verdict: .gone), .admit(ticket: 1, question), .askStatus(token: 1),
            ]
        ),
        (
            "serving",
            [
                .hello(protocolVersion: controlProtocolVersion), .ready, .drained,
                .pong(sequence: 1, figures: .init()),
            ]
        ),
        ("draining", [.hello(protocolVersion: controlProtocolVersion), .ready]),
        ("drained", [.drained, .released(count: 1), .accepted(id: 1), .admit(ticket: 1, question)]),
    ]

    @Test("what is not permitted in a state ends the worker", arguments: forbidden)
    func forbiddenMessages(state: String, messages: [WorkerMessage]) throws {
        for message in messages {
            var bench = Bench()
            _ = bench.after(.zero)
            bench.start()
            if state != "new" { _ = try bench.says(.hello(protocolVersion: controlProtocolVersion)) }
            if ["serving", "draining", "drained"].contains(state) { _ = try bench.says(.ready) }
            if ["draining", "drained"].contains(state) {
                _ = bench.pool.drain(until: bench.now + .seconds(60))
            }
            if state == "drained" { _ = try bench.says(.drained) }
            #expect(throws: ProtocolViolation.self, "\(message) while \(state)") { try bench.says(message) }
        }
    }

    @Test("a worker that is not ready in time is killed, and replaced only when it is dead")
    func handshakeDeadline() throws {
        var bench = Bench()
        _ = bench.after(.zero)
        bench.start()
        #expect(bench.after(.milliseconds(9_999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.close(worker: 0), .kill(worker: 0)])
        #expect(bench.after(.seconds(60)) == [])
        let died = bench.dies()
        let obituary = try #require(died)
        #expect(obituary.killedFor == .handshakeLate && obituary.restart == .milliseconds(100))
        #expect(bench.after(.milliseconds(99)) == [])
        #expect(bench.after(.milliseconds(1)) == [.spawn(worker: 1, number: 0)])
    }

    @Test("heartbeat: one ping at a time; ten seconds of silence are the end")
    func heartbeat() throws {
        var bench = Bench()
        _ = bench.after(.zero)
        try bench.serve()
        #expect(bench.after(.milliseconds(999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.send(worker: 0, .ping(sequence: 1))])
        #expect(bench.after(.seconds(5)) == [])
        #expect(try bench.says(.pong(sequence: 1, figures: figures(served: 7))) == [])
        #expect(bench.pool.records[0].figures.served == 7)
        #expect(bench.after(.zero) == [.send(worker: 0, .ping(sequence: 2))])
        #expect(bench.after(.milliseconds(9_999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.close(worker: 0), .kill(worker: 0)])
        let died = bench.dies()
        let obituary = try #require(died)
        #expect(obituary.killedFor == .hung(.seconds(10)) && obituary.served == 7)
        #expect(obituary.restart == .zero)
        #expect(bench.after(.zero) == [.spawn(worker: 1, number: 0)])
    }

    @Test("who asks for status gets figures of now: a heartbeat ahead of time, one at a time as ever")
    func pingAll() throws {
        var bench = Bench(workers: 2)
        _ = bench.after(.zero)
        try bench.serve(0)
        bench.start(1)
        #expect(bench.pool.isCurrent)
        #expect(bench.pool.pingAll(at: bench.now) == [.send(worker: 0, .ping(sequence: 1))])
        #expect(!bench.pool.isCurrent)
        #expect(bench.pool.pingAll(at: bench.now) == [])
        _ = try bench.says(.pong(sequence: 1, figures: figures(served: 3)))
        #expect(bench.pool.isCurrent)
        #expect(bench.after(.milliseconds(999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.send(worker: 0, .ping(sequence: 2))])
    }

    @Test("a pause of the supervisor itself is not held against the workers")
    func forgiveness() throws {
        var bench = Bench(workers: 2)
        _ = bench.after(.zero)
        try bench.serve(0)
        bench.start(1)
        _ = bench.after(.seconds(1))
        bench.now = bench.now + .seconds(60)
        bench.pool.forgive(.seconds(60))
        #expect(bench.after(.milliseconds(1)) == [])
        #expect(bench.after(.seconds(9)) == [.close(worker: 1), .kill(worker: 1)])
    }

    @Test("a worker that dies before serving is delayed, one that had a connection is not")
    func restarts() throws {
        var bench = Bench()
        _ = bench.after(.zero)
        bench.start()
        #expect(bench.dies(.exited(status: 1))?.restart == .milliseconds(100))
        #expect(bench.after(.milliseconds(100)) == [.spawn(worker: 1, number: 0)])
        try bench.serve()
        #expect(bench.dies()?.restart == .milliseconds(200))
        _ = bench.after(.milliseconds(200))
        try bench.serve()
        #expect(bench.dies(hasServed: true)?.restart == .zero)
        #expect(bench.after(.zero) == [.spawn(worker: 3, number: 0)])
        #expect(bench.pool.records[0].restarts == 3)
        try bench.serve()
        #expect(bench.pool.records[0].restarts == 3)
    }

    @Test("a worker that cannot be started is tried again, later and later, and never given up")
    func cannotStart() {
        var bench = Bench()
        var delays: [Duration] = []
        for life in 0..<40 as Range<UInt32> {
            let worker = WorkerID(life: life)
            #expect(bench.after(.seconds(30)) == [.spawn(worker: worker, number: 0)])
            let actions = bench.pool.failedToStart(worker, reason: "No such file", at: bench.now)
            guard case .bury(let obituary) = actions.last, let delay = obituary.restart else {
                Issue.record("no obituary")
                return
            }
            #expect(obituary.ending == .neverStarted(reason: "No such file"))
            delays.append(delay)
        }
        #expect(delays.first == .milliseconds(100) && delays.last == .seconds(30))
    }

    @Test("counters survive the worker that counted, and never go backwards")
    func counters() throws {
        var bench = Bench()
        _ = bench.after(.zero)
        try bench.serve()
        _ = bench.after(.seconds(1))
        _ = try bench.says(.pong(sequence: 1, figures: figures(served: 10, connections: 3)))
        _ = bench.after(.seconds(1))
        _ = try bench.says(.pong(sequence: 2, figures: figures(served: 8, connections: 2)))
        #expect(bench.pool.records[0].figures.served == 10)
        let died = bench.dies()
        let obituary = try #require(died)
        #expect(obituary.served == 10 && obituary.connections == 2)
        #expect(bench.pool.records[0].past.served == 10 && bench.pool.records[0].past.connections == 0)
        #expect(bench.pool.records[0].figures == WorkerFigures())
    }

    @Test("drain: told once, drained, exit 0, no successor")
    func drain() throws {
        var bench = Bench(workers: 2)
        _ = bench.after(.zero)
        try bench.serve(0)
        bench.start(1)
        #expect(bench.pool.stop() == [.close(worker: 1), .kill(worker: 1)])
        let told = bench.pool.drain(until: bench.now + .seconds(60))
        #expect(told == [.close(worker: 0), .send(worker: 0, .drain)])
        #expect(try bench.says(.released(count: 1)) == [])
        #expect(try bench.says(.drained) == [])
        let died = bench.dies(.exited(status: 0))
        let obituary = try #require(died)
        #expect(obituary.wasClean && obituary.restart == nil)
        #expect(!bench.pool.isEmpty)
        #expect(bench.dies(.signalled(9), 1)?.restart == nil)
        #expect(bench.pool.isEmpty)
        #expect(bench.after(.seconds(100)) == [])
    }

    @Test("one that does not finish by the deadline is killed; so is one that does not exit")
    func drainDeadlines() throws {
        var bench = Bench(workers: 2)
        _ = bench.after(.zero)
        try bench.serve(0)
        try bench.serve(1)
        _ = bench.pool.stop()
        _ = bench.pool.drain(until: bench.now + .milliseconds(5500))
        _ = try bench.says(.drained, 1)
        #expect(bench.after(.milliseconds(900)) == [])
        #expect(bench.after(.milliseconds(1100)).contains(.kill(worker: 1)))
        _ = try bench.says(.pong(sequence: 1, figures: .init()), 0)
        #expect(bench.after(.milliseconds(3500)) == [.close(worker: 0), .send(worker: 0, .cut)])
        _ = bench.after(.milliseconds(999))
        #expect(bench.pool.records[0].isAnswering)
        #expect(bench.after(.milliseconds(1)).contains(.kill(worker: 0)))
        #expect(bench.dies()?.killedFor == .drainLate)
    }

    @Test("told to end at once, workers get a moment to tell their clients; told again, none")
    func cutting() throws {
        var bench = Bench(workers: 4)
        _ = bench.after(.zero)
        for worker in 0..<3 { try bench.serve(worker) }
        bench.start(3)
        _ = bench.pool.drain(until: bench.now + .seconds(60))
        _ = try bench.says(.drained, 2)
        #expect(
            bench.pool.cutAll(for: .serviceEnds, at: bench.now) == [
                .close(worker: 0), .send(worker: 0, .cut), .close(worker: 1), .send(worker: 1, .cut),
                .close(worker: 3), .kill(worker: 3),
            ])
        _ = try bench.says(.drained, 0)
        let obituary = bench.dies(.exited(status: 0), 0)
        #expect(obituary?.wasClean == true)
        #expect(
            bench.pool.cutAll(for: .serviceEnds, at: bench.now) == [.close(worker: 1), .kill(worker: 1)])
    }

    @Test("a channel that ends is given a moment for the exit status, then the worker is killed")
    func channelEnd() throws {
        var bench = Bench()
        _ = bench.after(.zero)
        try bench.serve()
        #expect(bench.pool.channelEnded(0, at: bench.now) == [.close(worker: 0)])
        #expect(bench.pool.serving == 0)
        #expect(bench.after(.milliseconds(1999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.close(worker: 0), .kill(worker: 0)])
        #expect(bench.dies()?.killedFor == .channelEnded)
    }

    @Test("a killed worker is killed once, and is ending until it is dead")
    func condemned() throws {
        var bench = Bench()
        _ = bench.after(.zero)
        try bench.serve()
        #expect(bench.pool.condemn(0, for: .stopped) == [.close(worker: 0), .kill(worker: 0)])
        #expect(bench.pool.condemn(0, for: .serviceEnds) == [])
        #expect(bench.pool.phase(of: 0) == .ending)
        #expect(bench.dies()?.killedFor == .stopped)
        #expect(bench.pool.phase(of: 0) == nil)
    }

    @Test("a successor is another worker: what comes late for its predecessor finds nobody")
    func successor() throws {
        var bench = Bench()
        _ = bench.after(.zero)
        try bench.serve()
        _ = bench.dies(hasServed: true)
        #expect(bench.after(.zero) == [.spawn(worker: 1, number: 0)])
        #expect(bench.pool.condemn(0, for: .stopped) == [])
        #expect(bench.pool.channelEnded(0, at: bench.now) == [])
        #expect(bench.pool.ended(0, .signalled(9), hasServed: true, at: bench.now) == [])
        try bench.serve()
        #expect(bench.pool.phase(of: 0) == nil && bench.pool.phase(of: 1) == .serving)
    }

    @Test("what it had counted since its last heartbeat counts, and what was lost with it has failed")
    func counted() throws {
        var bench = Bench()
        _ = bench.after(.zero)
        try bench.serve()
        _ = bench.pool.pingAll(at: bench.now)
        _ = try bench.says(.pong(sequence: 1, figures: figures(served: 10, connections: 3)))
        bench.pool.counted(0, figures(served: 14), lost: 2)
        bench.pool.counted(7, figures(served: 99), lost: 9)
        #expect(bench.dies(hasServed: true)?.connections == 3)
        #expect(bench.pool.records[0].past.served == 16 && bench.pool.records[0].past.failed == 2)
        // Nothing there, or less than it has said itself.
        _ = bench.after(.zero)
        try bench.serve()
        _ = bench.pool.pingAll(at: bench.now)
        _ = try bench.says(.pong(sequence: 1, figures: figures(served: 5)))
        bench.pool.counted(1, WorkerFigures(), lost: 0)
        #expect(bench.dies()?.served == 5 && bench.pool.records[0].past.served == 21)
    }

    static let lacksTools = ModelObservation(.init(backend: "b", model: "m"), .lacks("tools"), learntAt: 5)

    @Test("the end of a process that is not there changes nothing")
    func strayEnd() throws {
        var bench = Bench()
        #expect(bench.pool.ended(0, .signalled(9), hasServed: false, at: bench.now) == [])
        #expect(bench.after(.zero) == [.spawn(worker: 0, number: 0)])
    }
}
