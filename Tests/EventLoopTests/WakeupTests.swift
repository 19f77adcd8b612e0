// The waiting point: no signal is lost, time-outs are told apart, one thread does it all.

import Glibc
import LoopTesting
import Testing

@testable import EventLoop

@Suite struct WakeupTests {
    init() { LoopThread.start() }

    @Test("a signal before the wait is not lost; several count as one")
    @Loop func before() async {
        let wakeup = Wakeup()
        wakeup.signal()
        wakeup.signal()
        await wakeup.wait()
        #expect(await wakeup.wait(until: Instant.now.advanced(by: .milliseconds(2))))
    }

    @Test("a signal during the wait ends it before its limit")
    @Loop func during() async {
        let wakeup = Wakeup()
        let start = Instant.now
        Loop.spawn { wakeup.signal() }
        #expect(await !wakeup.wait(until: start.advanced(by: .seconds(60))))
        #expect(Instant.now < start.advanced(by: .seconds(5)))
    }

    @Test("the timer of an earlier wait does not end a later one")
    @Loop func staleTimer() async {
        let wakeup = Wakeup()
        let start = Instant.now
        // A timer's own signal comes before a later limit even when both are due in the same turn.
        let first = Timer { wakeup.signal() }
        first.arm(at: start.advanced(by: .milliseconds(1)))
        #expect(await !wakeup.wait(until: start.advanced(by: .milliseconds(3))))
        #expect(await wakeup.wait(until: start.advanced(by: .milliseconds(12))))
        #expect(Instant.now >= start.advanced(by: .milliseconds(12)))
        // Without limit: the old timer passes meanwhile, and only the signal counts.
        let again = Instant.now
        first.arm(at: again.advanced(by: .milliseconds(1)))
        #expect(await !wakeup.wait(until: again.advanced(by: .milliseconds(60))))
        var signalled = false
        Loop.spawn {
            // Ready after what the old timer makes ready, even when both are due in the same turn.
            await Loop.sleep(for: .milliseconds(90))
            signalled = true
            wakeup.signal()
        }
        await wakeup.wait()
        #expect(signalled)
    }

    @Test("an earlier limit after a later one is kept")
    @Loop func earlierLimit() async {
        let wakeup = Wakeup()
        let start = Instant.now
        let signal = Timer { wakeup.signal() }
        signal.arm(at: start.advanced(by: .milliseconds(1)))
        #expect(await !wakeup.wait(until: start.advanced(by: .seconds(60))))
        #expect(await wakeup.wait(until: Instant.now.advanced(by: .milliseconds(3))))
        #expect(Instant.now < start.advanced(by: .seconds(5)))
    }

    @Test("dropped with a limit pending it takes its timer along")
    @Loop func released() async {
        let before: Int
        do {
            let wakeup = Wakeup()
            let signal = Timer { wakeup.signal() }
            signal.arm(at: Instant.now.advanced(by: .milliseconds(1)))
            #expect(await !wakeup.wait(until: Instant.now.advanced(by: .seconds(600))))
            before = Loop.timers.count
        }
        #expect(Loop.timers.count == before - 1)
    }

    @Test("a process of the loop alone has one thread, whatever its tasks do")
    func oneThread() throws {
        let output = try run("loop-probe")
        #expect(output == "done 100\nthreads 1\n")
    }

    /// What the executable beside the test bundle prints.
    private func run(_ name: String) throws -> String {
        var path = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &path, path.count - 1)
        try #require(length > 0)
        let own = String(decoding: path[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let folder = own.split(separator: "/").dropLast().joined(separator: "/")
        let pipe = try #require(popen("/\(folder)/\(name)", "r"))
        var text: [UInt8] = []
        while case let byte = fgetc(pipe), byte >= 0 { text.append(UInt8(truncatingIfNeeded: byte)) }
        #expect(pclose(pipe) == 0)
        return String(decoding: text, as: UTF8.self)
    }
}
