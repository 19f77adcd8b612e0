// The supervisor's loop: the world becomes events, the pure parts (Pool, ConnectionDispatcher, ConcurrencyLimiter) answer with
// actions, and these are carried out here. Holds: one thread, no call that waits but the poller's; no byte
// of a client is read; a descriptor is either on its way to a worker and ours, or closed.

import CSystem
import Glibc
import Shared

/// All that `serve` has found out before the loop starts.
struct ServeSettings {
    let configuration: Configuration
    let plan: WorkerPlan
    let workers: Int
    let slots: Int
    /// Connections that may wait for a slot.
    let queue: Int
    let isService: Bool
    /// Somebody reads the lines of `StartupBanner` and the log on one terminal.
    let isInteractive: Bool
}

final class Supervisor {
    enum Phase {
        case running
        /// Nothing is accepted any more; what was accepted gets its worker.
        case handingOver(until: MonotonicInstant)
        case draining
    }

    let settings: ServeSettings
    let log: Log
    let banner: StartupBanner
    let started = MonotonicInstant.now()
    var poller: Poller
    var pool: Pool
    var dispatcher: ConnectionDispatcher
    var permits: ConcurrencyLimiter
    var manager: ServiceManager
    var listeners: Listeners
    var admin: AdminServer?
    var phase = Phase.running
    var processes: [Int: WorkerProcess] = [:]
    var connections: [UInt64: PendingConnection] = [:]
    /// The workers' reports of the backends, JSON arrays, by life. The oldest worker's is shown: one that has
    /// just started has not asked them yet.
    private var reports: [UInt32: String] = [:]
    /// What the dead whose burial is under way had in hand, by worker.
    private var lost: [Int: [InHand.Entry]] = [:]
    private(set) var backends = "[]"
    private(set) var backendsLine = ""

    let signals: Descriptor
    private var lastLife: UInt32 = 0
    var lastConnection: UInt64 = 0
    var areListenersWatched = false
    var acceptPausedUntil = MonotonicInstant(nanoseconds: 0)
    var nextPauseReport = MonotonicInstant(nanoseconds: 0)
    private var lastTurn = MonotonicInstant.now()
    var isFinished = false
    var isAnnounced = false

    init(
        _ settings: ServeSettings, listeners: Listeners, admin: AdminServer?, manager: ServiceManager,
        log: Log,
        banner: StartupBanner
    ) throws(SystemFailure) {
        self.settings = settings
        self.listeners = listeners
        self.admin = admin
        self.manager = manager
        self.log = log
        self.banner = banner
        let supervision = settings.configuration.supervision
        pool = Pool(
            Pool.Settings(
                workers: settings.workers, slots: UInt32(clamping: settings.slots),
                heartbeat: supervision.heartbeat, hungAfter: supervision.hungAfter,
                restartDelayMaximum: supervision.restartDelayMax))
        dispatcher = ConnectionDispatcher(
            queue: settings.queue, patience: settings.configuration.timeouts.header)
        permits = ConcurrencyLimiter(
            limits: settings.configuration.backends.map(\.maxConcurrent), ticketsPerWorker: settings.slots)
        poller = try Poller()
        let caught = Self.endingSignals + [SIGHUP] + Self.meaninglessSignals
        guard let signals = Descriptor(adopting: cs_signal_descriptor(caught, caught.count)) else {
            throw SystemFailure("signalfd", errno)
        }
        self.signals = signals
        // A log or a status reader that is gone shows in the call, not as a death.
        signal(SIGPIPE, SIG_IGN)
        // A line for a terminal that stops background writers (`stty tostop`) must not stop the service.
        signal(SIGTTOU, SIG_IGN)
        try poller.add(self.signals.raw, .signals, for: .read)
        if let admin { try poller.add(admin.listener.raw, .admin, for: .read) }
    }

    /// Returns the process's exit status when the service has ended.
    func run() -> Int32 {
        // A pause longer than this between turns is the machine's or a debugger's, not the workers'.
        let unexplained: Duration = .seconds(2)
        while true {
            turn(at: .now())
            if isFinished { break }
            let wait = untilNextDeadline(from: .now())
            let events = poller.wait(atMost: wait)
            for event in events { handle(event) }
            let now = MonotonicInstant.now()
            let pause = now.since(lastTurn)
            if pause > wait + unexplained { pool.forgive(pause) }
            lastTurn = now
        }
        finish()
        return 0
    }

    private func turn(at now: MonotonicInstant) {
        perform(pool.tick(at: now), at: now)
        lookAfterWorkers(at: now)
        dispatchWaiting(at: now)
        advancePhase(at: now)
        watchListeners(at: now)
        answerStatus(at: now)
        log.flush()
        manager.turn(at: now) { self.statusReport(at: now).line }
    }

    /// As soon as every worker has told its newest figures, or has taken too long to.
    private func answerStatus(at now: MonotonicInstant) {
        guard let admin else { return }
        admin.expire(at: now, poller)
        guard let asked = admin.askedAt else { return }
        guard pool.isCurrent || now.since(asked) >= AdminServer.freshness else { return }
        admin.answer(statusReport(at: now), poller)
    }

