// The supervisor's loop: the world becomes events, the pure parts (Pool, ConnectionDispatcher, ServiceState)
// answer with actions, and these are carried out here. Holds: one thread, no call that waits but the
// poller's; no byte of a client is read; a descriptor is either on its way to a worker and ours, or closed.

import CSystem
import Glibc
import Shared

/// All that `serve` has found out before the loop starts.
struct ServeSettings {
    let generation: Generation
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
    let generation: Generation
    let log: Log
    let banner: StartupBanner
    let started = MonotonicInstant.now()
    var poller: Poller
    var pool: Pool
    var dispatcher: ConnectionDispatcher
    var service: ServiceState
    var manager: ServiceManager
    var listeners: Listeners
    var admin: AdminServer?
    var phase = Phase.running
    var processes: [WorkerID: WorkerProcess] = [:]
    var connections: [UInt64: PendingConnection] = [:]
    /// What the dead whose burial is under way had in hand.
    var lost: [WorkerID: [InHand.Entry]] = [:]
    /// As they were shown last; gathered anew when something has changed.
    var backends: [BackendStatus] = []
    private var areBackendsStale = false
    /// Workers that have asked for the status.
    var statusQuestions = StatusQuestions()

    let signals: Descriptor
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
        generation = settings.generation
        pool = Pool(Pool.Settings(generation))
        dispatcher = ConnectionDispatcher(
            queue: settings.queue, patience: generation.configuration.timeouts.header)
        service = ServiceState(ServiceState.Settings(generation))
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
        perform(service.tick(at: now), at: now)
        showBackends(at: now)
        lookAfterWorkers(at: now)
        dispatchWaiting(at: now)
        advancePhase(at: now)
        watchListeners(at: now)
        answerStatus(at: now)
        log.flush()
        manager.turn(at: now) { self.briefStatus(at: now).line }
    }

    /// What has changed in this turn shows once.
    private func showBackends(at now: MonotonicInstant) {
        guard areBackendsStale else { return }
        areBackendsStale = false
        backends = service.backendStatuses(at: now, .now())
        banner.backends(backends)
    }

    /// As soon as every worker has told its newest figures, or has taken too long to.
    private func answerStatus(at now: MonotonicInstant) {
        admin?.expire(at: now, poller)
        guard let asked = [admin?.askedAt, statusQuestions.askedAt].compactMap({ $0 }).min() else { return }
        guard pool.isCurrent || now.since(asked) >= StatusQuestions.freshness else { return }
        let json = statusReport(at: now).json
        admin?.answer(json, poller)
        for (worker, message) in statusQuestions.answers(json) { send(message, to: worker, at: now) }
    }

    private func untilNextDeadline(from now: MonotonicInstant) -> Duration {
        var next = now + generation.configuration.supervision.heartbeat
        for deadline in pool.records.compactMap(\.nextDeadline) { next = min(next, deadline) }
        if let deadline = manager.nextDeadline { next = min(next, deadline) }
        if let deadline = admin?.nextDeadline { next = min(next, deadline) }
        if let asked = statusQuestions.askedAt { next = min(next, asked + StatusQuestions.freshness) }
        if let deadline = service.nextDeadline { next = min(next, deadline) }
        if acceptPausedUntil > now { next = min(next, acceptPausedUntil) }
        if dispatcher.waiting > 0 { next = min(next, now + ConnectionDispatcher.closeIdleInterval) }
        return next.since(now)
    }

    /// What the workers' sockets, acknowledgements and reports say about them.
    private func lookAfterWorkers(at now: MonotonicInstant) {
        for record in pool.records {
            guard let worker = record.id, let process = processes[worker] else { continue }
            dispatcher.observed(
                worker: worker, idle: record.idle,
                silent: record.silence(at: now).map { $0 >= ConnectionDispatcher.quietAfter } ?? false,
                congested: process.channel.wantsToWrite)
        }
        for worker in dispatcher.overdue(at: now) where processes[worker]?.isStopped == true {
            condemn(worker, for: .stopped, at: now)
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
        case .channel(let worker):
            guard let process = processes[worker] else { return }
            if event.happened.contains(.write) { flush(process, at: now) }
            read(process, atMost: Self.messagesPerTurn, at: now)
        case .exit(let worker):
            guard let process = processes[worker] else { return }
            bury(process, at: now)
        }
    }

    /// Messages taken from one worker before the others have their turn.
    private static let messagesPerTurn = 256

    /// The process has ended: first all it has still said, then its death.
    private func bury(_ process: WorkerProcess, at now: MonotonicInstant) {
        guard let ending = process.reap() else { return }
        // Bounded by what fits into the socket; an endless talker is dead by now.
        read(process, atMost: .max, at: now)
        unwatch(process)
        poller.remove(process.exitHandle)
        processes[process.id] = nil
        let inHand = process.lost
        lost[process.id] = inHand
        pool.counted(process.id, process.counted, lost: inHand.count { !$0.requestedModel.isEmpty })
        let hasServed = dispatcher.hasServed(process.id)
        perform(pool.ended(process.id, ending, hasServed: hasServed, at: now), at: now)
        dispatchWaiting(at: now)
    }

    // MARK: Actions

    func perform(_ actions: [Pool.Action], at now: MonotonicInstant) {
        for action in actions {
            switch action {
            case .spawn(let worker, let number): spawn(worker, number: number, at: now)
            case .welcome(let worker): perform(service.joined(worker, at: now), at: now)
            case .send(let worker, let message): send(message, to: worker, at: now)
            case .kill(let worker): processes[worker]?.kill()
            case .open(let worker): opened(worker, at: now)
            case .close(let worker):
                dispatcher.closed(worker: worker)
                service.closed(worker)
            case .bury(let obituary):
                obituary.write(to: log, lost: lost.removeValue(forKey: obituary.worker) ?? [], at: now)
                dispatcher.lost(worker: obituary.worker)
                statusQuestions.forget(obituary.worker)
                perform(service.died(obituary.worker, at: now), at: now)
            }
        }
    }

    func perform(_ actions: [ServiceState.Action], at now: MonotonicInstant) {
        for action in actions {
            switch action {
            case .send(let worker, let message): send(message, to: worker, at: now)
            case .condemn(let worker, let violation):
                condemn(worker, for: .violation(violation.text), at: now)
            case .tell(let news): news.write(to: log)
            case .backendsChanged: areBackendsStale = true
            }
        }
    }

    private func spawn(_ worker: WorkerID, number: Int, at now: MonotonicInstant) {
        do throws(SystemFailure) {
            let process = try WorkerProcess.start(generation.plan, worker, number: number)
            processes[worker] = process
            pool.started(worker, pid: process.pid)
            do throws(SystemFailure) {
                try poller.add(process.exitHandle, .exit(worker), for: .read)
                try poller.add(process.channel.raw, .channel(worker), for: .read)
                process.watched = .read
            } catch {
                // Without being watched it could never be seen to end: the deadline would kill it in vain.
                process.kill()
                while process.reap() == nil {}
                processes[worker] = nil
                perform(pool.failedToStart(worker, reason: "\(error)", at: now), at: now)
            }
        } catch {
            perform(pool.failedToStart(worker, reason: "\(error)", at: now), at: now)
        }
    }

    private func opened(_ worker: WorkerID, at now: MonotonicInstant) {
        dispatcher.opened(worker: worker, slots: generation.plan.slots)
        service.opened(worker)
        let process = processes[worker]
        let fields: LogFields = [
            "worker": LogValue(process?.number ?? 0), "object_pid": LogValue(process?.pid ?? 0),
        ]
        if settings.isInteractive, !isAnnounced {
            log.debug(.workerReady, fields)
        } else {
            log.notice(.workerReady, fields)
        }
        dispatchWaiting(at: now)
        if pool.hasStarted { announceReady() }
    }

    func condemn(_ worker: WorkerID, for reason: KillReason, at now: MonotonicInstant) {
        let number = pool.record(of: worker)?.number
        let actions = pool.condemn(worker, for: reason)
        guard !actions.isEmpty else { return }
        log.warning(.workerKilled, ["worker": LogValue(number ?? 0), "reason": LogValue(reason.text)])
        perform(actions, at: now)
    }
}
