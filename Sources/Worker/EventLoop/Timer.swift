// Timers of the loop. Moving a timer to a later time, which every event of a stream does with its idle
// limit, writes one number: the heap learns of it when the old time comes.

/// Calls its action once when its time has come. While armed the loop keeps it alive; disarm what is no
/// longer needed, so that nothing waits for a distant deadline.
@Loop
public final class Timer {
    /// When the action is to be called; nil = not at all.
    public private(set) var deadline: Instant?
    /// The time under which the heap knows this timer: never after `deadline`.
    private var queued: Instant?
    private var identifier = 0
    private let action: @Loop () -> Void

    public init(_ action: @escaping @Loop () -> Void) { self.action = action }

    /// Sets or moves the deadline. Costs nothing but a store when it moves to later.
    public func arm(at new: Instant) {
        deadline = new
        if let queued {
            guard new < queued else { return }
            Loop.timers.requeue(identifier, at: new)
        } else {
            identifier = Loop.timers.enqueue(self, at: new)
        }
        queued = new
    }

    /// The action will not be called; the loop forgets the timer.
    public func disarm() {
        deadline = nil
        guard queued != nil else { return }
        queued = nil
        Loop.timers.forget(identifier)
    }

    /// The heap no longer knows this timer. Whether it is due, or goes back under a later time.
    fileprivate func leaveHeap() -> Bool {
        let known = queued
        queued = nil
        guard let deadline, let known else { return false }
        if deadline == known { return true }
        arm(at: deadline)
        return false
    }

    /// Calls the action, unless another one has disarmed or armed this timer in the same turn.
    fileprivate func fire() {
        guard queued == nil, deadline != nil else { return }
        deadline = nil
        action()
    }
}

/// The timers that are armed.
@Loop
final class TimerTable {
    private var heap = TimerHeap()
    private var timers: [Timer?] = []
    private var free: [Int] = []

    var count: Int { heap.count }
    var earliest: Instant? { heap.earliest.map(Instant.init(nanoseconds:)) }

    func enqueue(_ timer: Timer, at deadline: Instant) -> Int {
        let identifier: Int
        if let reused = free.popLast() {
            identifier = reused
            timers[identifier] = timer
        } else {
            identifier = timers.count
            timers.append(timer)
        }
        heap.set(identifier, deadline: deadline.nanoseconds)
        return identifier
    }

    func requeue(_ identifier: Int, at deadline: Instant) {
        heap.set(identifier, deadline: deadline.nanoseconds)
    }

    func forget(_ identifier: Int) {
        heap.remove(identifier)
        timers[identifier] = nil
        free.append(identifier)
    }

    /// Calls what is due, in order. What actions arm for now or earlier waits for the next turn.
    func fire(at now: Instant) {
        var due: [Timer] = []
        while let identifier = heap.popDue(at: now.nanoseconds) {
            let timer = timers[identifier]
            timers[identifier] = nil
            free.append(identifier)
            if let timer, timer.leaveHeap() { due.append(timer) }
        }
        for timer in due { timer.fire() }
    }
}
