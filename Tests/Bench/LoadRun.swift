// Carries out a load plan: when which connection starts its next request, and when it is over.

import CSystem
import Glibc

/// A timer without a descriptor.
private final class Ticker: Source {
    var action: (UInt64) -> Void = { _ in }
    override func timeout(now: UInt64) { action(now) }
}

final class LoadRun {
    let plan: LoadPlan
    let poller: Poller
    let scratch = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 256 << 10)
    let requests: [[UInt8]]
    let expected: [UInt8]
    var figures: [LoadFigures]
    private var connections: [LoadConnection] = []
    private var idle: [LoadConnection] = []
    private let sweeper = Ticker()
    private let arrivals = Ticker()
    private var active = 0
    private var started = 0
    private let begin: UInt64
    private let end: UInt64
    private var random = SeededRandom(seed: 1)
    /// Alternate mode: how many of the first rounds are thrown away.
    private static let warmUp = 3
    /// A client that failed waits before it tries again.
    private static let backoff: UInt64 = 50_000_000

    init(_ plan: LoadPlan) throws {
        self.plan = plan
        poller = try Poller()
        scratch.initialize(repeating: 0)
        requests = plan.targets.map {
            RequestBodies.request(
                dialect: $0.dialect, port: $0.port, stream: plan.stream, size: plan.size,
                directive: plan.directive)
        }
        expected = Vocabulary.text(tokens: plan.directive.tokens)
        figures = plan.targets.map { _ in LoadFigures() }
        begin = cs_now()
        end = begin + UInt64(plan.seconds * 1e9)
    }

    deinit { scratch.deallocate() }

    /// Seconds it took.
    func carryOut() -> Double {
        sweeper.action = { [unowned self] in sweep($0) }
        poller.setTimer(sweeper, at: begin + 250_000_000)
        switch plan.mode {
        case .closed, .once:
            for index in 0..<plan.connections {
                let connection = LoadConnection(run: self, target: 0)
                connections.append(connection)
                active += 1
                poller.setTimer(
                    connection, at: begin + UInt64(plan.ramp * 1e9 * Double(index) / Double(plan.connections))
                )
            }
        case .open:
            arrivals.action = { [unowned self] in arrive($0) }
            poller.setTimer(arrivals, at: begin)
        case .alternate:
            connections = plan.targets.indices.map { LoadConnection(run: self, target: $0) }
            active = 1
            poller.setTimer(connections[0], at: begin)
        }
        poller.run()
        return Double(cs_now() - begin) / 1e9
    }

    /// A connection's own time to start has come.
    func due(_ connection: LoadConnection, now: UInt64) {
        guard plan.mode == .once || plan.mode == .alternate || (now < end && started < plan.requests) else {
            return retire()
        }
        started += 1
        connection.start(due: now)
    }

    func finished(_ connection: LoadConnection, _ failure: LoadFailure?) {
        figures[connection.target].requests += 1
        if let failure {
            figures[connection.target].failed += 1
            figures[connection.target].errors[failure.text, default: 0] += 1
        }
        switch plan.mode {
        case .once: retire()
        case .closed:
            if failure != nil {
                poller.setTimer(connection, at: cs_now() + Self.backoff)
            } else {
                due(connection, now: cs_now())
            }
        case .open:
            idle.append(connection)
            active -= 1
            stopWhenDone()
        case .alternate: alternate()
        }
    }

    private func retire() {
        active -= 1
        if active == 0 { poller.stopped = true }
    }

    private func alternate() {
        if started == Self.warmUp * connections.count { figures = plan.targets.map { _ in LoadFigures() } }
        guard started < (plan.requests + Self.warmUp) * connections.count else { return retire() }
        // Through the timer, not by a call: thousands of rounds must not nest.
        poller.setTimer(connections[started % connections.count], at: cs_now())
    }

    private func arrive(_ now: UInt64) {
        guard now < end, started < plan.requests else { return stopWhenDone() }
        started += 1
        active += 1
        let connection: LoadConnection
        if let rested = idle.popLast() {
            connection = rested
        } else {
            connection = LoadConnection(run: self, target: 0)
            connections.append(connection)
        }
        poller.setTimer(arrivals, at: now + random.exponential(mean: 1e9 / plan.rate))
        connection.start(due: now)
    }

    private func stopWhenDone() {
        if active == 0, cs_now() >= end || started >= plan.requests { poller.stopped = true }
    }

    private func sweep(_ now: UInt64) {
        let limit = UInt64(plan.timeout * 1e9)
        for connection in connections where connection.busy && now > connection.due + limit {
            connection.finish(.timeout)
        }
        if plan.mode == .open { stopWhenDone() }
        poller.setTimer(sweeper, at: now + 250_000_000)
    }
}

/// The same arrivals in every run: measurements differ by the program, not by luck.
struct SeededRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    /// Exponentially distributed, in the unit of `mean`, at most ten times the mean.
    mutating func exponential(mean: Double) -> UInt64 {
        let share = Double(next() >> 11) / Double(1 << 53)
        return UInt64(min(-log(max(share, 1e-9)), 10) * mean)
    }
}

enum LoadCommand {
    static func run(_ options: Options) throws {
        Sockets.raiseOpenFiles()
        let plan = try LoadPlan(options)
        let load = try LoadRun(plan)
        let seconds = load.carryOut()
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let cpu =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        var object = JSONObject()
        object.set("seconds", seconds)
        object.set("load_cpu_s", cpu)
        let targets = zip(plan.targets, load.figures).map { $1.json(name: $0.name, seconds: seconds) }
        object.set("targets", raw: "[\(targets.joined(separator: ",\n "))]")
        if let path = plan.output {
            try Files.write(object.text + "\n", to: path)
        } else {
            writeOutput(object.text + "\n")
        }
    }
}
