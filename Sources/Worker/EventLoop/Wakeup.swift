// The one waiting point of an exchange. Whatever can make it go on (client socket, transfer, timer,
// control message) only signals; the waiter then looks at all of its sources again. Signals are not
// counted and carry nothing, so no order of events is special and none is lost.

/// A flag that can be awaited, by one task at a time. Waiting allocates nothing.
@Loop
public final class Wakeup {
    private let waiter = Waiter()
    private var timer: Timer?

    public init() {}

    isolated deinit { timer?.disarm() }

    /// Lets the waiter go on, or the next wait return at once.
    public func signal() { waiter.signal() }

    /// Suspends until the next signal; returns at once when one came since the last wait.
    /// Cancelling the task does not end the wait: who cancels also signals.
    public func wait() async {
        if waiter.takeSignal() { return }
        _ = await withUnsafeContinuation { waiter.suspend($0, until: .distantFuture) }
    }

    /// As `wait()`, but at most until `deadline`. True = timed out without a signal.
    public func wait(until deadline: Instant) async -> Bool {
        if waiter.takeSignal() { return false }
        if deadline <= Loop.now { return true }
        arm(deadline)
        return await withUnsafeContinuation { waiter.suspend($0, until: deadline) }
    }

    /// The timer stays armed when the wait ends early: the next wait usually only moves it to later.
    private func arm(_ deadline: Instant) {
        guard deadline < .distantFuture else { return }
        if let timer { return timer.arm(at: deadline) }
        // The timer knows the waiter only, or the two would keep each other; and no weak reference,
        // which would make every later retain of this object a slow one.
        let new = Timer { [waiter] in waiter.timePassed() }
        timer = new
        new.arm(at: deadline)
    }
}

/// What a wakeup's timer shares with it.
@Loop
private final class Waiter {
    private enum State {
        case idle
        case signalled
        case waiting(UnsafeContinuation<Bool, Never>, until: Instant)
    }

    private var state = State.idle

    func signal() {
        guard case .waiting(let continuation, _) = state else {
            state = .signalled
            return
        }
        state = .idle
        continuation.resume(returning: false)
    }

    func takeSignal() -> Bool {
        switch state {
        case .idle: return false
        case .signalled:
            state = .idle
            return true
        case .waiting: preconditionFailure("two tasks wait on one Wakeup")
        }
    }

    /// A task that was not started with `Loop.spawn` may get here a turn later than it has looked: what has
    /// come meanwhile counts.
    func suspend(_ continuation: UnsafeContinuation<Bool, Never>, until deadline: Instant) {
        if case .signalled = state {
            state = .idle
            continuation.resume(returning: false)
        } else if deadline <= Loop.now {
            continuation.resume(returning: true)
        } else {
            state = .waiting(continuation, until: deadline)
        }
    }

    /// A wait without limit, or with a later one that has armed the timer anew, is not ended.
    func timePassed() {
        guard case .waiting(let continuation, let deadline) = state, deadline <= Loop.now else { return }
        state = .idle
        continuation.resume(returning: true)
    }
}
