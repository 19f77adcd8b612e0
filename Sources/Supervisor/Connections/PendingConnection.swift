// An accepted connection, as long as the supervisor holds its copy of the descriptor.

import CSystem
import Glibc
import Shared

final class PendingConnection {
    let id: UInt64
    let scope: ListenerScope
    let peer: String
    private let socket: Descriptor
    /// Whether the poller watches for its client's leaving.
    var isWatched = false

    init(_ socket: consuming Descriptor, id: UInt64, scope: ListenerScope, peer: SocketAddress) {
        self.id = id
        self.scope = scope
        self.peer = scope == .unix ? Self.credentials(socket.raw) : peer.text
        self.socket = socket
    }

    var raw: Int32 { socket.raw }

    private static func credentials(_ socket: Int32) -> String {
        var pid: pid_t = 0
        var uid: uid_t = 0
        guard cs_peer_credentials(socket, &pid, &uid) == 0 else { return "" }
        return "pid \(pid) uid \(uid)"
    }
}
