// The limit of open files: what the slots need, what there is, and what follows when it is too low.

import Glibc
import Shared

struct OpenFiles: Equatable, Sendable {
    /// Descriptors a process may need besides those of its connections: comfortably, and at the very least.
    static let reserve = 128
    static let leastReserve = 12

    /// Slots a worker can honestly be given.
    let slots: Int
    /// Connections that the supervisor may let wait for a slot.
    let queue: Int
    /// What is to be said at start, if anything.
    let warning: String?

    /// One connection needs a descriptor and, while it is served, one upstream.
    static func needed(slots: Int) -> Int { slots * 2 + reserve }

    /// What follows from a limit. Pure.
    init(slots: Int, limit: Int) {
        queue = AcceptQueue.capacity(openFiles: limit)
        // Where there are few, a quarter of them has to do.
        let reserve = min(Self.reserve, max(Self.leastReserve, limit / 4))
        let possible = max(1, (limit - reserve) / 2)
        guard possible < slots else {
            self.slots = slots
            warning = nil
            return
        }
        self.slots = possible
        warning =
            "the limit of \(limit) open files allows \(possible) connections per worker, not \(slots): "
            + "raise LimitNOFILE= (or ulimit -Hn) to \(Self.needed(slots: slots))"
    }

    /// Raises the process's limit (and so its workers') to what `slots` need, as far as it may.
    static func raise(slots: Int) -> OpenFiles {
        let openFiles = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        // The floor is for the supervisor itself, which holds the queue and connections on their way.
        let wanted = rlim_t(max(needed(slots: slots), AcceptQueue.capacity * AcceptQueue.shareOfFiles))
        var limit = rlimit()
        guard getrlimit(openFiles, &limit) == 0 else {
            return OpenFiles(slots: slots, limit: .max)
        }
        if limit.rlim_cur < wanted {
            var raised = limit
            raised.rlim_cur = min(wanted, limit.rlim_max)
            if limit.rlim_max < wanted {
                // Only the privileged may; worth the try.
                var beyond = limit
                beyond.rlim_cur = wanted
                beyond.rlim_max = wanted
                if setrlimit(openFiles, &beyond) == 0 { raised = beyond }
            }
            if setrlimit(openFiles, &raised) == 0 { limit = raised }
        }
        return OpenFiles(slots: slots, limit: Int(clamping: limit.rlim_cur))
    }
}
