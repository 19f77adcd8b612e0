// One number of the pool: the worker that lives under it now, and what the earlier ones left. Pure. Holds:
// counters never go backwards, for the figures of the dead are kept.

import Shared

/// Where a life stands, with what the supervisor has to know beyond its phase.
enum LifeState: Equatable, Sendable {
    case awaitingHello
    case awaitingReady
    case serving
    /// Told to finish; told to cut off the rest at the deadline.
    case draining(until: MonotonicInstant)
    /// Told to cut off what is left; killed at the deadline.
    case cutting(until: MonotonicInstant)
    /// It has said that nothing is left; only its exit is to come.
    case drained(until: MonotonicInstant)
    /// Its channel has ended; only its exit is to come.
    case leaving(until: MonotonicInstant)
    /// SIGKILL is on its way.
    case killed(KillReason)

    var phase: WorkerPhase {
        switch self {
        case .awaitingHello: .greeting
        case .awaitingReady: .welcomed
        case .serving: .serving
        case .draining, .cutting: .draining
        case .drained: .drained
        case .leaving, .killed: .ending
        }
    }

    /// What `dragoman status` calls it.
    var name: String {
        switch self {
        case .awaitingHello, .awaitingReady: "starting"
        case .serving: "serving"
        case .draining, .cutting, .drained: "draining"
        case .leaving, .killed: "ending"
        }
    }
}

struct WorkerRecord: Sendable {
    private struct Life {
        let id: WorkerID
        /// Zero until the process has started.
        var pid: Int32 = 0
        let born: MonotonicInstant
        var state: LifeState = .awaitingHello
        var deadline: MonotonicInstant
        var readyAt: MonotonicInstant?
        var figures = WorkerFigures()
        /// The last ping sent, when, and whether it is still unanswered.
        var sequence: UInt64 = 0
        var pinged: MonotonicInstant
        var isUnanswered = false
    }

    private enum Phase {
        case resting(until: MonotonicInstant)
        case alive(Life)
        case gone
    }

    let number: Int
    /// Lives after the first.
    private(set) var restarts = 0
    private(set) var wasEverReady = false
    /// Sum over the lives that have ended; the gauges stay zero.
    private(set) var past = WorkerFigures()
    private var policy: RestartPolicy
    private var phase = Phase.resting(until: MonotonicInstant(nanoseconds: 0))
    private var lives = 0

    init(number: Int, policy maximumDelay: Duration) {
        self.number = number
        policy = RestartPolicy(maximum: maximumDelay)
    }

    private var life: Life? {
        get {
            guard case .alive(let life) = phase else { return nil }
            return life
        }
        set {
            guard let newValue, case .alive = phase else { return }
            phase = .alive(newValue)
        }
    }

    /// Nil when there is no process. Setting it without one does nothing.
    var state: LifeState? {
        get { life?.state }
        set { if let newValue { life?.state = newValue } }
    }

    /// Nil when nobody lives under this number.
    var id: WorkerID? { life?.id }
    var pid: Int32? { life?.pid }
    var deadline: MonotonicInstant { life?.deadline ?? MonotonicInstant(nanoseconds: .max) }
    var figures: WorkerFigures { life?.figures ?? WorkerFigures() }
    /// Kept-alive connections without a request, by its last report.
    var idle: Int { Int(clamping: Int64(figures.connections) - Int64(figures.exchanges)) }
    var isServing: Bool { state == .serving }
    /// Serving, or finishing: it answers heartbeats.
    var isAnswering: Bool {
        switch state {
        case .serving, .draining, .cutting: true
        case .awaitingHello, .awaitingReady, .drained, .leaving, .killed, nil: false
        }
    }

    var owesAnswer: Bool { isAnswering && life?.isUnanswered == true }
    var isGone: Bool {
        if case .gone = phase { return true }
        return false
    }

    /// What `dragoman status` calls it.
    var stateName: String {
        switch phase {
        case .resting: "restarting"
        case .alive(let life): life.state.name
        case .gone: "gone"
        }
    }

    func age(at now: MonotonicInstant) -> Duration { life.map { now.since($0.born) } ?? .zero }

    func isDue(at now: MonotonicInstant) -> Bool {
        guard case .resting(let until) = phase else { return false }
        return until <= now
    }

