// Transfers against a scripted backend: what arrives, in which pieces, over which connections.

import EventLoop
import Glibc
import LoopTesting
import Testing
import Upstream

/// A client and what a test does with one transfer.
@Loop
struct Exchange {
    let client: UpstreamClient
    let wakeup = Wakeup()

    init(proxy: String? = nil) throws { client = try #require(UpstreamClient(proxy: proxy)) }

    func start(
        _ url: String, _ method: UpstreamRequest.Method = .get, headers: [UpstreamRequest.Header] = [],
        limits: TransferLimits = TransferLimits()
    ) -> Transfer {
        client.start(
            UpstreamRequest(url: url, method: method, headers: headers, limits: limits), wakeup: wakeup)
    }

    /// Waits for the end and returns everything that came.
    func whole(_ transfer: Transfer) async -> String {
        var bytes: [UInt8] = []
        while transfer.end == nil {
            await wakeup.wait()
            transfer.consume { bytes += $0 }
        }
        transfer.consume { bytes += $0 }
        return String(decoding: bytes, as: UTF8.self)
    }

    func until(_ condition: () -> Bool) async {
        while !condition() { await wakeup.wait() }
    }
}

let okHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

@Suite struct TransferTests {
    init() { LoopThread.start() }

    @Test("a kept connection serves one request after the other, with what was asked in each")
    @Loop func reuse() async throws {
        let server = try ScriptedServer { connection, _ in
            while let request = connection.request() {
                let line = request.head.split(separator: "\r\n").first ?? ""
                let body = "\(line) \(request.body.count)"
                connection.send("\(okHead)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
        let exchange = try Exchange()
        for (method, expected) in [
            (.post(body: Array("{}".utf8)), "POST /v1/x HTTP/1.1 2"), (.get, "GET /v1/x HTTP/1.1 0"),
            (.post(body: []), "POST /v1/x HTTP/1.1 0"), (.post(body: [1, 2, 3]), "POST /v1/x HTTP/1.1 3"),
        ] as [(UpstreamRequest.Method, String)] {
            let transfer = exchange.start(server.url + "/v1/x", method)
            #expect(await exchange.whole(transfer) == expected)
            #expect(transfer.end == .complete)
            #expect(transfer.head == TransferHead(status: 200, contentType: "text/plain"))
            let times = transfer.times
            #expect(times.connected != nil && times.firstByte != nil && times.lastByte != nil)
        }
        #expect(server.connections == 1)
        #expect(exchange.client.transferCount == 0)
    }

    @Test("a backend that is faster than its reader leaves the loop its turns")
    @Loop func fairness() async throws {
        let size = 8 << 20
        let server = try ScriptedServer { connection, _ in
            guard connection.request() != nil else { return }
            connection.send("\(okHead)Content-Length: \(size)\r\n\r\n")
            connection.send([UInt8](repeating: 0x61, count: size))
        }
        let exchange = try Exchange()
        let transfer = exchange.start(server.url)
        var turns = 0
        let clock = Repeating(every: .milliseconds(1)) { turns += 1 }
        var seen = 0
        var pieces = 0
        var longest = 0
        var bytes = 0
        while transfer.end == nil || transfer.hasBytes {
            transfer.consume { bytes += $0.count }
            // As long as the translation of so many bytes may take, and longer than a tick.
            usleep(3000)
            pieces = turns == seen ? pieces + 1 : 1
            seen = turns
            longest = max(longest, pieces)
            if transfer.end == nil { await exchange.wakeup.wait() }
        }
        clock.stop()
        #expect(bytes == size)
        #expect(longest <= 8, "pieces taken without a turn of the loop")
    }

    @Test("headers go out as given; nothing asks for compression or for 100 Continue")
    @Loop func headers() async throws {
        let seen = Handover<String>()
        let server = try ScriptedServer { connection, _ in
            if let request = connection.request() { seen.give(request.head) }
            connection.send("\(okHead)Content-Length: 0\r\n\r\n")
        }
        let exchange = try Exchange()
        let transfer = exchange.start(
            server.url, .post(body: [UInt8](repeating: 0x20, count: 2 << 20)),
            headers: [.init("Authorization", "Bearer k"), .init("X-Empty", "")])
        _ = await exchange.whole(transfer)
        #expect(transfer.end == .complete)
        let lines = await seen.take().split(separator: "\r\n").map(String.init)
        #expect(lines.contains("Authorization: Bearer k"))
        #expect(lines.contains("X-Empty:"))
        #expect(lines.contains("Accept-Encoding: identity"))
        #expect(lines.contains("Content-Length: 2097152"))
        #expect(!lines.contains { $0.lowercased().hasPrefix("expect") })
    }

    @Test("informational answers are passed over; chunks arrive as they come")
    @Loop func chunks() async throws {
        let gate = Handover<Bool>()
        let server = try ScriptedServer { connection, _ in
            _ = connection.request()
            connection.send(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Type: x/y\r\n\r\n")
            connection.send(
                "HTTP/1.1 429 Slow\r\nContent-Encoding: GZip\r\nRetry-After:  7 \r\nX-RateLimit-Reset-Tokens: 6m0s\r\nContent-TYPE: Text/Event-Stream; a=b\r\n"
            )
            connection.send("Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            _ = connection.receive()
            connection.send("6\r\nsecond\r\n0\r\nX-Trailer: t\r\n\r\n")
            gate.give(true)
        }
        let exchange = try Exchange()
        let transfer = exchange.start(server.url)
        await exchange.until { transfer.hasBytes }
        var head = TransferHead(
            status: 429, contentType: "text/event-stream", retryAfter: "7", rateLimitReset: "6m0s")
        head.contentEncoding = "gzip"
        #expect(transfer.head == head)
        #expect(transfer.consume { String(decoding: $0, as: UTF8.self) } == "first")
        #expect(transfer.end == nil)
        #expect(!transfer.hasBytes)
        transfer.cancel()
        #expect(transfer.end == .cancelled)
        _ = await gate.take()
    }

    @Test("a body that ends with its connection is complete")
    @Loop func untilClose() async throws {
        let server = try ScriptedServer { connection, _ in
            _ = connection.request()
            connection.send("\(okHead)\r\nall of it")
        }
        let exchange = try Exchange()
        let transfer = exchange.start(server.url)
        #expect(await exchange.whole(transfer) == "all of it")
        #expect(transfer.end == .complete)
    }

    @Test(
        "a kept connection found dead before any answer byte is tried once more on a fresh one",
        arguments: [10, 300_000])
    @Loop func deadConnection(size: Int) async throws {
        let server = try ScriptedServer { connection, number in
            guard connection.request() != nil else { return }
            connection.send("\(okHead)Content-Length: 1\r\n\r\n\(number)")
            let second = connection.request()
            // The first connection dies with the second request read and not answered.
            if number > 0, second != nil { connection.send("\(okHead)Content-Length: 0\r\n\r\n") }
        }
        let exchange = try Exchange()
        #expect(await exchange.whole(exchange.start(server.url)) == "0")
        let transfer = exchange.start(server.url, .post(body: [UInt8](repeating: 1, count: size)))
        #expect(await exchange.whole(transfer) == "1")
        #expect(transfer.end == .complete)
        #expect(server.connections == 2)
    }

    @Test("one megabyte is posted without waiting, byte for byte")
    @Loop func largePost() async throws {
        let body = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        let same = Handover<Bool>()
        let server = try ScriptedServer { connection, _ in
            let request = connection.request()
            same.give(request?.body == body)
            connection.send("\(okHead)Content-Length: 0\r\n\r\n")
        }
        let exchange = try Exchange()
        let start = Instant.now
        let transfer = exchange.start(server.url, .post(body: body))
        _ = await exchange.whole(transfer)
        #expect(transfer.end == .complete)
        #expect(await same.take())
        #expect(Instant.now < start.advanced(by: .milliseconds(900)))
    }

    @Test("who does not take bytes holds the backend back, and gets all of them in the end")
    @Loop func backpressure() async throws {
        let total = 8 << 20
        let sent = Handover<Int>()
        let server = try ScriptedServer { connection, _ in
            _ = connection.request()
            connection.send("\(okHead)Content-Length: \(total)\r\n\r\n")
            var timeout = timeval(tv_sec: 0, tv_usec: 200_000)
            setsockopt(
                connection.descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout,
                socklen_t(MemoryLayout<timeval>.size))
            let block = [UInt8](repeating: 7, count: 4096)
            var count = 0
            var isHeld = false
            while count < total {
                if connection.send(block) {
                    count += block.count
                } else if !isHeld, errno == EAGAIN {
                    isHeld = true
                    sent.give(count)
                    timeout.tv_sec = 10
                    setsockopt(
                        connection.descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout,
                        socklen_t(MemoryLayout<timeval>.size))
                } else {
                    return
                }
            }
            _ = connection.closed()
        }
        let exchange = try Exchange()
        // The idle limit does not run while it is us who do not take bytes.
        let transfer = exchange.start(server.url, limits: TransferLimits(idle: .milliseconds(100)))
        await exchange.until { transfer.hasBytes }
        let held = await sent.take()
        #expect(held < total)
        #expect(transfer.end == nil)
        var count = 0
        var most = 0
        while transfer.end == nil || transfer.hasBytes {
            transfer.consume { bytes in
                most = max(most, bytes.count)
                count += bytes.count
            }
            if transfer.end == nil, !transfer.hasBytes { await exchange.wakeup.wait() }
        }
        #expect(transfer.end == .complete)
        #expect(count == total)
        #expect(most <= Transfer.bufferLimit)
    }

    @Test("the environment's proxy variables are not obeyed; a configured proxy is")
    @Loop func proxy() async throws {
        setenv("http_proxy", "http://127.0.0.1:1", 1)
        setenv("ALL_PROXY", "http://127.0.0.1:1", 1)
        defer {
            unsetenv("http_proxy")
            unsetenv("ALL_PROXY")
        }
        let server = try ScriptedServer { connection, _ in
            let line = connection.request()?.head.split(separator: "\r\n").first ?? ""
            connection.send("\(okHead)\r\n\(line)")
        }
        let direct = try Exchange()
        #expect(await direct.whole(direct.start(server.url + "/a")) == "GET /a HTTP/1.1")
        setenv("no_proxy", "*", 1)
        defer { unsetenv("no_proxy") }
        let proxied = try Exchange(proxy: server.url)
        #expect(
            await proxied.whole(proxied.start("http://backend.invalid/b"))
                == "GET http://backend.invalid/b HTTP/1.1")
    }
}

/// A timer that arms itself again.
@Loop
private final class Repeating {
    private var timer: Timer?

    init(every pause: Duration, _ body: @escaping @Loop () -> Void) {
        let timer = Timer { [unowned self] in
            body()
            self.timer?.arm(at: Loop.now.advanced(by: pause))
        }
        self.timer = timer
        timer.arm(at: Loop.now.advanced(by: pause))
    }

    func stop() {
        timer?.disarm()
        timer = nil
    }
}
