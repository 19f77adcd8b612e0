// Reading requests: what a connection may keep, and the room that large bodies have together.

import EventLoop
import Glibc
import HTTP
import LoopTesting
import Shared
import Testing

@testable import Worker

/// One connection's reader, and the client's end.
@Loop
private final class Reading {
    let reader: RequestReader
    let wakeup = Wakeup()
    let client: Int32
    private let socket: ClientSocket

    init(_ room: BodyRoom = BodyRoom(largest: 0), _ configuration: Configuration = Configuration()) throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0, &ends) == 0)
        client = ends[1]
        guard let near = Descriptor(adopting: ends[0]) else { throw SystemFailure("socketpair", EMFILE) }
        socket = try ClientSocket(near, signalling: wakeup)
        reader = RequestReader(socket, wakeup, configuration, room)
    }

    isolated deinit {
        socket.close()
        close(client)
    }

    func send(_ bytes: [UInt8]) { #expect(write(client, bytes, bytes.count) == bytes.count) }
    func send(_ text: String) { send(Array(text.utf8)) }
    func head() async throws -> RequestHead {
        try await reader.head { Instant.now.advanced(by: .seconds(2)) }
    }

    /// The next request with its body.
    func request() async throws -> Request {
        let request = Request(head: try await head())
        try await reader.readBody(of: request)
        return request
    }
}

@Suite(.serialized)
struct RequestReaderTests {
    init() { LoopThread.start() }

    @Test("a client that always has a part of its next request here keeps no more than a few of them here")
    @Loop func pipelining() async throws {
        let reading = try Reading()
        let get = Array("GET /\(String(repeating: "a", count: 7000)) HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        let half = get.count / 2
        reading.send(Array(get[..<half]))
        for _ in 0..<500 {
            reading.send(Array(get[half...] + get[..<half]))
            #expect(try await reading.head().length == get.count)
            #expect(reading.reader.buffered <= 2 * get.count)
        }
    }

    @Test("a body that nobody reads is not kept, whole or in chunks")
    @Loop func discarding() async throws {
        let reading = try Reading()
        let part = [UInt8](repeating: 0x61, count: 16 << 10)
        let parts = ServingLimits.discardedBody / part.count
        for framing in ["Content-Length: \(parts * part.count)", "Transfer-Encoding: chunked"] {
            reading.send("POST /a HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
            let head = try await reading.head()
            var most = 0
            let done = Wakeup()
            var whole: Bool?
            Loop.spawn {
                whole = try? await reading.reader.discardBody(of: head)
                done.signal()
            }
            for _ in 0..<parts {
                if head.framing == .chunked { reading.send("4000\r\n") }
                reading.send(part)
                if head.framing == .chunked { reading.send("\r\n") }
                await Loop.sleep(for: .microseconds(100))
                most = max(most, reading.reader.buffered)
            }
            if head.framing == .chunked { reading.send("0\r\n\r\n") }
            await done.wait()
            #expect(whole == true)
            #expect(most <= 2 * ServingLimits.readBytes)
        }
    }

    @Test("a large body waits unread until there is room; small ones do not; what is given up makes room")
    @Loop func room() async throws {
        let large = ServingLimits.smallBody + 1
        let room = BodyRoom(largest: ServingLimits.largeBodies)
        let held = room.share(room.limit - large + 1, signalling: Wakeup())
        #expect(held.isGranted)
        let reading = try Reading(room)
        reading.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: \(large)\r\n\r\n")
        let done = Wakeup()
        var request: Request?
        Loop.spawn {
            request = try? await reading.request()
            done.signal()
        }
        let small = try Reading(room)
        small.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        #expect(try await small.request().body == Array("{}".utf8))
        reading.send([UInt8](repeating: 0x61, count: 1000))
        #expect(await done.wait(until: Instant.now.advanced(by: .milliseconds(20))))
        #expect(reading.reader.buffered == 0, "nothing of the body is read")
        held.release()
        var left = large - 1000
        while left > 0 {
            let count = min(left, 32 << 10)
            let bytes = [UInt8](repeating: 0x61, count: count)
            let sent = write(reading.client, bytes, count)
            if sent > 0 { left -= sent } else { await Loop.yield() }
        }
        await done.wait()
        let got = try #require(request)
        #expect(got.body.count == large && room.used == large)
        got.giveUpBody()
        #expect(got.body.isEmpty && room.used == 0)
    }

    @Test("a chunked body takes the room of the largest, and gives back what it does not need")
    @Loop func chunkedRoom() async throws {
        var configuration = Configuration()
        configuration.limits.requestBody = 4 << 20
        let room = BodyRoom(largest: configuration.limits.requestBody)
        let reading = try Reading(room, configuration)
        reading.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        let done = Wakeup()
        var request: Request?
        Loop.spawn {
            request = try? await reading.request()
            done.signal()
        }
        let chunk = Array("8000\r\n".utf8) + [UInt8](repeating: 0x61, count: 32 << 10) + Array("\r\n".utf8)
        let count = ServingLimits.smallBody / (32 << 10) + 2
        var most = 0
        for _ in 0..<count {
            var rest = chunk[...]
            while !rest.isEmpty {
                let sent = rest.withUnsafeBytes { write(reading.client, $0.baseAddress, $0.count) }
                if sent > 0 { rest = rest.dropFirst(sent) }
                await Loop.yield()
                most = max(most, room.used)
            }
        }
        reading.send("0\r\n\r\n")
        await done.wait()
        #expect(most == configuration.limits.requestBody)
        #expect(room.used == count * (32 << 10))
        request?.giveUpBody()
        #expect(room.used == 0)
    }

    @Test("room is given in order; who no longer waits holds up nobody; a single body has room in any case")
    @Loop func shares() async {
        let room = BodyRoom(largest: 10)
        #expect(room.limit == ServingLimits.largeBodies && BodyRoom(largest: .max).limit == .max)
        let wakeup = Wakeup()
        let first = room.share(room.limit - 10, signalling: wakeup)
        let second = room.share(20, signalling: wakeup)
        let third = room.share(5, signalling: wakeup)
        #expect(first.isGranted && !second.isGranted && !third.isGranted)
        second.release()
        #expect(third.isGranted && room.used == room.limit - 5)
        let fourth = room.share(room.limit, signalling: wakeup)
        first.shrink(to: 1)
        third.release()
        third.release()
        #expect(!fourth.isGranted && room.used == 1)
        first.release()
        #expect(fourth.isGranted && room.used == room.limit)
        fourth.release()
        #expect(room.used == 0)
    }
}
