// What goes wrong on the way to a backend, and how soon a cancelled request is gone.

import EventLoop
import Glibc
import LoopTesting
import Synchronization
import Testing

@testable import Upstream

@Suite struct TransferFaultTests {
    init() { LoopThread.start() }

    enum Verdict: String {
        case complete, broken, unreachable, misconfigured, connectTimeout, firstByteTimeout, idleTimeout
        case cancelled

        init(_ end: TransferEnd?) {
            switch end {
            case .broken: self = .broken
            case .unreachable: self = .unreachable
            case .misconfigured: self = .misconfigured
            case .timedOut(.connect): self = .connectTimeout
            case .timedOut(.firstByte): self = .firstByteTimeout
            case .timedOut(.idle): self = .idleTimeout
            case .cancelled: self = .cancelled
            case .complete, nil: self = .complete
            }
        }
    }

    @Test(
        "requests that never reach a backend",
        arguments: [
            ("http://127.0.0.1:1/", .unreachable), ("http://nosuchhost.invalid/", .misconfigured),
            ("ftp://127.0.0.1/", .misconfigured), ("file:///etc/hostname", .misconfigured),
            ("http://", .misconfigured), ("not a url", .misconfigured), ("", .misconfigured),
        ] as [(String, Verdict)])
    @Loop func unreached(url: String, expected: Verdict) async throws {
        let exchange = try Exchange()
        let transfer = exchange.start(url, .post(body: [1]))
        await exchange.until { transfer.end != nil }
        #expect(Verdict(transfer.end) == expected, "\(String(describing: transfer.end))")
        #expect(transfer.head == nil)
    }

    /// What a backend sends before it closes, by reset or not, and what that is.
    struct Fault: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var answer: String
        var isReset: Bool
        var verdict: Verdict

