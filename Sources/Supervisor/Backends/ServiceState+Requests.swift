// What workers ask and tell of their requests, on its way to the scheduler. Holds: what breaks the contract ends
// the worker; what comes from a worker that does not count any more is dropped.

import Scheduling
import Shared

extension ServiceState {
    mutating func admit(
        _ number: UInt64, _ question: AdmissionQuestion, by worker: WorkerID, at now: MonotonicInstant
    ) throws(ProtocolViolation) -> [Action] {
        guard workers.contains(worker) else { return [] }
        do throws(Scheduler.Violation) {
            let ticket = Scheduler.Ticket(worker: worker, number: number)
            return carryOut(try scheduler.admit(ticket, question, at: now), at: now)
        } catch {
            throw ProtocolViolation("admit: \(error)")
        }
    }

    mutating func noticed(
        _ notices: [ExchangeNotice], by worker: WorkerID, at now: MonotonicInstant
    ) -> [Action] {
        guard workers.contains(worker) else { return [] }
        var actions: [Action] = []
        do throws(Scheduler.Violation) {
            for notice in notices { actions += try noticed(notice, by: worker, at: now) }
        } catch {
            // What those before it have brought about holds: others may have been granted what they waited for.
            actions.append(.condemn(worker: worker, ProtocolViolation("notices: \(error)")))
        }
        return actions
    }

    private mutating func noticed(
        _ notice: ExchangeNotice, by worker: WorkerID, at now: MonotonicInstant
    ) throws(Scheduler.Violation) -> [Action] {
        func ticket(_ number: UInt64) -> Scheduler.Ticket { .init(worker: worker, number: number) }
        switch notice {
        case .began(let number, let question):
            return carryOut(try scheduler.began(ticket(number), question, at: now), at: now)
        case .answered(let number):
            return carryOut(try scheduler.answered(ticket(number), at: now), at: now)
        case .ended(let number, let report):
            let backend = scheduler.backend(of: ticket(number))
            let decided = try scheduler.ended(ticket(number), report, at: now)
            return look(at: backend, after: report.verdict, at: now) + carryOut(decided, at: now)
        case .refused(let client):
            scheduler.refused(client: client, at: now)
            return []
        }
    }

    /// A restart may be over before the prober's next round.
    private mutating func look(
        at backend: BackendNumber?, after verdict: AttemptReport.Verdict, at now: MonotonicInstant
    ) -> [Action] {
        guard verdict == .unreachable || verdict == .broken, let backend,
            let worker = prober.look(at: backend, at: now)
        else { return [] }
        return [.send(worker: worker, .look(backend: backend))]
    }
}