    /// When this worker needs the clock next, apart from the heartbeat.
    var nextDeadline: MonotonicInstant? {
        switch phase {
        case .resting(let until): return until
        case .gone: return nil
        case .alive(let life):
            switch life.state {
            case .awaitingHello, .awaitingReady: return life.deadline
            case .draining(let until), .cutting(let until), .drained(let until), .leaving(let until):
                return until
            case .serving, .killed: return nil
            }
        }
    }

    // MARK: Events

    mutating func begin(_ id: WorkerID, deadline: MonotonicInstant, at now: MonotonicInstant) {
        lives += 1
        restarts = lives - 1
        phase = .alive(Life(id: id, born: now, deadline: deadline, pinged: now))
    }

    mutating func started(pid: Int32) { life?.pid = pid }

    mutating func becomeReady(at now: MonotonicInstant) {
        wasEverReady = true
        life?.state = .serving
        life?.readyAt = now
        life?.pinged = now
    }

    /// The number of the ping that is due, once the one before has been answered.
    mutating func nextPing(every interval: Duration, at now: MonotonicInstant) -> UInt64? {
        guard var life, !life.isUnanswered, now.since(life.pinged) >= interval else { return nil }
        life.sequence += 1
        life.pinged = now
        life.isUnanswered = true
        self.life = life
        return life.sequence
    }

    /// How long the heartbeat has been unanswered; nil when nothing is owed.
    func silence(at now: MonotonicInstant) -> Duration? {
        guard let life, life.isUnanswered else { return nil }
        return now.since(life.pinged)
    }

    /// False when no such ping is open.
    mutating func answered(_ sequence: UInt64, _ figures: WorkerFigures) -> Bool {
        guard var life, life.isUnanswered, life.sequence == sequence else { return false }
        life.isUnanswered = false
        life.figures.advance(to: figures)
        self.life = life
        return true
    }

    mutating func counted(_ figures: WorkerFigures, lost: Int) {
        guard var life else { return }
        // The gauges it has told last.
        var latest = figures
        latest.connections = life.figures.connections
        latest.exchanges = life.figures.exchanges
        life.figures.advance(to: latest)
        past.served &+= UInt64(clamping: lost)
        past.failed &+= UInt64(clamping: lost)
        self.life = life
    }

    mutating func postpone(by pause: Duration) {
        guard var life else { return }
        life.deadline = life.deadline + pause
        life.pinged = life.pinged + pause
        self.life = life
    }

    /// The process has ended; nil when there was none.
    mutating func end(
        _ ending: Ending, hasServed: Bool, isStopping: Bool, at now: MonotonicInstant
    ) -> Obituary? {
        guard let life else { return nil }
        past.add(life.figures)
        let proven =
            hasServed
            || life.readyAt.map { now.since($0) >= Pool.provenAfter } ?? false
        let delay = policy.ended(proven: proven)
        phase = isStopping ? .gone : .resting(until: now + delay)
        var killedFor: KillReason?
        if case .killed(let reason) = life.state { killedFor = reason }
        var wasClean = false
        if case .drained = life.state { wasClean = ending == .exited(status: 0) }
        return Obituary(
            worker: life.id, number: number, pid: life.pid, age: now.since(life.born),
            served: life.figures.served,
            connections: wasClean ? 0 : life.figures.connections, ending: ending, killedFor: killedFor,
            restart: isStopping ? nil : delay, wasClean: wasClean)
    }

    /// No further lives. One that is not ready yet has nothing to finish.
    mutating func stop() -> [Pool.Action] {
        switch phase {
        case .resting:
            phase = .gone
            return []
        case .gone:
            return []
        case .alive(let life):
            switch life.state {
            case .awaitingHello, .awaitingReady:
                state = .killed(.serviceEnds)
                return [.close(worker: life.id), .kill(worker: life.id)]
            default: return []
            }
        }
    }
}

extension WorkerFigures {
    /// Takes over a later report; a counter that would go backwards stays.
    mutating func advance(to later: WorkerFigures) {
        connections = later.connections
        exchanges = later.exchanges
        served = max(served, later.served)
        failed = max(failed, later.failed)
        inputTokens = max(inputTokens, later.inputTokens)
        outputTokens = max(outputTokens, later.outputTokens)
    }

    /// Adds counters, without the gauges.
    mutating func add(_ other: WorkerFigures) {
        served &+= other.served
        failed &+= other.failed
        inputTokens &+= other.inputTokens
        outputTokens &+= other.outputTokens
    }
}
