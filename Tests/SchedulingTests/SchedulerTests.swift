import Scheduling
import Shared
import Testing

@Suite
struct SchedulerTests {
    @Test
    func grantsWithinTheLimit() throws {
        var scheduler = Scheduler(.init(), ticketsPerWorker: 8)
        var backend = Scheduler.Backend(BackendNumber(0), name: "one")
        backend.limit = 1
        let now = MonotonicInstant(nanoseconds: 1)
        _ = scheduler.apply(backend, at: now)
        let question = AdmissionQuestion(
            client: "c", candidates: [BackendCandidate(BackendNumber(0), ModelDigest(of: "m"))])
        let worker = WorkerID(life: 1)
        let first = try scheduler.admit(.init(worker: worker, number: 1), question, at: now)
        #expect(first.count == 1)
        #expect(try scheduler.admit(.init(worker: worker, number: 2), question, at: now).isEmpty)
        let after = try scheduler.ended(.init(worker: worker, number: 1), .init(.well), at: now)
        #expect(after.count == 1)
    }
}