    private func untilNextDeadline(from now: MonotonicInstant) -> Duration {
        var next = now + settings.configuration.supervision.heartbeat
        for deadline in pool.records.compactMap(\.nextDeadline) { next = min(next, deadline) }
        if let deadline = manager.nextDeadline { next = min(next, deadline) }
        if let deadline = admin?.nextDeadline { next = min(next, deadline) }
        if acceptPausedUntil > now { next = min(next, acceptPausedUntil) }
        if dispatcher.waiting > 0 { next = min(next, now + ConnectionDispatcher.closeIdleInterval) }
        return next.since(now)
    }

    /// What the workers' sockets and acknowledgements say about them.
    private func lookAfterWorkers(at now: MonotonicInstant) {
        for (number, process) in processes {
            dispatcher.observed(
                worker: number,
                silent: pool.records[number].silence(at: now).map { $0 >= ConnectionDispatcher.quietAfter }
                    ?? false,
                congested: process.channel.wantsToWrite)
        }
        for number in dispatcher.overdue(at: now) where processes[number]?.isStopped == true {
            condemn(number, for: .stopped, at: now)
        }
    }

    // MARK: Events

    private func handle(_ event: PolledEvent) {
        let now = MonotonicInstant.now()
        switch event.token {
        case .signals: takeSignals(at: now)
        case .listener(let index): accept(from: index, at: now)
        case .admin: admin?.accept(poller, log, at: now)
        case .adminClient(let serial):
            if admin?.serve(serial, poller, at: now) == true { perform(pool.pingAll(at: now), at: now) }
        case .waiting(let id) where event.isHungUp: perform(dispatcher.vanished(id), at: now)
        case .waiting(let id): clientFinished(id)
        case .channel(let life):
            guard let process = processes.values.first(where: { $0.life == life }) else { return }
            if event.happened.contains(.write) { flush(process, at: now) }
            read(process, atMost: Self.messagesPerTurn, at: now)
        case .exit(let life):
            guard let process = processes.values.first(where: { $0.life == life }) else { return }
            bury(process, at: now)
        }
    }

    /// Messages taken from one worker before the others have their turn.
    private static let messagesPerTurn = 256

    private func read(_ process: WorkerProcess, atMost limit: Int, at now: MonotonicInstant) {
        guard process.watched != nil else { return }
        for _ in 0..<limit {
            do {
                switch try process.channel.receive() {
                case .nothing: return
                case .message(let message): try take(message, from: process.number, at: now)
                case .passing: throw ProtocolViolation("a descriptor from a worker")
                case .bereft: throw ProtocolViolation("a descriptor from a worker")
                case .ended:
                    unwatch(process)
                    perform(pool.channelEnded(worker: process.number, at: now), at: now)
                    return
                }
            } catch let violation as ProtocolViolation {
                condemn(process.number, for: .violation(violation.text), at: now)
            } catch {
                condemn(process.number, for: .violation("\(error)"), at: now)
                return
            }
        }
    }

    private func take(
        _ message: WorkerMessage, from number: Int, at now: MonotonicInstant
    ) throws(ProtocolViolation) {
        perform(try pool.received(message, from: number, at: now), at: now)
        switch message {
        case .accepted(let id): perform([try dispatcher.accepted(id, by: number)], at: now)
        case .released(let count):
            try dispatcher.released(count, by: number)
            dispatchWaiting(at: now)
        case .peeked(let id, let verdict):
            if let action = try dispatcher.peeked(id, verdict, by: number) { perform([action], at: now) }
            dispatchWaiting(at: now)
        case .acquire(let ticket, let backend):
            do throws(ConcurrencyLimiter.Refusal) {
                let grant = try permits.acquire(worker: number, ticket: ticket, backend: backend)
                grants(grant.map { [$0] } ?? [], at: now)
            } catch { throw ProtocolViolation("acquire: \(error)") }
        case .release(let ticket):
            do throws(ConcurrencyLimiter.Refusal) {
                grants(try permits.relinquish(worker: number, ticket: ticket), at: now)
            } catch { throw ProtocolViolation("release: \(error)") }
        case .pong(_, let figures): dispatcher.reported(worker: number, figures: figures)
        case .backends(let json):
            if let life = processes[number]?.life { reported(json, by: life) }
        case .realBackendSeen: log.debug(.realBackend, ["worker": LogValue(number)])
        case .hello, .ready, .observation, .capabilitiesInvalidated, .drained: break
        }
    }

    private func reported(_ json: String?, by life: UInt32) {
        reports[life] = json
        // Without any worker the last report is the best there is.
        guard let shown = reports.min(by: { $0.key < $1.key })?.value, shown != backends else { return }
        backends = shown
        let summaries = BackendSummary.all(in: shown)
        backendsLine = BackendSummary.line(of: summaries)
        banner.backends(summaries)
    }

