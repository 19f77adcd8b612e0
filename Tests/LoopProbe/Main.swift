// A process with nothing but the loop in it: does a lot of asynchronous work in every form the worker
// uses and prints the number of its threads, which must be 1. EventLoopTests runs it, because the test
// process itself has the threads of Swift Testing.

import CSystem
import EventLoop
import Glibc

@main
enum LoopProbe {
    static func main() {
        LoopExecutor.takeOverProcess()
        do {
            try LoopExecutor.shared.run { await work() }
        } catch {
            print("loop: \(error)")
            exit(1)
        }
        print("threads \(threadCount())")
    }

    @Loop
    static func work() async {
        let doors = (0..<100).map { _ in Wakeup() }
        var finished = 0
        let all = Wakeup()
        for door in doors {
            Loop.spawn {
                for _ in 0..<100 { await door.wait() }
                finished += await plain(1)
                all.signal()
            }
            // Inherits the isolation of this function; the loop must run it as well.
            Task {
                for _ in 0..<100 {
                    door.signal()
                    await Loop.sleep(for: .microseconds(10))
                }
                door.signal()
            }
        }
        while finished < doors.count { await all.wait() }
        let sum = await withTaskGroup(of: Int.self) { group in
            for number in 0..<50 { group.addTask { await plain(number) } }
            var sum = 0
            for await number in group { sum += number }
            return sum
        }
        async let left = plain(1)
        async let right = elsewhere(2)
        let both = await left + right
        await Task.detached { _ = await plain(1) }.value
        guard sum == 49 * 25, both == 3 else { return print("wrong sums \(sum) \(both)") }
        print("done \(finished)")
    }

    nonisolated static func plain(_ number: Int) async -> Int {
        await Task.yield()
        return number
    }

    @concurrent
    nonisolated static func elsewhere(_ number: Int) async -> Int { number }

    static func threadCount() -> Int {
        guard let folder = opendir("/proc/self/task") else { return -1 }
        defer { closedir(folder) }
        var count = -2  // "." and ".."
        while readdir(folder) != nil { count += 1 }
        return count
    }
}
