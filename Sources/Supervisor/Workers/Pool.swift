// The lives of the workers. Pure: events in, actions out, the clock handed in; nothing here starts, signals
// or writes. Holds: every worker has exactly one state; a worker that breaks the contract, hangs or is late
// is killed and replaced; while the service runs, every number whose worker is not alive has a time at which
// the next one starts. What is known of a life is known by its identity: an event that comes late finds
// nobody, never the successor.

import Shared

struct Pool: Sendable {
    struct Settings: Sendable {
        let workers: Int
        /// Interval of the heartbeat, and how long it may stay unanswered.
        let heartbeat: Duration
        let hungAfter: Duration
        let restartDelayMaximum: Duration
        /// From fork to `ready`.
        var handshakeWithin: Duration = .seconds(10)
        /// From `drained` to the exit.
        var exitWithin: Duration = .seconds(2)
        /// From `cut` to `drained`: for the last words to every client.
        var cutWithin: Duration = .seconds(1)
    }

    enum Action: Equatable, Sendable {
        /// A life begins under this number; `started` or `failedToStart` follows.
        case spawn(worker: WorkerID, number: Int)
        /// It speaks our language: it is to be told what the others know.
        case welcome(worker: WorkerID)
        case send(worker: WorkerID, SupervisorMessage)
        /// SIGKILL.
        case kill(worker: WorkerID)
        /// Ready: connections may be sent to it.
        case open(worker: WorkerID)
        /// No more connections for it; those it has not acknowledged stay its own until `bury`.
        case close(worker: WorkerID)
        /// Dead: its connections and permits go to others.
        case bury(Obituary)
    }

    /// A life lasting this long after `ready` has proved itself even without a request.
    static let provenAfter: Duration = .seconds(1)

    let settings: Settings
    /// By number.
    private(set) var records: [WorkerRecord]
    private(set) var isStopping = false
    private var nextLife: UInt32 = 0

    init(_ settings: Settings) {
        self.settings = settings
        records = (0..<settings.workers).map {
            WorkerRecord(number: $0, policy: settings.restartDelayMaximum)
        }
    }

    /// Every configured worker has been ready at least once: the service has started.
    var hasStarted: Bool { records.allSatisfy(\.wasEverReady) }
    var serving: Int { records.count { $0.isServing } }
    var isEmpty: Bool { records.allSatisfy(\.isGone) }

    /// No worker owes an answer to a heartbeat.
    var isCurrent: Bool { records.allSatisfy { !$0.owesAnswer } }

    /// Nil when no such worker is alive.
    func phase(of worker: WorkerID) -> WorkerPhase? { record(of: worker)?.state?.phase }

    func record(of worker: WorkerID) -> WorkerRecord? { records.first { $0.id == worker } }

    private func number(of worker: WorkerID) -> Int? { records.firstIndex { $0.id == worker } }

    // MARK: Time

    /// Starts what is due, sends heartbeats, kills what is late.
    mutating func tick(at now: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        for number in records.indices { actions += tick(number, at: now) }
        return actions
    }

    /// Heartbeats ahead of time, for figures that are true now.
    mutating func pingAll(at now: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        for number in records.indices where records[number].isAnswering {
            actions += ping(number, every: .zero, at: now)
        }
        return actions
    }

    /// The supervisor itself did not run for `pause` (stopped, or its machine was): nobody is blamed for it.
    mutating func forgive(_ pause: Duration) {
        for number in records.indices { records[number].postpone(by: pause) }
    }

    // MARK: Processes

    mutating func started(_ worker: WorkerID, pid: Int32) {
        guard let number = number(of: worker) else { return }
        records[number].started(pid: pid)
    }

    mutating func failedToStart(_ worker: WorkerID, reason: String, at now: MonotonicInstant) -> [Action] {
        ended(worker, .neverStarted(reason: reason), hasServed: false, at: now)
    }

    /// The control channel has ended. A worker that has said `drained` is about to exit.
    mutating func channelEnded(_ worker: WorkerID, at now: MonotonicInstant) -> [Action] {
        guard let number = number(of: worker), let state = records[number].state else { return [] }
        switch state {
        case .killed, .drained, .leaving: return []
        case .awaitingHello, .awaitingReady, .serving, .draining, .cutting:
            // Usually it is exiting and its status says more than a kill would: it gets a moment.
            records[number].state = .leaving(until: now + settings.exitWithin)
            return [.close(worker: worker)]
        }
    }

    /// What it had counted when it ended, and the exchanges that it could not count any more: they have failed.
    mutating func counted(_ worker: WorkerID, _ figures: WorkerFigures, lost: Int) {
        guard let number = number(of: worker) else { return }
        records[number].counted(figures, lost: lost)
    }

    /// The process has ended and all it ever said has been read. `hasServed`: it acknowledged a connection.
    mutating func ended(
        _ worker: WorkerID, _ ending: Ending, hasServed: Bool, at now: MonotonicInstant
    ) -> [Action] {
        guard let number = number(of: worker),
            let obituary = records[number].end(
                ending, hasServed: hasServed, isStopping: isStopping, at: now)
        else { return [] }
        return [.close(worker: worker), .bury(obituary)]
    }

