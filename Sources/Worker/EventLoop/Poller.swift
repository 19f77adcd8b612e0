// epoll and the table of watches. A watch is known to the kernel by slot and generation, not by its
// descriptor: events for a watch that was cancelled earlier in the same batch find a newer generation
// and are dropped, even when its descriptor's number is already in use again.

internal import CSystem
internal import Glibc

@Loop
final class Poller {
    /// Events taken from the kernel per turn; more wait for the next one.
    private static let batch = 256

    private struct Slot {
        var generation: UInt32 = 0
        var watch: Watch?
    }

    private var epoll: Int32 = -1
    private var slots: [Slot] = []
    private var free: [Int] = []
    private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: batch)
    private(set) var turnStart = Instant.now
    /// What the loop's thread had used when the turn began; known only where somebody asks for long turns.
    private var processorStart: UInt64?

    /// Creates the epoll instance and adds the descriptor through which other threads wake the loop.
    func open(wake: Int32) throws(LoopError) {
        guard epoll < 0 else { return }
        let created = epoll_create1(Int32(EPOLL_CLOEXEC))
        if created < 0 { throw LoopError("epoll_create1") }
        epoll = created
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u64: .max))
        if epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) < 0 { throw LoopError("epoll_ctl") }
    }

    // MARK: Watches

    /// Takes a slot for the watch; the key is what the kernel gives back with its events.
    func add(_ watch: Watch, interest: UInt32) throws(LoopError) -> UInt64 {
        let index: Int
        if let reused = free.popLast() {
            index = reused
        } else {
            index = slots.count
            slots.append(Slot())
        }
        let key = UInt64(slots[index].generation) << 32 | UInt64(UInt32(truncatingIfNeeded: index))
        do throws(LoopError) {
            try control(EPOLL_CTL_ADD, watch.descriptor, interest, key)
        } catch {
            free.append(index)
            throw error
        }
        slots[index].watch = watch
        return key
    }

    /// Frees the slot. `registered` = the kernel still has the descriptor.
    func remove(_ key: UInt64, descriptor: Int32, registered: Bool) {
        let index = Int(key & 0xffff_ffff)
        guard index < slots.count, UInt64(slots[index].generation) == key >> 32 else { return }
        slots[index].watch = nil
        slots[index].generation &+= 1
        free.append(index)
        if registered { _ = epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil) }
    }

    func unregister(_ descriptor: Int32) { _ = epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil) }

    func control(_ operation: Int32, _ fd: Int32, _ interest: UInt32, _ key: UInt64) throws(LoopError) {
        var event = epoll_event(events: interest, data: epoll_data_t(u64: key))
        if epoll_ctl(epoll, operation, fd, &event) < 0 { throw LoopError("epoll_ctl") }
    }

    // MARK: One turn

    /// Waits for events (not at all when `atOnce`), then delivers them and fires the timers that are due.
    /// Returns whether another thread asked for attention.
    func turn(atOnce: Bool) -> Bool {
        let count = Int(epoll_wait(epoll, events.baseAddress, Int32(Self.batch), timeout(atOnce)))
        turnStart = .now
        if Loop.longTurns != nil { processorStart = cs_processor_time() }
        var woken = false
        for position in 0..<max(count, 0) {
            let event = events[position]
            let key = event.data.u64
            if key == .max {
                woken = true
                continue
            }
            let index = Int(key & 0xffff_ffff)
            guard index < slots.count, UInt64(slots[index].generation) == key >> 32 else { continue }
            slots[index].watch?.deliver(Readiness(rawValue: event.events))
        }
        if let earliest = Loop.timers.earliest, earliest <= turnStart { Loop.timers.fire(at: turnStart) }
        return woken
    }

    /// All that this turn did is done.
    func endTurn() {
        guard let processorStart, let report = Loop.longTurns else { return }
        let used = Duration.nanoseconds(Int64(clamping: cs_processor_time() &- processorStart))
        self.processorStart = nil
        guard used >= LongTurn.limit else { return }
        report(LongTurn(processorTime: used, time: turnStart.duration(to: .now)))
    }

    /// Milliseconds for epoll_wait: rounded up, so that a timer is due when the wait is over.
    private func timeout(_ atOnce: Bool) -> Int32 {
        if atOnce { return 0 }
        guard let earliest = Loop.timers.earliest else { return -1 }
        let left = earliest.nanoseconds(since: .now)
        return Int32(clamping: (left &+ 999_999) / 1_000_000)
    }
}
