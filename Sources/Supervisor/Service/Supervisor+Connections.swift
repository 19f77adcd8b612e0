// Accepting, and carrying out what ConnectionDispatcher decides. Nothing is accepted that nobody could serve
// some time, so that what waits stays in the kernel's queue, where a restart of this service does not hurt
// it.

import CSystem
import Glibc
import Shared

extension Supervisor {
    /// Connections taken from one listener before the others have their turn.
    private static let acceptsPerTurn = 64
    /// Rest after the system has run out of descriptors or memory: the listener stays readable, and
    /// without it the loop would spin.
    private static let acceptPause: Duration = .milliseconds(100)
    private static let pauseReportInterval: Duration = .seconds(10)

    func accept(from index: Int, at now: MonotonicInstant) {
        guard listeners.clients.indices.contains(index) else { return }
        takeConnections(from: listeners.clients[index], atMost: Self.acceptsPerTurn, at: now)
    }

    func takeConnections(from listener: Listener, atMost limit: Int, at now: MonotonicInstant) {
        for _ in 0..<limit {
            guard dispatcher.canTake else { return }
            let (raw, peer) = SocketAddress.accept(from: listener.raw)
            guard let socket = Descriptor(adopting: raw) else {
                switch errno {
                case EAGAIN: return
                case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                    pauseAccepting(errno, at: now)
                    return
                // Errors of that one connection (accept(2)): the next may be fine.
                default: continue
                }
            }
            lastConnection += 1
            connections[lastConnection] = PendingConnection(
                socket, id: lastConnection, scope: listener.scope, peer: peer)
            dispatcher.arrived(lastConnection)
            dispatchWaiting(at: now)
        }
    }

    private func pauseAccepting(_ code: Int32, at now: MonotonicInstant) {
        acceptPausedUntil = now + Self.acceptPause
        guard now >= nextPauseReport else { return }
        nextPauseReport = now + Self.pauseReportInterval
        log.error(
            .acceptPaused, ["reason": LogValue(errorText(code)), "held": LogValue(connections.count)])
    }

    /// Watches the listeners exactly while a connection could be taken.
    func watchListeners(at now: MonotonicInstant) {
        guard case .running = phase else { return }
        let wanted = dispatcher.canTake && now >= acceptPausedUntil
        guard wanted != areListenersWatched else { return }
        areListenersWatched = wanted
        for (index, listener) in listeners.clients.enumerated() {
            if wanted {
                try? poller.add(listener.raw, .listener(index), for: .read)
            } else {
                poller.remove(listener.raw)
            }
        }
    }

    func stopListening() {
        guard areListenersWatched else { return }
        areListenersWatched = false
        for listener in listeners.clients { poller.remove(listener.raw) }
    }

    func dispatchWaiting(at now: MonotonicInstant) { perform(dispatcher.dispatchWaiting(at: now), at: now) }

    func perform(_ actions: [ConnectionDispatcher.Action], at now: MonotonicInstant) {
        for action in actions {
            switch action {
            case .pass(let id, let worker):
                guard let connection = connections[id] else { continue }
                unwatch(connection)
                let isPassed = send(
                    .connection(id: id, scope: connection.scope, peer: connection.peer),
                    passing: connection.raw, to: worker, at: now)
                if !isPassed { lose(connection, meantFor: worker, at: now) }
            case .peek(let id, let worker):
                guard let connection = connections[id] else { continue }
                watch(connection)
                let isPassed = send(
                    .peek(id: id, scope: connection.scope, peer: connection.peer),
                    passing: connection.raw, to: worker, at: now)
                if !isPassed, let action = try? dispatcher.peeked(id, .other, by: worker) {
                    perform([action], at: now)
                }
            case .unpeek(let id, let worker):
                send(.unpeek(id: id), to: worker, at: now)
            case .closeIdle(let worker, let count):
                send(.closeIdle(count: UInt32(clamping: count)), to: worker, at: now)
            case .close(let id):
                guard let connection = connections.removeValue(forKey: id) else { continue }
                unwatch(connection)
            }
        }
    }

    /// Out of descriptors: it is given up as if the worker had taken and ended it, and accepting pauses.
    private func lose(_ connection: PendingConnection, meantFor worker: WorkerID, at now: MonotonicInstant) {
        pauseAccepting(EMFILE, at: now)
        log.error(
            .connectionLost,
            ["peer": LogValue(connection.peer), "reason": LogValue(errorText(EMFILE))])
        guard let action = try? dispatcher.accepted(connection.id, by: worker) else { return }
        perform([action], at: now)
        try? dispatcher.released(1, by: worker)
    }

    private func watch(_ connection: PendingConnection) {
        guard !connection.isWatched else { return }
        do throws(SystemFailure) {
            try poller.add(connection.raw, .waiting(id: connection.id), for: .peerClosed)
            connection.isWatched = true
        } catch {
            // Unwatched, its client's leaving is seen by the worker that gets it.
        }
    }

    /// It can still be answered; only its going altogether is watched for from here on.
    func clientFinished(_ id: UInt64) {
        guard let connection = connections[id], connection.isWatched else { return }
        try? poller.change(connection.raw, .waiting(id: id), for: [])
        dispatcher.finished(id)
    }

    private func unwatch(_ connection: PendingConnection) {
        guard connection.isWatched else { return }
        connection.isWatched = false
        poller.remove(connection.raw)
    }
}
