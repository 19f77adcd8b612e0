// How long a decision takes, with all that goes with it: the question, the grant and the end of a request.

import Scheduling
import Shared
import TestSupport

enum DecisionTime {
    private static let rounds = 50_000

    static func measure(backends: Int) {
        var scheduler = Scheduler(Configuration.Service(), ticketsPerWorker: 1000)
        let start = MonotonicInstant(nanoseconds: 1_000_000_000)
        for number in 0..<UInt16(backends) {
            _ = scheduler.apply(Scheduler.Backend(BackendNumber(number), name: "b\(number)"), at: start)
            _ = scheduler.checked(BackendNumber(number), .good, at: start)
        }
        let candidates = (0..<UInt16(backends)).map {
            BackendCandidate(BackendNumber($0), ModelDigest(of: "model"))
        }
        let questions = (0..<1000).map { index in
            var question = AdmissionQuestion(client: "client-\(index % 20)", candidates: candidates)
            question.session = UInt64(index) + 1
            question.promptTokens = 50_000
            question.prefix = (0..<26).map { mark in
                let digest: UInt64 = mark == 0 ? 1 : UInt64(index) * 1000 + UInt64(mark) + 10
                return PrefixMark(digest: digest, tokens: UInt32(10_000 + mark * 1600))
            }
            return question
        }
        var report = AttemptReport(.well)
        report.firstByte = 500_000
        report.duration = 2_000_000
        report.inputTokens = 50_000
        report.cachedTokens = 48_000
        var granted = 0
        let spent = Work.least {
            var scheduler = scheduler
            for round in 0..<rounds {
                let now = start + .milliseconds(round)
                let ticket = Scheduler.Ticket(worker: WorkerID(life: 1), number: UInt64(round))
                granted +=
                    (try? scheduler.admit(ticket, questions[round % questions.count], at: now).count) ?? 0
                if round >= 8 {
                    let ended = Scheduler.Ticket(worker: ticket.worker, number: ticket.number - 8)
                    _ = try? scheduler.ended(ended, report, at: now)
                }
            }
        }
        let nanoseconds = Double(spent.inNanoseconds) / Double(rounds)
        print(
            "a request among \(backends) backends: \(Int(nanoseconds)) ns of the supervisor, "
                + "question, grant and end (\(granted / 3) granted)")
    }
}
