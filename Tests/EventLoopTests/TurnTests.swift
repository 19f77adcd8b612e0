// Who has the loop, and for how long: busy tasks leave room for the descriptors, and those that yield for all
// others.

import CSystem
import Glibc
import LoopTesting
import Testing

@testable import EventLoop

/// Holds the loop for this much of its thread's processor time.
private func hold(milliseconds: UInt64) {
    let end = cs_processor_time() + milliseconds * 1_000_000
    while cs_processor_time() < end {}
}

@Suite(.serialized) struct TurnTests {
    init() { LoopThread.start() }

    @Test("however many jobs are ready, the descriptors are looked at after some milliseconds")
    @Loop func slices() async throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        let ended = Wakeup()
        var done = 0
        var seenAfter: Int?
        let watch = try Watch(ends[0]) { _ in seenAfter = seenAfter ?? done }
        let jobs = 60
        for number in 0..<jobs {
            Loop.spawn {
                if number == 0 { _ = write(ends[1], "x", 1) }
                hold(milliseconds: 5)
                done += 1
                if done == jobs { ended.signal() }
            }
        }
        await ended.wait()
        // Two jobs fill a slice; the coarse clock may be some milliseconds behind.
        #expect(try #require(seenAfter) < 10)
        watch.cancel()
        for end in ends { close(end) }
    }

    @Test("of those who yield one goes on per turn, and whoever became ready meanwhile is before the next")
    @Loop func yielding() async {
        let ended = Wakeup()
        var order: [String] = []
        for number in 0..<6 {
            Loop.spawn {
                await Loop.yield()
                order.append("large \(number)")
                Loop.spawn {
                    order.append("small \(number)")
                    if number == 5 { ended.signal() }
                }
                hold(milliseconds: 12)
            }
        }
        await ended.wait()
        #expect(order == (0..<6).flatMap { ["large \($0)", "small \($0)"] })
    }

    @Test("who yields again and again goes behind those who wait already")
    @Loop func round() async {
        let ended = Wakeup()
        var order: [Int] = []
        var left = 3
        for number in 0..<3 {
            Loop.spawn {
                for _ in 0..<3 {
                    await Loop.yield()
                    order.append(number)
                }
                left -= 1
                if left == 0 { ended.signal() }
            }
        }
        await ended.wait()
        #expect(order == [0, 1, 2, 0, 1, 2, 0, 1, 2])
    }

    @Test("a turn is late once it has lasted for a slice, and long turns are told of")
    @Loop func long() async {
        var turns: [LongTurn] = []
        Loop.longTurns = { turns.append($0) }
        defer { Loop.longTurns = nil }
        await Loop.yield()
        #expect(!Loop.isLate)
        hold(milliseconds: 70)
        #expect(Loop.isLate)
        await Loop.yield()
        #expect(turns.contains { $0.processorTime >= .milliseconds(70) && $0.time >= $0.processorTime })
    }
}