    /// The process has ended: first all it has still said, then its death.
    private func bury(_ process: WorkerProcess, at now: MonotonicInstant) {
        guard let ending = process.reap() else { return }
        // Bounded by what fits into the socket; an endless talker is dead by now.
        read(process, atMost: .max, at: now)
        unwatch(process)
        poller.remove(process.exitHandle)
        processes[process.number] = nil
        reported(nil, by: process.life)
        lost[process.number] = process.lost
        perform(pool.ended(worker: process.number, ending, at: now), at: now)
        dispatchWaiting(at: now)
    }

    // MARK: Actions

    func perform(_ actions: [Pool.Action], at now: MonotonicInstant) {
        for action in actions {
            switch action {
            case .spawn(let number): spawn(number, at: now)
            case .send(let number, let message): send(message, to: number, at: now)
            case .kill(let number): processes[number]?.kill()
            case .open(let number): opened(number, at: now)
            case .close(let number): dispatcher.closed(worker: number)
            case .bury(let obituary):
                obituary.write(to: log, lost: lost.removeValue(forKey: obituary.worker) ?? [], at: now)
                dispatcher.lost(worker: obituary.worker)
                grants(permits.reclaim(worker: obituary.worker), at: now)
            }
        }
    }

    private func spawn(_ number: Int, at now: MonotonicInstant) {
        lastLife &+= 1
        do throws(SystemFailure) {
            let process = try WorkerProcess.start(settings.plan, number: number, life: lastLife)
            processes[number] = process
            pool.started(worker: number, pid: process.pid, at: now)
            do throws(SystemFailure) {
                try poller.add(process.exitHandle, .exit(life: process.life), for: .read)
                try poller.add(process.channel.raw, .channel(life: process.life), for: .read)
                process.watched = .read
            } catch {
                // Without being watched it could never be seen to end: the deadline would kill it in vain.
                process.kill()
                while process.reap() == nil {}
                processes[number] = nil
                perform(pool.ended(worker: number, .neverStarted(reason: "\(error)"), at: now), at: now)
            }
        } catch {
            perform(pool.failedToStart(worker: number, reason: "\(error)", at: now), at: now)
        }
    }

    private func opened(_ number: Int, at now: MonotonicInstant) {
        dispatcher.opened(worker: number, slots: settings.slots)
        let process = processes[number]
        let fields: LogFields = ["worker": LogValue(number), "object_pid": LogValue(process?.pid ?? 0)]
        if settings.isInteractive, !isAnnounced {
            log.debug(.workerReady, fields)
        } else {
            log.notice(.workerReady, fields)
        }
        dispatchWaiting(at: now)
        if pool.hasStarted { announceReady() }
    }

    /// - Returns: false when a descriptor was to be passed and there is no number left to keep it in the queue.
    @discardableResult
    func send(
        _ message: SupervisorMessage, passing descriptor: Int32? = nil, to number: Int,
        at now: MonotonicInstant
    ) -> Bool {
        guard let process = processes[number] else { return true }
        do throws(ControlFailure) {
            try process.channel.send(message, passing: descriptor)
            watch(process)
        } catch {
            failed(process, error, at: now)
            return error != .outOfDescriptors
        }
        return true
    }

    private func flush(_ process: WorkerProcess, at now: MonotonicInstant) {
        do throws(ControlFailure) {
            try process.channel.flush()
            watch(process)
        } catch {
            failed(process, error, at: now)
        }
    }

    private func failed(_ process: WorkerProcess, _ failure: ControlFailure, at now: MonotonicInstant) {
        switch failure {
        // Its end is about to be seen, with more to say than this.
        case .ended, .outOfDescriptors: break
        case .congested: condemn(process.number, for: .violation("it does not read its channel"), at: now)
        default: condemn(process.number, for: .violation("channel: \(failure)"), at: now)
        }
    }

    private func condemn(_ number: Int, for reason: KillReason, at now: MonotonicInstant) {
        let actions = pool.condemn(worker: number, for: reason)
        guard !actions.isEmpty else { return }
        log.warning(.workerKilled, ["worker": LogValue(number), "reason": LogValue(reason.text)])
        perform(actions, at: now)
    }

    private func grants(_ grants: [ConcurrencyLimiter.Grant], at now: MonotonicInstant) {
        for grant in grants { send(.permit(ticket: grant.ticket), to: grant.worker, at: now) }
    }

    // MARK: Watching

    private func watch(_ process: WorkerProcess) {
        guard let watched = process.watched else { return }
        let wanted: Interest = process.channel.wantsToWrite ? [.read, .write] : .read
        guard wanted != watched else { return }
        process.watched = wanted
        try? poller.change(process.channel.raw, .channel(life: process.life), for: wanted)
    }

    private func unwatch(_ process: WorkerProcess) {
        guard process.watched != nil else { return }
        process.watched = nil
        poller.remove(process.channel.raw)
    }
}
