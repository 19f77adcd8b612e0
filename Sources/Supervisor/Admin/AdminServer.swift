// Answers `dragoman status` on the admin socket: one line in, one report out, then the end. Holds: only
// the same user and root are answered; clients, their line and their time are limited; nothing waits.

import CSystem
import Glibc
import Shared

final class AdminServer {
    /// The one question there is.
    static let question = "status\n"

    private static let maximumClients = 16
    private static let timeLimit: Duration = .seconds(5)

    private enum Phase {
        case reading([UInt8])
        case asked(at: MonotonicInstant)
        case answering(ArraySlice<UInt8>)
    }

    private final class Client {
        let socket: Descriptor
        let deadline: MonotonicInstant
        var phase = Phase.reading([])

        init(_ socket: consuming Descriptor, deadline: MonotonicInstant) {
            self.socket = socket
            self.deadline = deadline
        }
    }

    let listener: Listener
    private var clients: [UInt32: Client] = [:]
    private var lastSerial: UInt32 = 0
    /// Set while the listener is not watched: out of descriptors it would stay readable, and the loop would
    /// spin.
    private var pausedUntil: MonotonicInstant?
    private static let acceptPause: Duration = .milliseconds(100)

    init(_ listener: Listener) { self.listener = listener }

    /// Since when the oldest unanswered question waits.
    var askedAt: MonotonicInstant? {
        clients.values.compactMap { client in
            guard case .asked(let moment) = client.phase else { return nil }
            return moment
        }.min()
    }

    var nextDeadline: MonotonicInstant? {
        let deadlines =
            clients.values.map(\.deadline)
            + [askedAt.map { $0 + StatusQuestions.freshness }, pausedUntil].compactMap { $0 }
        return deadlines.min()
    }

    func accept(_ poller: borrowing Poller, _ log: Log, at now: MonotonicInstant) {
        let (raw, _) = SocketAddress.accept(from: listener.raw)
        guard let socket = Descriptor(adopting: raw) else {
            if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) {
                pausedUntil = now + Self.acceptPause
                poller.remove(listener.raw)
            }
            return
        }
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

    /// Reads or writes, as the client is ready; true when it has just asked.
    func serve(_ serial: UInt32, _ poller: borrowing Poller, at now: MonotonicInstant) -> Bool {
        guard let client = clients[serial] else { return false }
        switch client.phase {
        case .reading(let received):
            guard let received = read(client, after: received) else {
                end(serial, poller)
                return false
            }
            client.phase = .reading(received)
            guard received == Array(Self.question.utf8) else { return false }
            client.phase = .asked(at: now)
            return true
        case .asked:
            // Readable again: it says more than it may, or has left.
            end(serial, poller)
        case .answering: write(client, serial, poller)
        }
        return false
    }

    /// Answers all who have asked.
    func answer(_ json: [UInt8], _ poller: borrowing Poller) {
        for (serial, client) in clients {
            guard case .asked = client.phase else { continue }
            client.phase = .answering(json[...])
            try? poller.change(client.socket.raw, .adminClient(serial), for: .write)
            write(client, serial, poller)
        }
    }

    func expire(at now: MonotonicInstant, _ poller: borrowing Poller) {
        if let pausedUntil, pausedUntil <= now {
            self.pausedUntil = nil
            try? poller.add(listener.raw, .admin, for: .read)
        }
        for (serial, client) in clients where client.deadline <= now { end(serial, poller) }
    }

    /// Nil when the client has left or says something else.
    private func read(_ client: Client, after received: [UInt8]) -> [UInt8]? {
        var room = [UInt8](repeating: 0, count: 64)
        let count = recv(client.socket.raw, &room, room.count, Int32(MSG_DONTWAIT))
        guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) ? received : nil }
        let all = received + room.prefix(count)
        return Self.question.utf8.starts(with: all) ? all : nil
    }

    private func write(_ client: Client, _ serial: UInt32, _ poller: borrowing Poller) {
        guard case .answering(var rest) = client.phase else { return }
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { cs_send(client.socket.raw, $0.baseAddress, $0.count) }
            guard count > 0 else {
                if count < 0, errno != EAGAIN { rest = [] }
                break
            }
            rest = rest.dropFirst(count)
        }
        client.phase = .answering(rest)
        if rest.isEmpty { end(serial, poller) }
    }

    private func end(_ serial: UInt32, _ poller: borrowing Poller) {
        guard let client = clients.removeValue(forKey: serial) else { return }
        poller.remove(client.socket.raw)
    }
}
