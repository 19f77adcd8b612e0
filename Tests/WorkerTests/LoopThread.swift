// Where tests of this target that are `@Loop` run: one thread of the test process, which drives the loop
// for all of them. Suites call `LoopThread.start()` in their initializer.

import EventLoop
import Glibc

enum LoopThread {
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

    static func start() { precondition(started) }
}