        init(_ name: String, _ answer: String, reset: Bool = false, _ verdict: Verdict = .broken) {
            testDescription = name
            self.answer = answer
            isReset = reset
            self.verdict = verdict
        }
    }

    static let chunked = "\(okHead)Transfer-Encoding: chunked\r\n\r\n"
    static let faults: [Fault] = [
        Fault("closed at once", "", .unreachable),
        Fault("reset at once", "", reset: true, .unreachable),
        Fault("half a head", "HTTP/1.1 200 OK\r\nContent-"),
        Fault("short body", "\(okHead)Content-Length: 10\r\n\r\nshort"),
        Fault("body reset", "\(okHead)Content-Length: 10\r\n\r\nshort", reset: true),
        Fault("last chunk missing", "\(chunked)5\r\nfirst\r\n"),
        Fault("chunks reset", "\(chunked)5\r\nfirst\r\n", reset: true),
        Fault("not a chunk", "\(chunked)xyz\r\nfirst\r\n"),
        Fault("not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", .misconfigured),
        Fault(
            "one huge header", "\(okHead)X: \(String(repeating: "x", count: 70_000))\r\n\r\n", .misconfigured),
        Fault(
            "a longer one than libcurl takes",
            "\(okHead)X: \(String(repeating: "x", count: 400_000))\r\n\r\n", .misconfigured),
        Fault(
            "too many headers", "\(okHead)\(String(repeating: "X: y\r\n", count: 12_000))\r\n", .misconfigured
        ),
    ]

    @Test("answers that break off", arguments: faults)
    @Loop func breaks(fault: Fault) async throws {
        let seen = Handover<Bool>()
        let server = try ScriptedServer { connection, _ in
            _ = connection.request()
            connection.send(fault.answer)
            if fault.isReset {
                if !fault.answer.isEmpty { usleep(20_000) }  // the client must have read what came before
                connection.resetOnClose()
            }
            seen.give(true)
        }
        let exchange = try Exchange()
        let transfer = exchange.start(server.url, .post(body: [1]))
        _ = await exchange.whole(transfer)
        #expect(Verdict(transfer.end) == fault.verdict, "\(String(describing: transfer.end))")
        #expect(server.connections == 1)
        _ = await seen.take()
    }

    @Test(
        "kept connections that are all dead are not the backend's end", arguments: [1, 200_000],
        [true, false])
    @Loop func deadConnections(bodySize: Int, isReset: Bool) async throws {
        let kept = 8
        let arrived = Atomic(0)
        let server = try ScriptedServer { connection, number in
            guard connection.request() != nil else { return }
            // All at once, so that each has a connection of its own.
            arrived.add(1)
            while arrived.value < kept { usleep(500) }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            // The next request dies with its connection, unread.
            if number < kept {
                _ = connection.receive()
                if isReset { connection.resetOnClose() }
            } else {
                _ = connection.closed()
            }
        }
        let exchange = try Exchange()
        let first = (0..<kept).map { _ in exchange.start(server.url, .post(body: [1])) }
        for transfer in first { #expect(await exchange.whole(transfer) == "ok") }
        let transfer = exchange.start(server.url, .post(body: [UInt8](repeating: 1, count: bodySize)))
        #expect(await exchange.whole(transfer) == "ok", "\(String(describing: transfer.end))")
        #expect(server.connections == kept + 1)
    }

    /// A number that threads share.
    private final class Atomic: Sendable {
        private let number: Mutex<Int>
        init(_ number: Int) { self.number = Mutex(number) }
        var value: Int { number.withLock { $0 } }
        func add(_ more: Int) { number.withLock { $0 += more } }
    }

    @Test("a server that does not speak TLS is a mistake of the configuration")
    @Loop func noTLS() async throws {
        let server = try ScriptedServer { connection, _ in
            _ = connection.receive()
            connection.send("HTTP/1.1 400 Bad Request\r\n\r\n")
        }
        let exchange = try Exchange()
        let transfer = exchange.start("https://127.0.0.1:\(server.port)/")
        await exchange.until { transfer.end != nil }
        #expect(Verdict(transfer.end) == .misconfigured)
    }

    @Test(
        "what a proxy answers to CONNECT is never the backend's answer",
        arguments: [
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 6\r\n\r\nsign in",
                .misconfigured, "status 407"
            ),
            ("HTTP/1.1 403 Forbidden\r\nRetry-After: 9\r\n\r\n", .misconfigured, "status 403"),
            ("HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n", .misconfigured, "status 302"),
            ("HTTP/1.1 503 Busy\r\n\r\n", .unreachable, "status 503"),
            ("HTTP/1.1 200 Connection established\r\n\r\n", .misconfigured, ""),
            ("", .unreachable, "127.0.0.1"),
        ] as [(String, Verdict, String)])
    @Loop func tunnels(answer: String, expected: Verdict, words: String) async throws {
        let server = try ScriptedServer { connection, _ in
            _ = connection.request()
            connection.send(answer)
        }
        let exchange = try Exchange(proxy: "http://user:secret@127.0.0.1:\(server.port)")
        let transfer = exchange.start("https://backend.invalid/", .post(body: [1]))
        await exchange.until { transfer.end != nil }
        let end = String(describing: transfer.end)
        #expect(Verdict(transfer.end) == expected, "\(end)")
        #expect(transfer.head == nil && transfer.times.firstByte == nil)
        #expect(end.contains(words) && !end.contains("secret"))
        if words.hasPrefix("status") { #expect(end.contains("the proxy http://127.0.0.1:\(server.port) ")) }
    }

    @Test(
        "a proxy's name shows no user",
        arguments: [
            ("http://user:p@ss@proxy:3128", "http://proxy:3128"),
            ("socks5h://u:p@h:1/x@y", "socks5h://h:1/x@y"),
            ("http://proxy:3128", "http://proxy:3128"), ("user@proxy:1", "proxy:1"), ("", ""),
            ("http://", "http://"),
        ])
    func proxyName(url: String, name: String) { #expect(withoutUser(url) == name) }

    @Test(
        "a certificate that nobody vouches for is refused",
        .enabled(if: access("/usr/bin/openssl", X_OK) == 0))
    @Loop func unknownCertificate() async throws {
        let files = "/tmp/dragoman-loop-tests.\(getpid())"
        let command = """
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout \(files).key \
                -out \(files).pem -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>&1
            exec timeout 20 openssl s_server -accept 127.0.0.1:0 -naccept 1 -cert \(files).pem \
                -key \(files).key 2>&1
            """
        defer {
            unlink("\(files).key")
            unlink("\(files).pem")
        }
        // On a thread of its own, so that the loop of the other tests does not stand still.
        let ready = Handover<Substring>()
        onThread {
            guard let server = popen(command, "r") else { return }
            var line = [CChar](repeating: 0, count: 256)
            while fgets(&line, 256, server) != nil {
                let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
                let text = String(decoding: bytes, as: UTF8.self)
                if text.hasPrefix("ACCEPT") { ready.give(text.dropLast().split(separator: ":").last ?? "") }
            }
            pclose(server)
        }
        let port = await ready.take()
        let exchange = try Exchange()
        let transfer = exchange.start("https://127.0.0.1:\(port)/")
        await exchange.until { transfer.end != nil }
        #expect(Verdict(transfer.end) == .misconfigured, "\(String(describing: transfer.end))")
    }

    @Test("a header that would smuggle a line is refused")
    @Loop func smuggling() async throws {
        let exchange = try Exchange()
        for header in [
            UpstreamRequest.Header("Authorization", "Bearer k\r\nX: y"), .init("A:b", "c"), .init("", "c"),
        ] {
            let transfer = exchange.start("http://127.0.0.1:1/", headers: [header])
            #expect(Verdict(transfer.end) == .misconfigured)
        }
    }

    @Test("each limit ends its own phase, and none the whole")
    @Loop func limits() async throws {
        let server = try ScriptedServer { connection, _ in
            guard let request = connection.request() else { return }
            if request.head.hasPrefix("GET /silent") {
                _ = connection.closed()
                return
            }
            connection.send("\(okHead)Content-Length: 9\r\n\r\n")
            if request.head.hasPrefix("GET /head") {
                _ = connection.closed()
                return
            }
            for _ in 0..<8 {
                connection.send("x")
                usleep(20_000)
            }
            if request.head.hasPrefix("GET /stall") { _ = connection.closed() }
            connection.send("x")
        }
        let limits = TransferLimits(
            connect: .seconds(5), firstByte: .milliseconds(100), idle: .milliseconds(100))
        for (path, expected) in [
            ("/silent", .firstByteTimeout), ("/head", .firstByteTimeout), ("/stall", .idleTimeout),
            ("/slow", .complete),
        ] as [(String, Verdict)] {
            let exchange = try Exchange()
            let transfer = exchange.start(server.url + path, limits: limits)
            _ = await exchange.whole(transfer)
            #expect(Verdict(transfer.end) == expected, "\(path)")
            #expect(exchange.client.transferCount == 0)
        }
    }

    @Test("a connection that does not come about times out, and can be cancelled at once")
    @Loop func connecting() async throws {
        // A listener whose backlog is full drops further SYNs.
        let (listener, port) = try ScriptedServer.listen(backlog: 0)
        defer { close(listener) }
        let exchange = try Exchange()
        var fillers: [Transfer] = []
        for _ in 0..<8 { fillers.append(exchange.start("http://127.0.0.1:\(port)/")) }
        await Loop.sleep(for: .milliseconds(50))
        let limits = TransferLimits(connect: .milliseconds(150))
        let first = exchange.start("http://127.0.0.1:\(port)/", limits: limits)
        let second = exchange.start("http://127.0.0.1:\(port)/", limits: limits)
        await Loop.sleep(for: .milliseconds(20))
        #expect(second.end == nil)
        let start = Instant.now
        second.cancel()
        #expect(Instant.now < start.advanced(by: .milliseconds(5)))
        #expect(second.end == .cancelled)
        await exchange.until { first.end != nil }
        #expect(Verdict(first.end) == .connectTimeout)
        for filler in fillers { filler.cancel() }
        #expect(exchange.client.transferCount == 0)
    }

    @Test("a request that is resolving its host's name is cancelled at once")
    @Loop func resolving() async throws {
        let exchange = try Exchange()
        let transfer = exchange.start("http://a-name-to-look-up.invalid/")
        let start = Instant.now
        transfer.cancel()
        #expect(Instant.now < start.advanced(by: .milliseconds(5)))
        #expect(exchange.client.transferCount == 0)
    }

    @Test(
        "a cancelled request closes its connection within 5 ms",
        arguments: ["", "HTTP/1.1 200", okHead, "\(okHead)Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"])
    @Loop func cancelled(sent: String) async throws {
        let ready = Handover<Bool>()
        let gone = Handover<Instant>()
        let server = try ScriptedServer { connection, _ in
            _ = connection.request()
            connection.send(sent)
            ready.give(true)
            gone.give(connection.closed())
        }
        // The best of a few: other tests run beside this one.
        var best = Duration.seconds(60)
        for _ in 0..<5 where best > .milliseconds(5) {
            let exchange = try Exchange()
            let transfer = exchange.start(server.url, .post(body: [1]))
            _ = await ready.take()
            await Loop.sleep(for: .milliseconds(5))
            let start = Instant.now
            transfer.cancel()
            #expect(transfer.end == .cancelled)
            best = min(best, start.duration(to: await gone.take()))
        }
        #expect(best <= .milliseconds(5))
    }

    @Test("a client that goes away with requests under way leaves nothing behind")
    @Loop func clientGoes() async throws {
        let gone = Handover<Instant>()
        let server = try ScriptedServer { connection, _ in gone.give(connection.closed()) }
        var transfer: Transfer?
        do {
            let exchange = try Exchange()
            transfer = exchange.start(server.url)
            while server.connections == 0 { await Loop.sleep(for: .milliseconds(1)) }
        }
        _ = await gone.take()
        transfer?.cancel()
    }
}

struct FaultWordsTests {
    @Test(
        "the same fault has the same words each time",
        arguments: [
            (
                "Failed to connect to 127.0.0.1 port 80 after 12 ms: Couldn't connect to server",
                "Failed to connect to 127.0.0.1 port 80: Couldn't connect to server"
            ),
            ("gone after 3 ms", "gone"), ("after 3 hours", "after 3 hours"), ("", ""), ("after 1", "after 1"),
        ])
    func withoutTime(text: String, expected: String) { #expect(withoutElapsedTime(text) == expected) }
}
