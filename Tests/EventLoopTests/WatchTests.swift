// Watches: edges are remembered, a cancelled watch hears nothing, a reused descriptor is not confused.

import EventLoop
import Glibc
import LoopTesting
import Testing

@Suite struct WatchTests {
    init() { LoopThread.start() }

    @Test("readable, peer closed and writable are seen and stay until cleared")
    @Loop func edges() async throws {
        let pair = try SocketPair()
        let wakeup = Wakeup()
        let watch = try Watch(pair.near, signalling: wakeup)
        defer { watch.cancel() }
        while !watch.ready.contains(.writable) { await wakeup.wait() }
        #expect(!watch.ready.contains(.readable))
        write(pair.far, "x", 1)
        while !watch.ready.contains(.readable) { await wakeup.wait() }
        watch.clear(.readable)
        #expect(!watch.ready.isDisconnect)
        shutdown(pair.far, Int32(SHUT_WR))
        while !watch.ready.contains(.peerClosed) { await wakeup.wait() }
        #expect(watch.ready.isDisconnect)
    }

    @Test("a watch cancelled earlier in the same batch is not called, nor is its successor on that number")
    @Loop func reusedDescriptor() async throws {
        let pairs = [try Pair(), try Pair()]
        var calls: [String] = []
        let watches = Watches()
        var successor: Watch?
        let called = Wakeup()
        // Both become readable before the loop looks; whichever is called first replaces the other.
        for (own, other) in [(0, 1), (1, 0)] {
            let watch = try Watch(pairs[own].near) { events in
                guard events.contains(.readable) else { return }
                calls.append("watch")
                called.signal()
                guard successor == nil else { return }
                watches.list[other].cancel()
                let number = pairs[other].near
                // A quiet socket takes over the number.
                dup2(pairs[other].spare, number)
                successor = try? Watch(number) { events in
                    if events.contains(.readable) { calls.append("successor") }
                }
            }
            watches.list.append(watch)
        }
        await Loop.sleep(for: .milliseconds(2))
        for pair in pairs { write(pair.far, "x", 1) }
        while calls.isEmpty { await called.wait() }
        await Loop.sleep(for: .milliseconds(2))
        #expect(calls == ["watch"])
        #expect(successor != nil)
        for watch in watches.list { watch.cancel() }
        successor?.cancel()
    }

    @Test("a level-triggered watch follows its interest, and none means silence")
    @Loop func levels() async throws {
        let pair = try SocketPair()
        var seen: [Readiness] = []
        let called = Wakeup()
        let watch = try Watch(pair.near, levelTriggered: .readable) { events in
            seen.append(events)
            called.signal()
        }
        defer { watch.cancel() }
        write(pair.far, "x", 1)
        while seen.count < 3 { await called.wait() }  // the level stays
        #expect(seen.allSatisfy { $0 == .readable })
        try watch.want([])
        await Loop.sleep(for: .milliseconds(2))
        let silent = seen.count
        await Loop.sleep(for: .milliseconds(2))
        #expect(seen.count == silent)
        // The kernel was told, or the loop would spin on what nobody wants.
        #expect(registeredEvents(pair.near) == nil)
        try watch.want([.readable, .writable])
        while seen.last != [.readable, .writable] { await called.wait() }
        try watch.want(.writable)
        while seen.last != .writable { await called.wait() }
        #expect(registeredEvents(pair.near).map { $0 & 5 } == Readiness.writable.rawValue)
        try watch.want([.readable, .writable])
        while seen.last != [.readable, .writable] { await called.wait() }
    }

    /// What some epoll instance of this process waits for on the descriptor (proc(5), fdinfo).
    private func registeredEvents(_ descriptor: Int32) -> UInt32? {
        for instance in 0..<1024 {
            guard let file = fopen("/proc/self/fdinfo/\(instance)", "r") else { continue }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 256)
            while fgets(&line, 256, file) != nil {
                let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
                let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
                guard words.count > 3, words[0] == "tfd:", Int32(words[1]) == descriptor else { continue }
                return UInt32(words[3], radix: 16)
            }
        }
        return nil
    }

    @Test("what epoll cannot watch is an error, not a silence")
    @Loop func refused() throws {
        #expect(throws: LoopError.self) { try Watch(-1, signalling: Wakeup()) }
        let file = open("/proc/self/stat", O_RDONLY)
        defer { close(file) }
        #expect(throws: LoopError.self) { try Watch(file, signalling: Wakeup()) }
    }

    @Loop private final class Watches {
        var list: [Watch] = []
    }

    /// A socket pair and one quiet socket.
    @Loop private final class Pair {
        let near: Int32
        let far: Int32
        let spare: Int32
        private let spareFar: Int32

        init() throws {
            var ends: [Int32] = [-1, -1]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            (near, far) = (ends[0], ends[1])
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            (spare, spareFar) = (ends[0], ends[1])
        }

        deinit { for descriptor in [near, far, spare, spareFar] { close(descriptor) } }
    }
}
