// Timers: order, moving, disarming; the heap against a sorted list.

import LoopTesting
import TestSupport
import Testing

@testable import EventLoop

@Suite struct TimerHeapTests {
    @Test(
        "a random run of set, remove and pop agrees with a sorted list", arguments: [1, 2, 3, 4] as [UInt64])
    func agreesWithList(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var heap = TimerHeap()
        var model: [Int: UInt64] = [:]
        for _ in 0..<5000 {
            let identifier = Int.random(in: 0..<200, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let deadline = UInt64.random(in: 0..<1000, using: &random)
                heap.set(identifier, deadline: deadline)
                model[identifier] = deadline
            case 6..<8:
                heap.remove(identifier)
                model[identifier] = nil
            default:
                let now = UInt64.random(in: 0..<300, using: &random)
                let popped = heap.popDue(at: now)
                let expected = model.values.min().flatMap { $0 <= now ? $0 : nil }
                #expect(popped.flatMap { model[$0] } == expected)
                if let popped { model[popped] = nil }
            }
            #expect(heap.count == model.count)
            #expect(heap.earliest == model.values.min())
        }
    }
}

@Suite struct TimerTests {
    init() { LoopThread.start() }

    @Test("timers fire in order of their deadlines, none early")
    @Loop func order() async {
        var random = SeededRandom(seed: 7)
        var fired: [UInt64] = []
        let done = Wakeup()
        let start = Instant.now
        let delays = (0..<500).map { _ in UInt64.random(in: 0..<20_000_000, using: &random) }
        let timers = delays.map { delay in
            Timer {
                #expect(Instant.now >= start.advanced(nanoseconds: delay))
                fired.append(delay)
                done.signal()
            }
        }
        for (timer, delay) in zip(timers, delays) { timer.arm(at: start.advanced(nanoseconds: delay)) }
        while fired.count < delays.count { await done.wait() }
        #expect(fired == delays.sorted())
    }

    @Test("a timer moved to later, to earlier or disarmed does as told last")
    @Loop func moved() async {
        var fired: [String] = []
        let start = Instant.now
        func timer(_ name: String) -> Timer { Timer { fired.append(name) } }
        let later = timer("later")
        let earlier = timer("earlier")
        let never = timer("never")
        later.arm(at: start.advanced(nanoseconds: 1_000_000))
        later.arm(at: start.advanced(nanoseconds: 12_000_000))
        earlier.arm(at: start.advanced(nanoseconds: 60_000_000_000))
        earlier.arm(at: start.advanced(nanoseconds: 4_000_000))
        never.arm(at: start.advanced(nanoseconds: 2_000_000))
        never.disarm()
        await Loop.sleep(for: .milliseconds(20))
        #expect(fired == ["earlier", "later"])
        #expect(later.deadline == nil)
    }

    @Test("an action may arm its own timer again")
    @Loop func again() async {
        var rounds = 0
        let done = Wakeup()
        var timer: Timer?
        timer = Timer {
            rounds += 1
            if rounds < 5 { timer?.arm(at: Instant.now) }
            done.signal()
        }
        timer?.arm(at: Instant.now)
        while rounds < 5 { await done.wait() }
        timer = nil
    }

    @Test("actions that disarm or move timers due in the same turn are obeyed, and hit no others")
    @Loop func sameTurn() async {
        var fired: [String] = []
        let soon = Instant.now.advanced(by: .milliseconds(1))
        let late = soon.advanced(by: .milliseconds(4))
        let disarmed = Timer { fired.append("disarmed") }
        let moved = Timer { fired.append("moved") }
        let other = Timer { fired.append("other") }
        let first = Timer {
            fired.append("first")
            other.arm(at: late)
            disarmed.disarm()
            moved.arm(at: late)
            moved.arm(at: late.advanced(by: .milliseconds(1)))
        }
        first.arm(at: soon)
        for timer in [disarmed, moved] { timer.arm(at: soon.advanced(nanoseconds: 1)) }
        // Keeps the loop busy until all of them are due together.
        while Instant.now <= soon.advanced(nanoseconds: 1000) {}
        await Loop.sleep(for: .milliseconds(12))
        #expect(fired == ["first", "other", "moved"])
    }

    @Test("a disarmed or forgotten timer is released")
    @Loop func released() async {
        weak var kept: Timer?
        do {
            let timer = Timer {}
            timer.arm(at: Instant.now.advanced(by: .seconds(600)))
            kept = timer
            timer.disarm()
        }
        #expect(kept == nil)
    }

    @Test("durations and instants saturate instead of trapping")
    func saturation() {
        #expect(Instant.distantFuture.advanced(by: .seconds(1)) == .distantFuture)
        #expect(Instant(nanoseconds: 5).advanced(by: .seconds(-1)).nanoseconds == 0)
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Instant(nanoseconds: 3).duration(to: Instant(nanoseconds: 1)) == .nanoseconds(-2))
    }
}
