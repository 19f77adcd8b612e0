// What a process and all its descendants use: CPU time to the nanosecond from their CPU clocks, memory as
// the proportional set size. Figures of a process that ends meanwhile count as zero.

import CSystem
import Glibc

struct ProcessTree {
    let root: pid_t

    /// The root and its descendants, parents first.
    var members: [pid_t] {
        var found = [root]
        var index = 0
        while index < found.count, found.count < 10_000 {
            found += Self.children(of: found[index])
            index += 1
        }
        return found
    }

    static func children(of pid: pid_t) -> [pid_t] {
        Files.readText("/proc/\(pid)/task/\(pid)/children")?.split(separator: " ").compactMap { pid_t($0) }
            ?? []
    }

    /// Seconds of CPU of all living members, kernel time included.
    var cpuSeconds: Double { members.reduce(0) { $0 + Self.cpuSeconds(of: $1) } }

    static func cpuSeconds(of pid: pid_t) -> Double {
        // The clock of another process: its number inverted, shifted by three, kind 2 (clock_getcpuclockid(3)).
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Megabytes (10^6) of proportional set size.
    var memory: Double { members.reduce(0) { $0 + Self.memory(of: $1) } }

    private static func memory(of pid: pid_t) -> Double {
        guard let text = Files.readText("/proc/\(pid)/smaps_rollup"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Pss:") }),
            let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
        else { return 0 }
        return kilobytes * 1024 / 1e6
    }

    /// The child that used most CPU: with several workers, the one to hurt.
    var busiestChild: pid_t? {
        Self.children(of: root).max { Self.cpuSeconds(of: $0) < Self.cpuSeconds(of: $1) }
    }

    /// How many accepted connections of `port` the process holds.
    static func connections(of pid: pid_t, port: Int) -> Int {
        var held: Set<String> = []
        for fd in 3..<4096 {
            var target = [UInt8](repeating: 0, count: 64)
            let count = readlink("/proc/\(pid)/fd/\(fd)", &target, target.count)
            guard count > 9 else { continue }
            let name = String(decoding: target[..<count], as: UTF8.self)
            if name.hasPrefix("socket:[") { held.insert(String(name.dropFirst(8).dropLast())) }
        }
        let local = ":" + String(port, radix: 16, uppercase: true).leftPadded(to: 4)
        let lines = Files.readText("/proc/net/tcp")?.split(separator: "\n") ?? []
        return lines.count { line in
            let fields = line.split(separator: " ")
            return fields.count > 9 && fields[1].hasSuffix(local) && fields[3] == "01"
                && held.contains(String(fields[9]))
        }
    }
}

extension String {
    func leftPadded(to width: Int, with pad: Character = "0") -> String {
        String(repeating: pad, count: max(0, width - count)) + self
    }

    func rightPadded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
