// The journal's native protocol: one datagram, one entry. Written here and not with sd_journal_sendv,
// because that call uses a blocking socket of its own: with journald stopped or behind it waits, after 11
// entries where net.unix.max_dgram_qlen is 10 (measured), and would hold the loop and every stream on it.

internal import CSystem
internal import Glibc

enum Journal {
    /// Where journald listens (systemd-journald.service(8)).
    static let socketPath = "/run/systemd/journal/socket"

    /// Whether stderr is the journal: JOURNAL_STREAM is `device:inode` of the stream that the service
    /// manager connected (systemd.exec(5)); a descriptor that was redirected since does not match.
    static func isStream(variable: String?, device: UInt64, inode: UInt64) -> Bool {
        guard let variable else { return false }
        let parts = variable.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 && UInt64(parts[0]) == device && UInt64(parts[1]) == inode
    }

    /// An unconnected socket, so that a restarted journald is found again; -1 when none can be had.
    static func open() -> Int32 {
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let fd = socket(AF_UNIX, kind, 0)
        guard fd >= 0 else { return -1 }
        var room: Int32 = 1 << 20
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, socklen_t(MemoryLayout<Int32>.size))
        return fd
    }

    static func send(_ bytes: [UInt8], from fd: Int32, to address: sockaddr_un) -> Bool {
        var address = address
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                var sent: Int
                repeat {
                    sent = sendto(
                        fd, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL), target,
                        socklen_t(MemoryLayout<sockaddr_un>.size))
                } while sent < 0 && errno == EINTR
                return sent == bytes.count
            }
        }
    }

    /// nil when the path is too long for a socket.
    static func address(_ path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        return withUnsafeMutableBytes(of: &address.sun_path) { room -> Bool in
            guard bytes.count < room.count else { return false }
            room.copyBytes(from: bytes)
            return true
        } ? address : nil
    }
}

/// Lines for stderr from before there is a log.
public enum StandardError {
    /// With their priority where the journal reads stderr: without it they would pass for information
    /// (sd-daemon(3)).
    public static func asError(_ text: String) -> String { isJournal ? prefixed(text) : text }

    static func prefixed(_ text: String) -> String {
        text.split(separator: "\n").map { "<\(LogLevel.error.rawValue)>\($0)" }.joined(separator: "\n")
    }

    private static var isJournal: Bool {
        var facts = stat()
        guard fstat(STDERR_FILENO, &facts) == 0 else { return false }
        return Journal.isStream(
            variable: getenv("JOURNAL_STREAM").map { String(cString: $0) }, device: UInt64(facts.st_dev),
            inode: UInt64(facts.st_ino))
    }
}
