// One epoll loop with one timer per source. Callbacks, no tasks: the tools have to be cheaper than what
// they measure. Times are `cs_now()` nanoseconds, which all processes of the machine share.

import CSystem
import Glibc

/// Something with a descriptor, a timer, or both.
class Source {
    fileprivate(set) var timerStamp: UInt64 = 0

    /// `events` are EPOLL bits.
    func ready(_ events: UInt32) {}
    func timeout(now: UInt64) {}
}

struct Readiness {
    static let input = EPOLLIN.rawValue | EPOLLRDHUP.rawValue
    static let both = input | EPOLLOUT.rawValue
    static let failed = EPOLLERR.rawValue | EPOLLHUP.rawValue
    static let output = EPOLLOUT.rawValue
}

final class Poller {
    private struct Slot {
        var source: Source?
        var generation: UInt32 = 0
    }
    private struct Timer {
        var deadline: UInt64
        var stamp: UInt64
        var source: Source
    }

    private let epoll: Int32
    private var slots: [Slot] = []
    private var timers: [Timer] = []
    private var nextStamp: UInt64 = 1
    private var batch = [epoll_event](repeating: epoll_event(), count: 512)
    var stopped = false

    init() throws {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw BenchError.system("epoll_create1") }
    }

    deinit { close(epoll) }

    func add(_ fd: Int32, _ source: Source, _ events: UInt32 = Readiness.input) {
        let index = Int(fd)
        while slots.count <= index { slots.append(Slot()) }
        slots[index].generation &+= 1
        slots[index].source = source
        control(EPOLL_CTL_ADD, fd, events)
    }

    func change(_ fd: Int32, _ events: UInt32) { control(EPOLL_CTL_MOD, fd, events) }

    /// To be called before close; events of the same batch are then not delivered any more.
    func remove(_ fd: Int32) {
        slots[Int(fd)].source = nil
        slots[Int(fd)].generation &+= 1
        epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nil)
    }

    private func control(_ operation: Int32, _ fd: Int32, _ events: UInt32) {
        var event = epoll_event()
        event.events = events
        event.data.u64 = UInt64(slots[Int(fd)].generation) << 32 | UInt64(UInt32(bitPattern: fd))
        epoll_ctl(epoll, operation, fd, &event)
    }

    /// Sets the source's only timer; a timer set before no longer fires.
    func setTimer(_ source: Source, at deadline: UInt64) {
        source.timerStamp = nextStamp
        push(Timer(deadline: deadline, stamp: nextStamp, source: source))
        nextStamp += 1
    }

    func clearTimer(_ source: Source) { source.timerStamp = 0 }

    func run() {
        while !stopped {
            let now = cs_now()
            while let first = timers.first, first.deadline <= now {
                pop()
                if first.source.timerStamp == first.stamp {
                    first.source.timerStamp = 0
                    first.source.timeout(now: now)
                }
            }
            if stopped { return }
            wait()
        }
    }

    private func wait() {
        var limit = timespec()
        let count: Int32
        if let first = timers.first {
            let now = cs_now()
            let left = first.deadline > now ? first.deadline - now : 0
            limit.tv_sec = Int(left / 1_000_000_000)
            limit.tv_nsec = Int(left % 1_000_000_000)
            count = epoll_pwait2(epoll, &batch, Int32(batch.count), &limit, nil)
        } else {
            count = epoll_pwait2(epoll, &batch, Int32(batch.count), nil, nil)
        }
        guard count > 0 else { return }
        for index in 0..<Int(count) {
            let key = batch[index].data.u64
            let slot = slots[Int(key & 0xFFFF_FFFF)]
            guard slot.generation == UInt32(key >> 32), let source = slot.source else { continue }
            source.ready(batch[index].events)
        }
    }

    // A binary heap by deadline; cleared timers are skipped when they come up.
    private func push(_ timer: Timer) {
        timers.append(timer)
        var child = timers.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if timers[parent].deadline <= timers[child].deadline { break }
            timers.swapAt(parent, child)
            child = parent
        }
    }

    private func pop() {
        timers.swapAt(0, timers.count - 1)
        timers.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < timers.count && timers[child].deadline < timers[least].deadline {
                least = child
            }
            if least == parent { return }
            timers.swapAt(parent, least)
            parent = least
        }
    }
}
