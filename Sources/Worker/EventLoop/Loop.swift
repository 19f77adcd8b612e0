// The global actor of the worker's one thread. Everything that touches a socket, a timer or a transfer is
// `@Loop`; nothing of the program runs anywhere else.
//
// Rules for callers: start tasks with `Loop.spawn`; a plain `Task {}` stays on the loop too, but pays an
// extra hop after each wait, and only where `LoopExecutor.takeOverProcess()` was called. Never Task.sleep:
// it starts threads.

internal import CSystem
internal import Glibc

/// The event loop as an actor. Its executor is `LoopExecutor.shared`.
@globalActor
public actor Loop {
    public static let shared = Loop()

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        LoopExecutor.shared.asUnownedSerialExecutor()
    }

    public static var sharedUnownedExecutor: UnownedSerialExecutor {
        LoopExecutor.shared.asUnownedSerialExecutor()
    }

    @Loop static let timers = TimerTable()
    @Loop static let poller = Poller()

    /// The time at which this turn of the loop began.
    @Loop public static var now: Instant { poller.turnStart }

    /// This turn has lasted so long that whoever could go on for much longer ought to `yield` first.
    @Loop public static var isLate: Bool {
        cs_coarse_now() >= now.advanced(by: LoopExecutor.slice).nanoseconds
    }

    /// Lets all others go first: what is ready, and what the descriptors bring. Of those who yield one goes
    /// on in each turn of the loop. For work that has no end of its own to wait for: large bodies, clients
    /// that send faster than they are served.
    @Loop public static func yield() async {
        await withUnsafeContinuation { LoopExecutor.shared.park($0) }
        LoopExecutor.shared.unparked()
    }

    /// Called after each turn that held the loop for longer than `LongTurn.limit` of processor time. Setting
    /// it costs two system calls per turn.
    @Loop public static var longTurns: (@Loop (LongTurn) -> Void)?

    /// Starts an unstructured task that stays on the loop, whatever it calls.
    @discardableResult
    public nonisolated static func spawn(
        _ body: sending @escaping @Loop () async -> Void
    ) -> Task<Void, Never> {
        let carried = Carried(body: body)
        return Task(executorPreference: LoopExecutor.shared) { await carried.body() }
    }

    /// Enters the loop from a callback of C code that is known to run on its thread. A call from another
    /// thread is a mistake of the program and ends it.
    public nonisolated static func assumeOnLoop<T, Failure: Error>(
        _ body: @Loop () throws(Failure) -> T
    ) throws(Failure) -> T {
        LoopExecutor.shared.checkIsolated()
        return try withoutActuallyEscaping(body) { (escaping) throws(Failure) -> T in
            try unsafeBitCast(escaping, to: (() throws(Failure) -> T).self)()
        }
    }

    /// Suspends until `deadline`. Cancelling the task does not shorten it: what must be able to stop
    /// early waits on a `Wakeup`.
    @Loop public static func sleep(until deadline: Instant) async {
        let wakeup = Wakeup()
        while await !wakeup.wait(until: deadline) {}
    }

    @Loop public static func sleep(for duration: Duration) async {
        await sleep(until: Instant.now.advanced(by: duration))
    }

    private struct Carried: @unchecked Sendable {
        let body: @Loop () async -> Void
    }
}

/// A turn of the loop that lasted long: nobody else was served meanwhile.
public struct LongTurn: Sendable {
    public static let limit = Duration.milliseconds(50)

    /// Of the loop's own thread: on a busy machine a turn may last longer without any fault of its own.
    public let processorTime: Duration
    public let time: Duration
}

/// A system call of the loop that failed: `errno` and the call's name.
public struct LoopError: Error, Sendable, Equatable, CustomStringConvertible {
    public var call: String
    public var code: Int32

    init(_ call: String) {
        code = errno
        self.call = call
    }

    public var description: String { "\(call): \(String(cString: strerror(code)))" }
}
