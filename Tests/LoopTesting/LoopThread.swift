// Where tests that are `@Loop` run: one thread of the test process drives the loop for all of them, whatever
// target they are in, for all test targets are one process and a process has one loop. Suites call
// `LoopThread.start()` in their initializer.

import EventLoop
import Glibc

public enum LoopThread {
    private static let started: Bool = {
        var thread = pthread_t()
        let created = pthread_create(
            &thread, nil,
            { _ in
                try? LoopExecutor.shared.run {
                    let never = Wakeup()
                    while true { await never.wait() }
                }
                return nil
            }, nil)
        return created == 0
    }()

    public static func start() { precondition(started) }
}