    // MARK: Messages, permitted in the worker's phase

    mutating func greeted(_ worker: WorkerID, version: UInt32) throws(ProtocolViolation) -> [Action] {
        guard let number = number(of: worker) else { return [] }
        guard version == controlProtocolVersion else {
            throw ProtocolViolation(
                "it speaks version \(version) of the control protocol, not \(controlProtocolVersion)")
        }
        records[number].state = .awaitingReady
        return [.welcome(worker: worker)]
    }

    mutating func ready(_ worker: WorkerID, at now: MonotonicInstant) -> [Action] {
        guard let number = number(of: worker) else { return [] }
        records[number].becomeReady(at: now)
        return [.open(worker: worker)]
    }

    mutating func answered(
        _ worker: WorkerID, _ sequence: UInt64, _ figures: WorkerFigures
    ) throws(ProtocolViolation) {
        guard let number = number(of: worker) else { return }
        guard records[number].answered(sequence, figures) else {
            throw ProtocolViolation("pong \(sequence) without its ping")
        }
    }

    mutating func drained(_ worker: WorkerID, at now: MonotonicInstant) {
        guard let number = number(of: worker) else { return }
        records[number].state = .drained(until: now + settings.exitWithin)
    }

    // MARK: The end

    /// The worker broke the contract, or hangs: SIGKILL. Its connections are handed over when it is dead,
    /// not before: until then it could still serve them.
    mutating func condemn(_ worker: WorkerID, for reason: KillReason) -> [Action] {
        guard let number = number(of: worker) else { return [] }
        return condemn(number, for: reason)
    }

    /// No successors from here on; who serves goes on serving until `drain`.
    mutating func stop() -> [Action] {
        isStopping = true
        var actions: [Action] = []
        for number in records.indices { actions += records[number].stop() }
        return actions
    }

    /// Let what is in flight end by `deadline`.
    mutating func drain(until deadline: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        for number in records.indices where records[number].isServing {
            guard let worker = records[number].id else { continue }
            records[number].state = .draining(until: deadline)
            actions += [.close(worker: worker), .send(worker: worker, .drain)]
        }
        return actions
    }

    /// No more waiting. Who serves gets a moment to tell its clients, unless it has had it; the others have
    /// nobody to tell.
    mutating func cutAll(for reason: KillReason, at now: MonotonicInstant) -> [Action] {
        records.indices.flatMap { number in
            switch records[number].state {
            case .serving, .draining: cut(number, at: now)
            case .drained, .leaving: [] as [Action]
            default: condemn(number, for: reason)
            }
        }
    }

    // MARK: By number

    private mutating func condemn(_ number: Int, for reason: KillReason) -> [Action] {
        guard let worker = records[number].id, let state = records[number].state else { return [] }
        if case .killed = state { return [] }
        records[number].state = .killed(reason)
        return [.close(worker: worker), .kill(worker: worker)]
    }

    private mutating func cut(_ number: Int, at now: MonotonicInstant) -> [Action] {
        guard let worker = records[number].id else { return [] }
        records[number].state = .cutting(until: now + settings.cutWithin)
        return [.close(worker: worker), .send(worker: worker, .cut)]
    }

    private mutating func ping(
        _ number: Int, every interval: Duration, at now: MonotonicInstant
    ) -> [Action] {
        guard let worker = records[number].id,
            let sequence = records[number].nextPing(every: interval, at: now)
        else { return [] }
        return [.send(worker: worker, .ping(sequence: sequence))]
    }

    private mutating func begin(_ number: Int, at now: MonotonicInstant) -> [Action] {
        let worker = WorkerID(life: nextLife)
        nextLife &+= 1
        records[number].begin(worker, deadline: now + settings.handshakeWithin, at: now)
        return [.spawn(worker: worker, number: number)]
    }

    private mutating func tick(_ number: Int, at now: MonotonicInstant) -> [Action] {
        if records[number].isDue(at: now) { return begin(number, at: now) }
        guard let state = records[number].state else { return [] }
        switch state {
        case .killed: return []
        case .awaitingHello, .awaitingReady:
            return records[number].deadline <= now ? condemn(number, for: .handshakeLate) : []
        case .leaving(let deadline):
            return deadline <= now ? condemn(number, for: .channelEnded) : []
        case .drained(let deadline):
            return deadline <= now ? condemn(number, for: .drainLate) : []
        case .cutting(let deadline) where deadline <= now:
            return condemn(number, for: .drainLate)
        case .draining(let deadline) where deadline <= now:
            return cut(number, at: now)
        case .serving, .draining, .cutting:
            if let silence = records[number].silence(at: now), silence >= settings.hungAfter {
                return condemn(number, for: .hung(silence))
            }
            return ping(number, every: settings.heartbeat, at: now)
        }
    }
}
