// How much work something is, on a machine that does other things as well.

import Glibc

public enum Work {
    /// The processor time of this thread, the least of three runs: what other threads and processes do meanwhile
    /// is not in it.
    public static func least(_ work: () -> Void) -> Duration {
        (0..<3).map { _ in
            let begin = spent()
            work()
            return spent() - begin
        }.min() ?? .zero
    }

    private static func spent() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
