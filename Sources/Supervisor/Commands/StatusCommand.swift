// `dragoman status`: asks the running daemon over its admin socket; a table for people, or its JSON as it
// came.

import CSystem
import Glibc
import JSON
import Shared

enum StatusCommand {
    /// How long the daemon may take for each part of its answer.
    private static let patience = timeval(tv_sec: 5, tv_usec: 0)
    /// A service of many models, each with a long name, tells a lot.
    private static let maximumBytes = 32 << 20

    static func run(json: Bool) -> Int32 {
        let variable = { (name: String) in getenv(name).map { String(cString: $0) } }
        for path in AdminPath.candidates(user: geteuid(), variable: variable) {
            switch ask(path) {
            case .success(let answer): return show(answer, json: json)
            case .failure(let failure):
                switch failure.code {
                case EACCES:
                    complain(
                        "\(path) answers only root and the daemon's own user: try `sudo dragoman status`")
                    return ExitStatus.unavailable
                // Nobody has made it, or nobody listens there any more.
                case ENOENT, ENOTDIR, ECONNREFUSED: continue
                default:
                    complain("the daemon does not answer on \(path): \(failure.reason)")
                    return ExitStatus.unavailable
                }
            }
        }
        complain(notRunning(socketListens: ServiceSocket.isListening))
        return ExitStatus.unavailable
    }

    static func notRunning(socketListens: Bool) -> String {
        socketListens
            ? "not running; dragoman.socket is listening and starts it with the first connection"
            : "not running; start it with `dragoman serve`, or as a service with "
                + "`systemctl enable --now dragoman.socket`"
    }

    private static func ask(_ path: String) -> Result<[UInt8], SystemFailure> {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard let address = SocketAddress(path: path) else { return .failure(.init("path", ENAMETOOLONG)) }
        guard let socket = Descriptor(adopting: Glibc.socket(AF_UNIX, kind, 0)) else {
            return .failure(.init("socket", errno))
        }
        var limit = patience
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(socket.raw, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(socket.raw, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        guard address.with({ connect(socket.raw, $0, $1) }) == 0 else {
            return .failure(.init("connect", errno))
        }
        let question = Array(AdminServer.question.utf8)
        guard send(socket.raw, question, question.count, Int32(MSG_NOSIGNAL)) == question.count
        else { return .failure(.init("send", errno)) }
        var answer: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65_536)
        while answer.count <= maximumBytes {
            let count = read(socket.raw, &room, room.count)
            if count == 0 { break }
            guard count > 0 else {
                if errno == EINTR { continue }
                return .failure(.init("read", errno == EAGAIN ? ETIMEDOUT : errno))
            }
            answer += room.prefix(count)
        }
        // The daemon closes without a word when it does not answer this user.
        return answer.isEmpty ? .failure(.init("read", EACCES)) : .success(answer)
    }

    private static func show(_ answer: [UInt8], json: Bool) -> Int32 {
        if json {
            say(String(decoding: answer, as: UTF8.self))
            return ExitStatus.success
        }
        do throws(JSONError) {
            say(StatusTable(root: try JSONDocument(parsing: answer).root).text)
            return ExitStatus.success
        } catch {
            complain("the daemon's answer is not JSON (\(error.reason.rawValue) at byte \(error.offset))")
            return ExitStatus.failure
        }
    }
}
