// Which worker gets the next connection, and who is asked to let idle ones go. Pure. Holds: never a
// worker without a free slot, nor one that already has as many unacknowledged connections as it may
// swallow if it should turn out to hang.

import Shared

/// What is known of a serving worker when a connection is to be given out.
struct Candidate: Equatable, Sendable {
    let worker: WorkerID
    /// Free slots, by our own count.
    var free: Int
    /// Sent and not acknowledged yet.
    var unacknowledged: Int
    /// Idle keep-alive connections by its last report.
    var idle: Int
    /// It keeps us waiting for an acknowledgement or a heartbeat: the last choice.
    var isQuiet: Bool
}

enum Dispatch {
    /// What one hung worker can delay, at most.
    static let maximumUnacknowledged = 64

    /// The worker with the most free slots; of equals the one with the least unacknowledged, then the
    /// oldest. A quiet one only when there is no other.
    static func choose(among candidates: [Candidate]) -> WorkerID? {
        var best: Candidate?
        for candidate in candidates
        where candidate.free > 0 && candidate.unacknowledged < maximumUnacknowledged {
            guard let known = best else {
                best = candidate
                continue
            }
            if rank(candidate) > rank(known) { best = candidate }
        }
        return best?.worker
    }

    private static func rank(_ candidate: Candidate) -> (Int, Int, Int, Int) {
        (candidate.isQuiet ? 0 : 1, candidate.free, -candidate.unacknowledged, -Int(candidate.worker.life))
    }

    /// Asks for `count` slots from workers with idle connections, the one with the most first. What the
    /// reports (a heartbeat old) do not cover is asked of the others, one each: they may have idle ones by
    /// now.
    static func closingIdle(_ count: Int, among candidates: [Candidate]) -> [(worker: WorkerID, count: Int)] {
        var missing = count
        var asked: [(worker: WorkerID, count: Int)] = []
        for candidate in candidates.sorted(by: { ($0.idle, $1.worker) > ($1.idle, $0.worker) })
        where missing > 0 && !candidate.isQuiet {
            let share = min(missing, max(candidate.idle, 1))
            asked.append((candidate.worker, share))
            missing -= share
        }
        return asked
    }
}
