// The mock backend: an OpenAI-compatible server that answers what the request's directive asks for,
// and remembers for the named exchanges when their client left. Its memory is bounded by names asked for.

import CSystem
import Glibc

/// How an exchange that has a name ended, as `/bench/stats?id=N` tells.
struct ExchangeRecord {
    enum State: String { case open, finished, left }
    var state = State.open
    /// `cs_now()` when the state was reached.
    var at: UInt64
}

final class MockServer: Source {
    let poller: Poller
    private let listener: Int32
    var wire = MockWire()
    /// Bytes received by whichever connection is being read; valid only during its callback.
    let scratch = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 256 << 10)
    var requests = 0
    var finished = 0
    var left = 0
    var connections = 0
    private var records: [Int: ExchangeRecord] = [:]
    private static let maximumRecords = 10_000

    init(port: Int) throws {
        poller = try Poller()
        let bound = try Sockets.listen(port: port)
        listener = bound.fd
        super.init()
        scratch.initialize(repeating: 0)
        poller.add(listener, self)
        writeOutput("listening \(bound.port)\n")
    }

    deinit { scratch.deallocate() }

    static func run(_ options: Options) throws {
        try options.check(known: ["port"])
        Sockets.raiseOpenFiles()
        let server = try MockServer(port: options.number("port", or: 0, in: 0...65535))
        server.poller.run()
    }

    override func ready(_ events: UInt32) {
        var address = sockaddr_storage()
        var length = socklen_t()
        while true {
            let fd = cs_accept(listener, &address, &length)
            guard fd >= 0 else { return }
            cs_tune_connection(fd)
            connections += 1
            poller.add(fd, MockConnection(fd: fd, server: self))
        }
    }

    func note(_ id: Int, _ state: ExchangeRecord.State) {
        guard id > 0 else { return }
        if records.count >= Self.maximumRecords, records[id] == nil { records.removeAll() }
        records[id] = ExchangeRecord(state: state, at: cs_now())
    }

    /// `query` is what follows `/bench/stats`.
    func statistics(id: Int?) -> [UInt8] {
        var object = JSONObject()
        if let id {
            object.set("id", id)
            object.set("state", records[id]?.state.rawValue ?? "unknown")
            object.set("at_ns", raw: String(records[id]?.at ?? 0))
        } else {
            object.set("pid", Int(getpid()))
            object.set("requests", requests)
            object.set("finished", finished)
            object.set("left", left)
            object.set("connections", connections)
        }
        return MockWire.answer(status: "200 OK", json: Array(object.text.utf8))
    }
}
