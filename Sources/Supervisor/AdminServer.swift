// Answers `dragoman status` on the admin socket: one line in, one report out, then the end. Holds: only
// the same user and root are answered; clients, their line and their time are limited; nothing waits.

import CSystem
import Glibc
import Shared

final class AdminServer {
    /// The one question there is, and its answer's first byte is `{`.
    static let question = "status\n"

    private static let maximumClients = 16
    private static let timeLimit: Duration = .seconds(5)

    private final class Client {
        let socket: Descriptor
        let deadline: Moment
        var received: [UInt8] = []
        var answer: ArraySlice<UInt8>?

        init(_ socket: consuming Descriptor, deadline: Moment) {
            self.socket = socket
            self.deadline = deadline
        }
    }

    let listener: Listener
    private var clients: [UInt32: Client] = [:]
    private var lastSerial: UInt32 = 0

    init(_ listener: Listener) { self.listener = listener }

    var nextDeadline: Moment? { clients.values.map(\.deadline).min() }

    func accept(_ poller: borrowing Poller, _ log: Log) {
        let (raw, _) = SocketAddress.accept(from: listener.raw)
        guard let socket = Descriptor(adopting: raw) else { return }
        var pid: pid_t = 0
        var user: uid_t = 0
        guard cs_peer_credentials(raw, &pid, &user) == 0, user == 0 || user == geteuid() else {
            log.warning(.adminRefused, ["uid": LogValue(user), "client_pid": LogValue(pid)])
            return
        }
        // The oldest makes room: an administrator must get through.
        if clients.count >= Self.maximumClients, let oldest = clients.keys.min() { end(oldest, poller) }
        lastSerial &+= 1
        guard (try? poller.add(raw, .adminClient(lastSerial), for: .read)) != nil else { return }
        clients[lastSerial] = Client(socket, deadline: .now() + Self.timeLimit)
    }

    func serve(
        _ serial: UInt32, _ event: PolledEvent, _ poller: borrowing Poller, _ report: () -> StatusReport
    ) {
        guard let client = clients[serial] else { return }
        if client.answer == nil {
            guard read(client) else { return end(serial, poller) }
            guard client.received.contains(UInt8(ascii: "\n")) else { return }
            guard client.received == Array(Self.question.utf8) else { return end(serial, poller) }
            client.answer = report().json[...]
            try? poller.change(client.socket.raw, .adminClient(serial), for: .write)
        }
        write(client)
        if client.answer?.isEmpty ?? true { end(serial, poller) }
    }

    func expire(at now: Moment, _ poller: borrowing Poller) {
        for (serial, client) in clients where client.deadline <= now { end(serial, poller) }
    }

    /// False when the client has left or says too much.
    private func read(_ client: Client) -> Bool {
        var room = [UInt8](repeating: 0, count: 64)
        let count = recv(client.socket.raw, &room, room.count, Int32(MSG_DONTWAIT))
        guard count != 0 else { return false }
        guard count > 0 else { return errno == EAGAIN || errno == EINTR }
        client.received += room.prefix(count)
        return client.received.count <= Self.question.utf8.count
    }

    private func write(_ client: Client) {
        while let rest = client.answer, !rest.isEmpty {
            let count = rest.withUnsafeBytes { cs_send(client.socket.raw, $0.baseAddress, $0.count) }
            guard count > 0 else {
                if errno != EAGAIN { client.answer = [] }
                return
            }
            client.answer = rest.dropFirst(count)
        }
    }

    private func end(_ serial: UInt32, _ poller: borrowing Poller) {
        guard let client = clients.removeValue(forKey: serial) else { return }
        poller.remove(client.socket.raw)
    }
}
