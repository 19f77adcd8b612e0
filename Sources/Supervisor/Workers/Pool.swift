// The lives of the workers. Pure: events in, actions out, the clock handed in; nothing here starts,
// signals or writes. Holds: every worker has exactly one state; a worker that breaks the contract, hangs or
// is late is killed and replaced; while the service runs, every worker that is not alive has a time at
// which the next one starts.

import Shared

struct Pool: Sendable {
    struct Settings: Sendable {
        let workers: Int
        let slots: UInt32
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
        case spawn(worker: Int)
        case send(worker: Int, SupervisorMessage)
        /// SIGKILL.
        case kill(worker: Int)
        /// Ready: connections may be sent to it.
        case open(worker: Int)
        /// No more connections for it; those it has not acknowledged stay its own until `bury`.
        case close(worker: Int)
        /// Dead: its connections and permits go to others.
        case bury(Obituary)
    }

    /// A life lasting this long after `ready` has proved itself even without a request.
    static let provenAfter: Duration = .seconds(1)

    let settings: Settings
    private(set) var records: [WorkerRecord]
    private(set) var isStopping = false
    /// Whether some worker of this run has met a real backend.
    private(set) var realBackendSeen = false
    /// What the workers of this run have learnt of the backends' models.
    private(set) var lessons = ObservationStore()

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

    // MARK: Events

    /// Starts what is due, sends heartbeats, kills what is late.
    mutating func tick(at now: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        for number in records.indices { actions += tick(worker: number, at: now) }
        return actions
    }

    /// Heartbeats ahead of time, for figures that are true now.
    mutating func pingAll(at now: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        for number in records.indices where records[number].isAnswering {
            if let sequence = records[number].nextPing(every: .zero, at: now) {
                actions.append(.send(worker: number, .ping(sequence: sequence)))
            }
        }
        return actions
    }

    /// The supervisor itself did not run for `pause` (stopped, or its machine was): nobody is blamed for it.
    mutating func forgive(_ pause: Duration) {
        for number in records.indices { records[number].postpone(by: pause) }
    }

    mutating func started(worker: Int, pid: Int32, at now: MonotonicInstant) {
        records[worker].begin(pid: pid, deadline: now + settings.handshakeWithin, at: now)
    }

    mutating func failedToStart(worker: Int, reason: String, at now: MonotonicInstant) -> [Action] {
        records[worker].begin(pid: 0, deadline: now, at: now)
        return ended(worker: worker, .neverStarted(reason: reason), at: now)
    }

    /// A message that concerns the worker's life; throws what is not permitted in its state. Messages
    /// about connections and permits are only checked here.
    mutating func received(
        _ message: WorkerMessage, from worker: Int, at now: MonotonicInstant
    ) throws(ProtocolViolation) -> [Action] {
        guard let state = records[worker].state else { return [] }
        switch (state, message) {
        // What an ending worker has still said counts only for its connections.
        case (.killed, _), (.leaving, _): return []
        case (.awaitingHello, .hello(let version)):
            guard version == controlProtocolVersion else {
                throw ProtocolViolation(
                    "it speaks version \(version) of the control protocol, not \(controlProtocolVersion)")
            }
            records[worker].state = .awaitingReady
            let welcome = SupervisorMessage.welcome(slots: settings.slots, realBackendSeen: realBackendSeen)
            return ([welcome] + lessons.all.map { .observation($0) }).map { .send(worker: worker, $0) }
        case (.awaitingReady, .ready):
            records[worker].becomeReady(at: now)
            return [.open(worker: worker)]
        case (.awaitingHello, _), (_, .hello), (_, .ready):
            throw ProtocolViolation("\(message.kind) while \(state.name)")
        case (_, .pong(let sequence, let figures)):
            guard records[worker].answered(sequence, figures) else {
                throw ProtocolViolation("pong \(sequence) without its ping")
            }
            return []
        case (_, .realBackendSeen): return meetRealBackend(from: worker)
        case (_, .observation(let lesson)):
            return lessons.take(lesson) ? relay(.observation(lesson), from: worker) : []
        case (_, .capabilitiesInvalidated(let backend, let moment)):
            lessons.forgetVerdicts(of: backend, before: moment)
            // Told on even when nothing of it is kept here: what a worker has just told may be on its way.
            return relay(.capabilitiesInvalidated(backend: backend, before: moment), from: worker)
        case (.draining, .drained), (.cutting, .drained):
            records[worker].state = .drained(until: now + settings.exitWithin)
            return []
        case (_, .backends): return []
        case (.serving, .accepted), (.draining, .accepted), (.cutting, .accepted):
            records[worker].acknowledged()
            return []
        case (.serving, .drained), (.awaitingReady, _), (.drained, _):
            throw ProtocolViolation("\(message.kind) while \(state.name)")
        case (.serving, _), (.draining, _), (.cutting, _): return []
        }
    }

