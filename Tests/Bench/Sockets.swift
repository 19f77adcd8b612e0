// Loopback sockets and descriptor limits.

import CSystem
import Glibc

enum Sockets {
    static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// A listener on 127.0.0.1 and its port; port 0 asks for a free one.
    static func listen(port: Int) throws -> (fd: Int32, port: Int) {
        let address = loopback(port: port)
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let fd = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { cs_listen_tcp($0, length, 4096) }
        }
        guard fd >= 0 else { throw BenchError.system("listen on 127.0.0.1:\(port)") }
        return (fd, try localPort(fd))
    }

    private static func localPort(_ fd: Int32) throws -> Int {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
        }
        guard result == 0 else { throw BenchError.system("getsockname") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// A port that was free a moment ago, for programs that cannot be given a listener.
    static func freePort() throws -> Int {
        let (fd, port) = try listen(port: 0)
        close(fd)
        return port
    }

    /// Starts a connection to 127.0.0.1; -1 and errno when it fails at once.
    static func connect(port: Int, blocking: Bool = false) -> Int32 {
        let kind = Int32(
            SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | (blocking ? 0 : SOCK_NONBLOCK.rawValue))
        let fd = socket(AF_INET, kind, 0)
        guard fd >= 0 else { return -1 }
        cs_tune_connection(fd)
        let address = loopback(port: port)
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result < 0 && errno != EINPROGRESS {
            let saved = errno
            close(fd)
            errno = saved
            return -1
        }
        return fd
    }

    /// The pending error of a socket, 0 for none.
    static func pendingError(_ fd: Int32) -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0 ? code : errno
    }

    /// Raises the soft limit of open files to the hard one and returns it.
    @discardableResult static func raiseOpenFiles() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }
}
