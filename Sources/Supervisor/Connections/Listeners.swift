// The sockets clients come in by: taken over from systemd by name and kind, or bound here when run by
// hand. Holds: what is inherited and not understood is closed and named; nothing is served beyond
// loopback unless the configuration says so.

import CSystem
import CSystemd
import Glibc
import Shared

/// A listening socket.
final class Listener {
    private var socket: Descriptor?
    let raw: Int32
    let name: String
    let scope: ListenerScope
    let address: String
    /// The file of a Unix socket that this program has bound.
    private let ownedPath: String?

    init(_ socket: consuming Descriptor, name: String, ownedPath: String? = nil) {
        raw = socket.raw
        // Accepted connections take these over: no calls for each of them (tcp(7), socket(7)).
        cs_tune_connection(raw)
        let local = SocketAddress(of: raw)
        self.socket = consume socket
        self.name = name
        scope = local?.scope ?? .network
        address = local?.text ?? "?"
        self.ownedPath = ownedPath
    }

    /// For good, whoever still knows this listener; removes the file that was made for it.
    func close() {
        guard socket != nil else { return }
        socket = nil
        if let ownedPath { unlink(ownedPath) }
    }
}

/// Why there is nothing to listen on (exit 69).
struct ListenFailure: Error, Equatable {
    let reason: String
}

struct Listeners {
    var clients: [Listener] = []
    var admin: Listener?
    /// Inherited descriptors that were closed, in words.
    var refused: [String] = []
    let areInherited: Bool

    /// The kernel's queue of connections not accepted yet; it caps this at net.core.somaxconn.
    static let backlog: Int32 = 4096

    // MARK: From systemd

    /// Nil when systemd has passed nothing.
    static func inherited() -> Listeners? {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = Int(sd_listen_fds_with_names(1, &names))
        guard count > 0 else { return nil }
        var listeners = Listeners(areInherited: true)
        for index in 0..<count {
            guard let socket = Descriptor(adopting: 3 + Int32(index)) else { continue }
            var name = ""
            if let text = names?[index] {
                name = String(cString: text)
                free(text)
            }
            listeners.take(socket, name)
        }
        free(names)
        return listeners
    }

    private mutating func take(_ socket: consuming Descriptor, _ name: String) {
        let listens = sd_is_socket(socket.raw, AF_UNSPEC, Int32(SOCK_STREAM.rawValue), 1) > 0
        let family = SocketAddress(of: socket.raw)?.family
        guard listens, family == AF_INET || family == AF_INET6 || family == AF_UNIX else {
            refused.append("\(name) (descriptor \(socket.raw)): not a listening stream socket")
            return
        }
        // Systemd's sockets are non-blocking already; those of others need not be.
        _ = fcntl(socket.raw, F_SETFL, fcntl(socket.raw, F_GETFL) | O_NONBLOCK)
        guard name == "admin" else {
            clients.append(Listener(socket, name: name))
            return
        }
        guard family == AF_UNIX, admin == nil else {
            refused.append("\(name) (descriptor \(socket.raw)): the admin socket is one Unix socket")
            return
        }
        admin = Listener(socket, name: name)
    }

    // MARK: Own

    static func bound(_ addresses: [Configuration.ListenAddress]) throws(ListenFailure) -> Listeners {
        var listeners = Listeners(areInherited: false)
        for address in addresses { listeners.clients.append(try bind(address)) }
        return listeners
    }

    private static func bind(_ address: Configuration.ListenAddress) throws(ListenFailure) -> Listener {
        switch address {
        case .unix(let path): return try bind(path: path, name: "unix", mode: nil)
        case .tcp(let host, let port):
            let shown = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            guard let target = SocketAddress(address) else {
                throw ListenFailure(reason: "cannot listen on \(shown): not a numeric address")
            }
            guard let socket = Descriptor(adopting: target.with { cs_listen_tcp($0, $1, backlog) }) else {
                throw ListenFailure(reason: "cannot listen on \(shown): \(hint(errno))")
            }
            return Listener(socket, name: "tcp")
        }
    }

    /// A Unix listener; a socket file whose owner is gone is replaced, a live one or another kind of file
    /// is not. `mode` nil = as the umask says.
    static func bind(path: String, name: String, mode: mode_t?) throws(ListenFailure) -> Listener {
        func failure(_ reason: String) -> ListenFailure {
            ListenFailure(reason: "cannot listen on unix:\(path): \(reason)")
        }
        guard let target = SocketAddress(path: path) else { throw failure("the path is too long") }
        guard let socket = Descriptor(adopting: streamSocket()) else { throw failure(errorText(errno)) }
        let before = mode.map { umask(~$0 & 0o777) }
        defer { if let before { umask(before) } }
        if target.with({ Glibc.bind(socket.raw, $0, $1) }) != 0 {
            guard errno == EADDRINUSE else { throw failure(errorText(errno)) }
            switch occupant(of: path, target) {
            case .alive: throw failure("another process listens there")
            case .notASocket: throw failure("a file that is not a socket is in the way")
            case .stale: unlink(path)
            }
            guard target.with({ Glibc.bind(socket.raw, $0, $1) }) == 0 else {
                throw failure(errorText(errno))
            }
        }
        guard listen(socket.raw, backlog) == 0 else { throw failure(errorText(errno)) }
        return Listener(socket, name: name, ownedPath: path)
    }

    private enum Occupant { case alive, stale, notASocket }

    private static func occupant(of path: String, _ target: SocketAddress) -> Occupant {
        var facts = stat()
        guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFSOCK else { return .notASocket }
        guard let probe = Descriptor(adopting: streamSocket()) else { return .alive }
        // Non-blocking: EAGAIN is a live listener with a full queue.
        let result = target.with { connect(probe.raw, $0, $1) }
        return result != 0 && errno == ECONNREFUSED ? .stale : .alive
    }

    private static func streamSocket() -> Int32 {
        socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }

    private static func hint(_ code: Int32) -> String {
        switch code {
        case EADDRINUSE: "the address is in use (another dragoman? `--listen` chooses another)"
        case EACCES: "permission denied (ports below 1024 need a privilege, or systemd's socket)"
        default: errorText(code)
        }
    }

    // MARK: Both

    /// Under `access: loopback` nothing but loopback and Unix sockets is served; says why not, or nil.
    func problem(under access: Configuration.Access) -> String? {
        guard access == .loopback, let listener = clients.first(where: { $0.scope == .network }) else {
            return nil
        }
        return "access: expected keys or open to serve on \(listener.address), found loopback "
            + "(the socket was passed in as `\(listener.name)`)"
    }

    /// What is to be said of an own `listen` beside sockets that were passed in.
    func ignoring(_ listen: [Configuration.ListenAddress]) -> String? {
        guard areInherited, listen != Configuration().listen else { return nil }
        let addresses = clients.map(\.address).joined(separator: ", ")
        return "listen is ignored: the sockets were passed in (\(addresses)); see dragoman.socket"
    }
}