    /// The worker broke the contract, or hangs: SIGKILL. Its connections are handed over when it is dead,
    /// not before: until then it could still serve them.
    mutating func condemn(worker: Int, for reason: KillReason) -> [Action] {
        guard let state = records[worker].state else { return [] }
        if case .killed = state { return [] }
        records[worker].state = .killed(reason)
        return [.close(worker: worker), .kill(worker: worker)]
    }

    /// The control channel has ended. A worker that has said `drained` is about to exit.
    mutating func channelEnded(worker: Int, at now: MonotonicInstant) -> [Action] {
        guard let state = records[worker].state else { return [] }
        switch state {
        case .killed, .drained, .leaving: return []
        case .awaitingHello, .awaitingReady, .serving, .draining, .cutting:
            // Usually it is exiting and its status says more than a kill would: it gets a moment.
            records[worker].state = .leaving(until: now + settings.exitWithin)
            return [.close(worker: worker)]
        }
    }

    /// The process has ended and all it ever said has been read.
    mutating func ended(worker: Int, _ ending: Ending, at now: MonotonicInstant) -> [Action] {
        guard let obituary = records[worker].end(ending, isStopping: isStopping, at: now) else { return [] }
        return [.close(worker: worker), .bury(obituary)]
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
            records[number].state = .draining(until: deadline)
            actions += [.close(worker: number), .send(worker: number, .drain)]
        }
        return actions
    }

    /// No more waiting. Who serves gets a moment to tell its clients, unless it has had it; the others have
    /// nobody to tell.
    mutating func cutAll(for reason: KillReason, at now: MonotonicInstant) -> [Action] {
        records.indices.flatMap { number in
            switch records[number].state {
            case .serving, .draining: cut(worker: number, at: now)
            case .drained, .leaving: [] as [Action]
            default: condemn(worker: number, for: reason)
            }
        }
    }

    private mutating func cut(worker: Int, at now: MonotonicInstant) -> [Action] {
        records[worker].state = .cutting(until: now + settings.cutWithin)
        return [.close(worker: worker), .send(worker: worker, .cut)]
    }

    // MARK: Decisions

    private mutating func tick(worker: Int, at now: MonotonicInstant) -> [Action] {
        if records[worker].isDue(at: now) { return [.spawn(worker: worker)] }
        guard let state = records[worker].state else { return [] }
        switch state {
        case .killed: return []
        case .awaitingHello, .awaitingReady:
            return records[worker].deadline <= now ? condemn(worker: worker, for: .handshakeLate) : []
        case .leaving(let deadline):
            return deadline <= now ? condemn(worker: worker, for: .channelEnded) : []
        case .drained(let deadline):
            return deadline <= now ? condemn(worker: worker, for: .drainLate) : []
        case .cutting(let deadline) where deadline <= now:
            return condemn(worker: worker, for: .drainLate)
        case .draining(let deadline) where deadline <= now:
            return cut(worker: worker, at: now)
        case .serving, .draining, .cutting:
            if let silence = records[worker].silence(at: now), silence >= settings.hungAfter {
                return condemn(worker: worker, for: .hung(silence))
            }
            guard let sequence = records[worker].nextPing(every: settings.heartbeat, at: now) else {
                return []
            }
            return [.send(worker: worker, .ping(sequence: sequence))]
        }
    }

    private mutating func meetRealBackend(from source: Int) -> [Action] {
        guard !realBackendSeen else { return [] }
        realBackendSeen = true
        return relay(.realBackendSeen, from: source)
    }

    private func relay(_ message: SupervisorMessage, from source: Int) -> [Action] {
        records.filter { $0.number != source && $0.wasWelcomed }.map { .send(worker: $0.number, message) }
    }
}
