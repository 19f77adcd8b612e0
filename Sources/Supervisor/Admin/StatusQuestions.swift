// Workers that have asked for the status on behalf of a client, until it is told them. Pure. Holds: at most
// `maximum` wait; beyond it the one that has waited longest is forgotten, and its client told so in time.

import Shared

struct StatusQuestions: Sendable {
    static let maximum = 64
    /// How long an answer waits for the workers' newest figures.
    static let freshness: Duration = .milliseconds(250)

    private struct Question: Sendable {
        let worker: WorkerID
        let token: UInt64
        let askedAt: MonotonicInstant
    }

    /// In the order in which they came.
    private var waiting: [Question] = []

    /// Since when the first of them waits.
    var askedAt: MonotonicInstant? { waiting.first?.askedAt }

    mutating func ask(_ token: UInt64, by worker: WorkerID, at now: MonotonicInstant) {
        if waiting.count >= Self.maximum { waiting.removeFirst() }
        waiting.append(Question(worker: worker, token: token, askedAt: now))
    }

    mutating func forget(_ worker: WorkerID) { waiting.removeAll { $0.worker == worker } }

    /// The answer for all of them, in messages.
    mutating func answers(_ json: [UInt8]) -> [(worker: WorkerID, SupervisorMessage)] {
        defer { waiting = [] }
        guard !waiting.isEmpty else { return [] }
        let pieces = StatusReport.pieces(of: json)
        return waiting.flatMap { question in
            pieces.enumerated().map { index, piece in
                let isLast = index == pieces.count - 1
                return (question.worker, .status(token: question.token, isLast: isLast, json: piece))
            }
        }
    }
}
