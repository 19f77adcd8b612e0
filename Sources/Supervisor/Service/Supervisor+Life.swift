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
        manager.ready(status: statusReport().line)
        guard !isAnnounced else { return }
        isAnnounced = true
        let fields: LogFields = [
            "workers": LogValue(pool.members.count), "startup_ms": LogValue(milliseconds(since: started)),
        ]
        if settings.isTold { log.debug(.ready, fields) } else { log.notice(.ready, fields) }
        progress.ready(doors)
    }

    func takeSignals(at now: Moment) {
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
            case .settling, .draining: perform(pool.cutAll(for: .serviceEnds, at: now), at: now)
            }
        }
    }

    private func stop(for number: Int32, at now: Moment) {
        let limit = settings.configuration.timeouts.drain
        log.notice(
            .stopping,
            ["signal": LogValue(signalName(number)), "drain_seconds": LogValue(limit.wholeSeconds)])
        progress.stopping()
        stopListening()
        phase = .settling(until: now + limit)
        if !doors.areInherited {
            // Closing our own listener resets what is in its queue: those clients come in first. From
            // here on others are refused at once, and a successor can bind.
            for listener in doors.clients {
                takeConnections(from: listener, atMost: intake.lobbyCapacity, at: now)
            }
        }
        closeDoors()
        perform(pool.stop(), at: now)
        manager.stopping(status: statusReport().line)
    }

    private func closeDoors() {
        for listener in doors.clients { listener.close() }
        doors.clients = []
    }

    func advancePhase(at now: Moment) {
        switch phase {
        case .running: break
        case .settling(let deadline):
            guard intake.isSettled || pool.serving == 0 || now >= deadline else { break }
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
        log.notice(.stopped, ["uptime_seconds": LogValue(Moment.now().since(started).wholeSeconds)])
        log.finish()
    }

    private func milliseconds(since moment: Moment) -> UInt64 {
        Moment.now().since(moment).wholeNanoseconds / 1_000_000
    }
}
