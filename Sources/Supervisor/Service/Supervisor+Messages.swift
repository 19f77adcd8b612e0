// The workers' channels. Holds: each message goes to exactly one of Pool, ConnectionDispatcher and
// ServiceState, and only when it is permitted in that worker's phase.

import Shared

extension Supervisor {
    // MARK: Receiving

    func read(_ process: WorkerProcess, atMost limit: Int, at now: MonotonicInstant) {
        guard process.watched != nil else { return }
        for _ in 0..<limit {
            do {
                switch try process.channel.receive() {
                case .nothing: return
                case .message(let message): try take(message, from: process.id, at: now)
                case .passing: throw ProtocolViolation("a descriptor from a worker")
                case .bereft: throw ProtocolViolation("a descriptor from a worker")
                case .ended:
                    unwatch(process)
                    perform(pool.channelEnded(process.id, at: now), at: now)
                    return
                }
            } catch let violation as ProtocolViolation {
                condemn(process.id, for: .violation(violation.text), at: now)
            } catch {
                condemn(process.id, for: .violation("\(error)"), at: now)
                return
            }
        }
    }

    private func take(
        _ message: WorkerMessage, from worker: WorkerID, at now: MonotonicInstant
    ) throws(ProtocolViolation) {
        guard let phase = pool.phase(of: worker) else { return }
        guard message.isPermitted(in: phase) else {
            // It is being ended: beyond its connections, what it says is dropped.
            if phase == .ending { return }
            throw ProtocolViolation("\(message.kind) while \(phase)")
        }
        switch message {
        case .hello(let version): perform(try pool.greeted(worker, version: version), at: now)
        case .ready: perform(pool.ready(worker, at: now), at: now)
        case .pong(let sequence, let figures): try pool.answered(worker, sequence, figures)
        case .drained: pool.drained(worker, at: now)

        case .accepted(let id): perform([try dispatcher.accepted(id, by: worker)], at: now)
        case .released(let count):
            try dispatcher.released(count, by: worker)
            dispatchWaiting(at: now)
        case .peeked(let id, let verdict):
            if let action = try dispatcher.peeked(id, verdict, by: worker) { perform([action], at: now) }
            dispatchWaiting(at: now)

        case .observation(let observation):
            perform(service.observed(observation, by: worker, at: .now()), at: now)
        case .capabilitiesInvalidated(let backend, let moment):
            let actions = service.capabilitiesInvalidated(
                of: backend, before: moment, by: worker, at: .now())
            perform(actions, at: now)
        case .searched: perform(service.searched(by: worker), at: now)

        case .admit(let ticket, let question):
            perform(try service.admit(ticket, question, by: worker, at: now), at: now)
        case .notices(let notices): perform(service.noticed(notices, by: worker, at: now), at: now)
        case .checked(let backend, let result):
            perform(try service.checked(backend, result, by: worker, at: now), at: now)
        case .listing(let part): perform(try service.listed(part, by: worker, at: now), at: now)
        case .discovered(let name, let url, let priority):
            let actions = service.discovered(name: name, url: url, priority: priority, by: worker, at: now)
            perform(actions, at: now)
        case .askStatus(let token):
            statusQuestions.ask(token, by: worker, at: now)
            perform(pool.pingAll(at: now), at: now)
        }
    }

    // MARK: Sending

    /// - Returns: false when a descriptor was to be passed and there is no number left to keep it in the
    ///   queue.
    @discardableResult
    func send(
        _ message: SupervisorMessage, passing descriptor: Int32? = nil, to worker: WorkerID,
        at now: MonotonicInstant
    ) -> Bool {
        guard let process = processes[worker] else { return true }
        do throws(ControlFailure) {
            try process.channel.send(message, passing: descriptor)
            watch(process)
        } catch {
            failed(process, error, at: now)
            return error != .outOfDescriptors
        }
        return true
    }

    func flush(_ process: WorkerProcess, at now: MonotonicInstant) {
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
        case .congested: condemn(process.id, for: .violation("it does not read its channel"), at: now)
        default: condemn(process.id, for: .violation("channel: \(failure)"), at: now)
        }
    }

    // MARK: Watching

    private func watch(_ process: WorkerProcess) {
        guard let watched = process.watched else { return }
        let wanted: Interest = process.channel.wantsToWrite ? [.read, .write] : .read
        guard wanted != watched else { return }
        process.watched = wanted
        try? poller.change(process.channel.raw, .channel(process.id), for: wanted)
    }

    func unwatch(_ process: WorkerProcess) {
        guard process.watched != nil else { return }
        process.watched = nil
        poller.remove(process.channel.raw)
    }
}
