// The service's own life: ready, stopping, gone. Holds: a client that was accepted gets a worker, also
// while the service stops; one that was not accepted stays in systemd's socket for the next instance.

import CSystem
import Glibc
import Shared

extension Supervisor {
    /// The first lets streams finish, the second ends at once.
    static let endingSignals = [SIGTERM, SIGINT, SIGQUIT]
    /// By default they would end the service, and nobody who sends one means that.
    static let meaninglessSignals = [SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPOLL, SIGPWR]

    func announceReady() {
        manager.ready(status: briefStatus().line)
        guard !isAnnounced else { return }
        isAnnounced = true
        let fields: LogFields = [
            "workers": LogValue(pool.records.count), "startup_ms": LogValue(milliseconds(since: started)),
        ]
        if settings.isInteractive { log.debug(.ready, fields) } else { log.notice(.ready, fields) }
        banner.ready(listeners)
    }

    func takeSignals(at now: MonotonicInstant) {
        var sender: pid_t = 0
        while true {
            let number = cs_next_signal(signals.raw, &sender)
            guard number > 0 else { return }
            if number == SIGHUP, settings.isService {
                log.warning(.reloadUnsupported)
                continue
            }
            guard !Self.meaninglessSignals.contains(number) else {
                log.notice(.signalIgnored, ["signal": LogValue(signalName(number))])
                continue
            }
            switch phase {
            case .running: stop(for: number, at: now)
            case .handingOver, .draining: perform(pool.cutAll(for: .serviceEnds, at: now), at: now)
            }
        }
    }

    private func stop(for number: Int32, at now: MonotonicInstant) {
        let limit = generation.configuration.timeouts.drain
        log.notice(
            .stopping,
            ["signal": LogValue(signalName(number)), "drain_seconds": LogValue(limit.wholeSeconds)])
        banner.stopping()
        stopListening()
        phase = .handingOver(until: now + limit)
        if !listeners.areInherited {
            // Closing our own listener resets what is in its queue: those clients come in first. From
            // here on others are refused at once, and a successor can bind.
            for listener in listeners.clients {
                takeConnections(from: listener, atMost: dispatcher.queueCapacity, at: now)
            }
        }
        closeListeners()
        perform(pool.stop(), at: now)
        manager.stopping(status: briefStatus().line)
    }

    private func closeListeners() {
        for listener in listeners.clients { listener.close() }
        listeners.clients = []
    }

    func advancePhase(at now: MonotonicInstant) {
        switch phase {
        case .running: break
        case .handingOver(let deadline):
            guard dispatcher.isEmpty || pool.serving == 0 || now >= deadline else { break }
            phase = .draining
            perform(pool.drain(until: deadline), at: now)
        case .draining: break
        }
        if pool.isStopping, pool.isEmpty { isFinished = true }
    }

    func finish() {
        if !connections.isEmpty {
            log.warning(.connectionsLost, ["count": LogValue(connections.count)])
        }
        admin?.listener.close()
        log.notice(.stopped, ["uptime_seconds": LogValue(MonotonicInstant.now().since(started).wholeSeconds)])
        log.finish()
    }

    private func milliseconds(since moment: MonotonicInstant) -> Int64 {
        MonotonicInstant.now().since(moment).inNanoseconds / 1_000_000
    }
}
