// A blocking client for single requests of the suite: is it ready yet, what do the mock's statistics say,
// and the client that leaves at a chosen moment.

import CSystem
import Glibc

final class OneShot {
    private let fd: Int32

    /// Nil when nobody listens.
    init?(port: Int, timeout seconds: Int = 10) {
        fd = Sockets.connect(port: port, blocking: true)
        guard fd >= 0 else { return nil }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(fd) }

    func send(_ request: [UInt8]) -> Bool {
        var rest = request[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Status and body of one response; nil when the connection ends before that.
    func receive() -> (status: Int, body: [UInt8])? {
        var reader = ResponseReader()
        var buffer = [UInt8](repeating: 0, count: 65536)
        var status = 0
        var body: [UInt8] = []
        while true {
            let count = recv(fd, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            let bytes = Array(buffer[..<count])
            var position = 0
            pieces: while true {
                switch reader.next(bytes.span, &position) {
                case .more: break pieces
                case .bad: return nil
                case .head(let code, _): status = code
                case .body(let range): body += bytes[range]
                case .end: return (status, body)
                }
            }
        }
    }

    /// Reads until `mark` has come `count` times; false when the connection ends before.
    func read(until mark: String, times wanted: Int) -> Bool {
        let pattern = Pattern(mark)
        var seen = 0
        var buffer = [UInt8](repeating: 0, count: 65536)
        while seen < wanted {
            let count = recv(fd, &buffer, buffer.count, 0)
            guard count > 0 else { return false }
            if pattern.first(in: buffer.span.extracting(0..<count)) != nil { seen += 1 }
        }
        return true
    }

    static func get(_ path: String, port: Int) -> (status: Int, body: [UInt8])? {
        guard let client = OneShot(port: port),
            client.send(Array("GET \(path) HTTP/1.1\r\nhost: 127.0.0.1:\(port)\r\n\r\n".utf8))
        else { return nil }
        return client.receive()
    }
}
