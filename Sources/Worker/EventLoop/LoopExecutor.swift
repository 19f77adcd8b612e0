// The executor: the thread that calls `run` executes every job of `Loop`, fires its timers and waits in
// epoll. Swift's own thread pool is never used, so the worker stays at one thread.
// Fields without a lock belong to that thread.

internal import CConcurrency
internal import CSystem
internal import Glibc
internal import Synchronization

/// Serial executor of the `Loop` actor and task executor for what its tasks call.
public final class LoopExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
    public static let shared = LoopExecutor()

    /// How long jobs are run between two looks at the descriptors, so that busy tasks cannot starve the
    /// others' I/O: no job begins later than this in a turn.
    static let slice = Duration.milliseconds(10)

    /// The thread in `run`; 0 = none.
    private let owner = Atomic<UInt>(0)
    private let wake = Atomic<Int32>(-1)
    private let inbox = Mutex<[UnownedJob]>([])
    private var ready = JobQueue()
    private var turnstile = Turnstile()

    private init() {}

    // MARK: Executor

    public func enqueue(_ job: consuming ExecutorJob) {
        take(UnownedJob(job))
    }

    private func take(_ job: UnownedJob) {
        if isOwner { ready.push(job) } else { deliver(job) }
    }

    /// Makes this executor that of the whole process: jobs without an executor of their own, which Swift
    /// would give to its thread pool, run here too. For a process that has nothing but the loop.
    public static func takeOverProcess() {
        guard MemoryLayout<UnownedJob>.size == MemoryLayout<UnsafeMutableRawPointer>.size else { return }
        cc_take_global_jobs { job in
            guard let job else { return }
            let executor = LoopExecutor.shared
            executor.take(unsafeBitCast(job, to: UnownedJob.self))
        }
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    public func checkIsolated() {
        precondition(isOwner, "code of the loop was called on another thread")
    }

    public func isIsolatingCurrentContext() -> Bool? { isOwner }

    private var isOwner: Bool { owner.load(ordering: .relaxed) == pthread_self() }

    /// From another thread. The worker has none of its own; libcurl's resolver never calls Swift.
    private func deliver(_ job: UnownedJob) {
        inbox.withLock { $0.append(job) }
        let descriptor = wake.load(ordering: .acquiring)
        if descriptor >= 0 { _ = eventfd_write(descriptor, 1) }
    }

    // MARK: The loop

    /// Runs `body` and everything it starts on the calling thread, until `body` has returned. Tasks that
    /// are left then do not run any more. Throws when epoll cannot be had.
    public func run(_ body: @escaping @Sendable @Loop () async -> Void) throws(LoopError) {
        if wake.load(ordering: .relaxed) < 0 {
            let created = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
            if created < 0 { throw LoopError("eventfd") }
            wake.store(created, ordering: .releasing)
        }
        precondition(owner.exchange(pthread_self(), ordering: .relaxed) == 0, "the loop runs already")
        defer { owner.store(0, ordering: .relaxed) }
        let descriptor = wake.load(ordering: .relaxed)
        try Loop.assumeOnLoop { () throws(LoopError) in try Loop.poller.open(wake: descriptor) }
        let end = End()
        Loop.spawn {
            await body()
            end.reached = true
        }
        emptyInbox()
        runReady(until: end)
        while !end.reached {
            let atOnce = !ready.isEmpty || turnstile.isOpen
            let woken = Loop.assumeOnLoop { Loop.poller.turn(atOnce: atOnce) }
            // Behind those whom this turn's events have made ready.
            turnstile.admit()
            if woken {
                var ignored: eventfd_t = 0
                _ = eventfd_read(descriptor, &ignored)
                emptyInbox()
            }
            runReady(until: end)
        }
    }

    private func runReady(until end: End) {
        let limit = Loop.assumeOnLoop { Loop.now.advanced(by: Self.slice).nanoseconds }
        let serial = asUnownedSerialExecutor()
        let task = asUnownedTaskExecutor()
        while !end.reached, let job = ready.pop() {
            job.runSynchronously(isolatedTo: serial, taskExecutor: task)
            if cs_coarse_now() >= limit { break }
        }
        Loop.assumeOnLoop { Loop.poller.endTurn() }
    }

    /// Suspends the task of `continuation` until its turn comes.
    func park(_ continuation: UnsafeContinuation<Void, Never>) { turnstile.append(continuation) }

    func unparked() { turnstile.passed() }

    private func emptyInbox() {
        let jobs = inbox.withLock { jobs in
            let taken = jobs
            jobs.removeAll(keepingCapacity: true)
            return taken
        }
        for job in jobs { ready.push(job) }
    }

    /// Whether `body` has returned; read and written on the loop's thread.
    private final class End: @unchecked Sendable {
        var reached = false
    }
}
