// The parties of the server's tests: a supervisor's end of the channel, and clients on socket pairs.

import EventLoop
import Glibc
import LoopTesting
import Shared
import Testing
import Upstream

@testable import Worker

/// The supervisor's side of one worker.
@Loop
final class Worked {
    let control: Control
    private let channel: SupervisorChannel
    private let wakeup = Wakeup()
    private var watch: Watch?
    private var messages: [WorkerMessage] = []
    private(set) var left: Int32?
    private var lastID: UInt64 = 0

    /// What ends the process, known only once this object stands.
    private final class Reported {
        var left: @Loop (Int32) -> Void = { _ in }
    }

    /// Nil until it was greeted.
    var server: Server? { control.receivers?.connections as? Server }

    /// Greets and waits until the worker is ready.
    init(_ configuration: Configuration = Configuration(), greet: Bool = true) async throws {
        var configuration = configuration
        configuration.log.level = .error
        configuration.backends = [.init(name: "absent", url: "http://127.0.0.1:1")]
        let pair = try ControlPair.make()
        var ends: (Int32, Int32) = (-1, -1)
        pair.give { supervisor, worker in ends = (supervisor.release(), worker.release()) }
        guard let near = Descriptor(adopting: ends.0), let far = Descriptor(adopting: ends.1) else {
            throw SystemFailure("socketpair", EMFILE)
        }
        channel = SupervisorChannel(adopting: near)
        let start = WorkerStart(
            number: 0, configuration: configuration,
            secrets: try HeldSecrets(configuration, SecretSources { _ in nil }),
            log: Log(configuration.log, identifier: "dragoman-worker"), channel: ChannelEnd())
        let reported = Reported()
        control = start.control(WorkerChannel(adopting: far), try #require(UpstreamClient()), Wakeup()) {
            reported.left($0)
        }
        reported.left = { [unowned self] in
            left = $0
            wakeup.signal()
        }
        watch = try Watch(channel.raw) { [unowned self] _ in pump() }
        try control.begin()
        #expect(await next { if case .hello(controlProtocolVersion) = $0 { true } else { false } })
        guard greet else { return }
        try say(.welcome(slots: 8))
        let absent = BackendNumber(0)
        try say(
            .backend(
                .init(absent, name: "absent", url: "http://127.0.0.1:1", priority: 100, isDiscovered: false)))
        try say(.condition(.init(absent, .down, isOpen: false, reason: "refused")))
        #expect(await next { $0 == .ready })
    }

    /// A worker never ends but with its process: it is kept until then.
    func end() {
        watch?.cancel()
        server?.prober.probe(isOn: false)
        Self.ended.append(self)
    }

    private static var ended: [Worked] = []

    func say(_ message: SupervisorMessage, passing descriptor: Int32? = nil) throws {
        try channel.send(message, passing: descriptor)
    }

    /// Passes one end of a new connection; gives the other.
    func connect(peek: Bool = false) throws -> (id: UInt64, client: Client) {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0, &ends) == 0)
        lastID += 1
        let message: SupervisorMessage =
            peek
            ? .peek(id: lastID, scope: .unix, peer: "test")
            : .connection(id: lastID, scope: .unix, peer: "test")
        try say(message, passing: ends[0])
        close(ends[0])
        return (lastID, try Client(ends[1]))
    }

    /// Waits for a message and takes it out; false after two seconds without.
    func next(_ wanted: (WorkerMessage) -> Bool) async -> Bool {
        let deadline = Instant.now.advanced(by: .seconds(2))
        while true {
            if let index = messages.firstIndex(where: wanted) {
                messages.remove(at: index)
                return true
            }
            if await wakeup.wait(until: deadline) { return false }
        }
    }

    func hasLeft(with status: Int32) async -> Bool {
        let deadline = Instant.now.advanced(by: .seconds(2))
        while left == nil { if await wakeup.wait(until: deadline) { return false } }
        return left == status
    }

    /// Messages of this kind that have come and were not taken.
    func count(_ wanted: (WorkerMessage) -> Bool) -> Int { messages.count(where: wanted) }

    private func pump() {
        while true {
            guard let received = try? channel.receive() else { return }
            switch consume received {
            case .message(let message): messages.append(message)
            case .passing: return
            case .bereft: return
            case .nothing: return wakeup.signal()
            case .ended: return wakeup.signal()
            }
        }
    }
}

@Loop
final class Client {
    private let descriptor: Int32
    private let wakeup = Wakeup()
    private var watch: Watch?
    private var text = ""

    init(_ descriptor: Int32) throws {
        self.descriptor = descriptor
        watch = try Watch(descriptor, signalling: wakeup)
    }

    func send(_ text: String) { _ = write(descriptor, text, text.utf8.count) }

    func sendAll(_ text: String) async {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else { await Loop.yield() }
        }
    }

    func leave() {
        watch?.cancel()
        close(descriptor)
    }

    /// Everything up to the `count`th occurrence of `mark`, or (mark = nil) the end of the stream.
    func read(until mark: String?, count: Int = 1) async -> String {
        let deadline = Instant.now.advanced(by: .seconds(3))
        while true {
            if let mark, text.components(of: mark) >= count { return text }
            var bytes = [UInt8](repeating: 0, count: 4096)
            let got = Glibc.read(descriptor, &bytes, bytes.count)
            if got == 0 { return text }
            if got > 0 {
                text += String(decoding: bytes[..<got], as: UTF8.self)
                continue
            }
            if await wakeup.wait(until: deadline) { return text + "<timed out>" }
        }
    }
}

extension String {
    func components(of mark: String) -> Int {
        var count = 0
        var rest = self[...]
        while let first = rest.indices.first(where: { rest[$0...].hasPrefix(mark) }) {
            count += 1
            rest = rest[first...].dropFirst(mark.count)
        }
        return count
    }
}
