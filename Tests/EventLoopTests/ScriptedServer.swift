// A backend for these tests: every connection is served by its own thread with blocking calls, as a
// script that reads top to bottom. It is not part of the loop, so it sees what a real backend would see.

import EventLoop
import Glibc
import Synchronization
import Testing

final class ScriptedServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let accepted = Mutex(0)

    /// Connections that reached the server.
    var connections: Int { accepted.withLock { $0 } }
    var url: String { "http://127.0.0.1:\(port)" }

    /// - Parameter script: called on the connection's thread with its number, from 0; the connection is
    ///   closed when it returns.
    init(_ script: @escaping @Sendable (borrowing ServerConnection, Int) -> Void) throws {
        (listener, port) = try Self.listen(backlog: 1024)
        onThread { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                let number = accepted.withLock { count in
                    defer { count += 1 }
                    return count
                }
                onThread { script(ServerConnection(descriptor), number) }
            }
        }
    }

    /// Ends the accepting thread; connections go on.
    func close() {
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
    }

    static func listen(backlog: Int32) throws -> (Int32, UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutableBytes(of: &address) { raw -> Int32 in
            guard let base = raw.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return -1 }
            guard bind(listener, base, length) == 0, Glibc.listen(listener, backlog) == 0 else { return -1 }
            return getsockname(listener, base, &length)
        }
        try #require(bound == 0)
        return (listener, UInt16(bigEndian: address.sin_port))
    }
}

/// One connection in the hands of its script.
struct ServerConnection: ~Copyable {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// The next request's head and its body by Content-Length; nil when the client has closed.
    func request() -> (head: String, body: [UInt8])? {
        var bytes: [UInt8] = []
        var end: Int?
        while end == nil {
            guard let more = receive() else { return nil }
            bytes += more
            end = bytes.headEnd
        }
        guard let end else { return nil }
        let head = String(decoding: bytes[..<end], as: UTF8.self)
        var body = Array(bytes[end...])
        let marker = "content-length: "
        let line = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix(marker) }
        let length = line.flatMap { Int($0.dropFirst(marker.count)) } ?? 0
        while body.count < length {
            guard let more = receive() else { return nil }
            body += more
        }
        return (head, body)
    }

    func receive() -> [UInt8]? {
        var room = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &room, room.count, 0)
        return count > 0 ? Array(room[..<count]) : nil
    }

    /// False when the client has gone.
    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done,
                    Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            done += count
        }
        return true
    }

    /// Waits until the client closes; returns when.
    func closed() -> Instant {
        while receive() != nil {}
        return .now
    }

    /// The connection will end with RST.
    func resetOnClose() {
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
    }
}

extension [UInt8] {
    fileprivate var headEnd: Int? {
        let blank: [UInt8] = [13, 10, 13, 10]
        guard count >= 4 else { return nil }
        return (4...count).first { self[($0 - 4)..<$0].elementsEqual(blank) }
    }
}

/// Runs `body` on a thread of its own.
func onThread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    pthread_create(
        &thread, nil,
        { context in
            if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body() }
            return nil
        }, box.toOpaque())
    pthread_detach(thread)
}

/// A value that a script's thread hands to a test on the loop, which takes it once.
final class Handover<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let wakeup: Wakeup

    @Loop init() { wakeup = Wakeup() }

    func give(_ new: Value) {
        value.withLock { $0 = new }
        Loop.spawn { [wakeup] in wakeup.signal() }
    }

    @Loop func take() async -> Value {
        while true {
            let given = value.withLock { value in
                defer { value = nil }
                return value
            }
            if let given { return given }
            await wakeup.wait()
        }
    }
}
