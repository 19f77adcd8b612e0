// Addresses of sockets: from the configuration's words to what bind(2) takes, and from what the kernel
// says to texts and listeners. Numeric only: the supervisor resolves no names.

import CSystem
import Glibc
import Shared

struct SocketAddress {
    private var storage = sockaddr_storage()
    private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    private init() {}

    /// Nil when the words are no address (a host name, a path too long for sockaddr_un).
    init?(_ address: Configuration.ListenAddress) {
        self.init()
        switch address {
        case .tcp(let host, let port): guard setTCP(host, port) else { return nil }
        case .unix(let path): guard setPath(path) else { return nil }
        }
    }

    init?(path: String) {
        self.init()
        guard setPath(path) else { return nil }
    }

    /// The local address of a socket.
    init?(of socket: Int32) {
        self.init()
        let result = withMutable { address, length in getsockname(socket, address, &length) }
        guard result == 0 else { return nil }
    }

    /// The next connection of a listener and its peer; nil when there is none: errno says why.
    static func accept(from listener: Int32) -> (socket: Int32, peer: SocketAddress) {
        var peer = SocketAddress()
        let socket = cs_accept(listener, &peer.storage, &peer.length)
        return (socket, peer)
    }

    func with<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    private mutating func withMutable<Result>(
        _ body: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Result
    ) -> Result {
        var length = length
        defer { self.length = length }
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
        }
    }

    private mutating func setTCP(_ host: String, _ port: UInt16) -> Bool {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &found) == 0, let found else { return false }
        defer { freeaddrinfo(found) }
        guard let source = found.pointee.ai_addr,
            found.pointee.ai_addrlen <= MemoryLayout.size(ofValue: storage)
        else { return false }
        let count = Int(found.pointee.ai_addrlen)
        withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: .init(start: source, count: count)) }
        length = found.pointee.ai_addrlen
        return true
    }

    private mutating func setPath(_ path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        // One byte stays zero, as unix(7) advises.
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path), !bytes.contains(0)
        else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        withUnsafeBytes(of: &address) { source in
            withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: source) }
        }
        length = socklen_t(MemoryLayout<sockaddr_un>.size)
        return true
    }

    var family: Int32 { Int32(storage.ss_family) }

    /// Which Host names connections to this local address may name.
    var scope: ListenerScope {
        switch family {
        case AF_INET: withUnsafeBytes(of: storage) { $0[4] == 127 } ? .loopback : .network
        case AF_INET6: isLoopback6 ? .loopback : .network
        default: .unix
        }
    }

    /// ::1 and ::ffff:127.0.0.0/104.
    private var isLoopback6: Bool {
        withUnsafeBytes(of: storage) { bytes in
            let address = Array(bytes[8..<24])
            let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127]
            return address == [UInt8](repeating: 0, count: 15) + [1] || address.starts(with: mapped)
        }
    }

    /// `127.0.0.1:8484`, `[::1]:8484` or `unix:/path`; `unix:` for a socket without a name.
    var text: String {
        switch family {
        case AF_INET, AF_INET6: tcpText
        case AF_UNIX: "unix:" + (path ?? "")
        default: "address family \(family)"
        }
    }

    private var tcpText: String {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: 16)
        let result = with { address, length in
            getnameinfo(
                address, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
                NI_NUMERICHOST | NI_NUMERICSERV)
        }
        guard result == 0 else { return "?" }
        let name = Self.text(host)
        return family == AF_INET6 ? "[\(name)]:\(Self.text(port))" : "\(name):\(Self.text(port))"
    }

    /// A Unix socket's path; an abstract one shows as `@name`.
    var path: String? {
        let offset = 2
        guard family == AF_UNIX, Int(length) > offset else { return nil }
        return withUnsafeBytes(of: storage) { bytes in
            let end = min(Int(length), bytes.count)
            let name = bytes[offset..<end]
            guard name.first == 0 else { return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self) }
            let abstract = name.dropFirst().prefix { $0 != 0 }
            return abstract.isEmpty ? nil : "@" + String(decoding: abstract, as: UTF8.self)
        }
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
