// What a process takes of the machine's memory, as the kernel tells it: one short read of /proc, which does not
// wait for any disk.

import Glibc
import Shared

enum ProcessMemory {
    /// Resident, in KiB; nil when there is no such process or it is hidden.
    static func resident(_ pid: Int32) -> Int? {
        guard pid > 0, let file = Descriptor(adopting: open("/proc/\(pid)/statm", O_RDONLY | O_CLOEXEC))
        else {
            return nil
        }
        var room = [UInt8](repeating: 0, count: 128)
        let count = read(file.raw, &room, room.count)
        guard count > 0 else { return nil }
        return resident(statm: room.prefix(count), pageKiB: sysconf(Int32(_SC_PAGESIZE)) / 1024)
    }

    /// Of `size resident shared …` in pages (proc_pid_statm(5)).
    static func resident(statm: some Collection<UInt8>, pageKiB: Int) -> Int? {
        let words = statm.split(separator: UInt8(ascii: " "))
        guard words.count > 1, let pages = Int(String(decoding: words[1], as: UTF8.self)), pages >= 0 else {
            return nil
        }
        let (bytes, overflow) = pages.multipliedReportingOverflow(by: pageKiB)
        return overflow ? nil : bytes
    }
}
