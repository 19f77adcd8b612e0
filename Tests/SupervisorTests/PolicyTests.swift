// Restart delays, the choice of a worker, and what follows from limits, addresses and the environment.

import Shared
import Testing

@testable import Supervisor

@Suite("Restart policy") struct RestartPolicyTests {
    @Test("a worker that had served is followed at once, however often")
    func proven() {
        var policy = RestartPolicy(maximum: .seconds(30))
        for _ in 0..<50 { #expect(policy.ended(proven: true) == .zero) }
    }

    @Test("one that dies before serving is followed after a delay that doubles up to the limit, for ever")
    func doubling() {
        var policy = RestartPolicy(maximum: .seconds(30))
        let milliseconds = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]
        #expect(
            milliseconds.map { _ in policy.ended(proven: false) } == milliseconds.map { .milliseconds($0) })
        for _ in 0..<1000 { #expect(policy.ended(proven: false) == .seconds(30)) }
    }

    @Test("a life that served wipes the slate")
    func wiped() {
        var policy = RestartPolicy(maximum: .seconds(30))
        for _ in 0..<5 { _ = policy.ended(proven: false) }
        #expect(policy.ended(proven: true) == .zero)
        #expect(policy.ended(proven: false) == .milliseconds(100))
    }

    @Test("a limit below the first delay holds too")
    func lowLimit() {
        var policy = RestartPolicy(maximum: .milliseconds(10))
        #expect(policy.ended(proven: false) == .milliseconds(10))
    }
}

@Suite("Dispatch") struct DispatchTests {
    private static func candidate(
        _ worker: WorkerID, free: Int, unacknowledged: Int = 0, idle: Int = 0, quiet: Bool = false
    ) -> Candidate {
        Candidate(worker: worker, free: free, unacknowledged: unacknowledged, idle: idle, isQuiet: quiet)
    }

    static let choices: [([Candidate], WorkerID?)] = [
        ([], nil),
        ([candidate(0, free: 0), candidate(1, free: 0)], nil),
        ([candidate(0, free: 3), candidate(1, free: 5), candidate(2, free: 4)], 1),
        ([candidate(2, free: 5), candidate(0, free: 5), candidate(1, free: 5)], 0),
        ([candidate(0, free: 5, unacknowledged: 2), candidate(1, free: 5, unacknowledged: 1)], 1),
        ([candidate(0, free: 900, quiet: true), candidate(1, free: 1)], 1),
        ([candidate(0, free: 900, quiet: true), candidate(1, free: 0)], 0),
        ([candidate(0, free: 900, unacknowledged: Dispatch.maximumUnacknowledged)], nil),
        ([candidate(0, free: 900, unacknowledged: 64), candidate(1, free: 1)], 1),
    ]

    @Test("the most room wins; never none, never one that swallows", arguments: choices)
    func choose(candidates: [Candidate], expected: WorkerID?) {
        #expect(Dispatch.choose(among: candidates) == expected)
    }

    @Test("idle connections are asked for where they are known, then of everybody, never of a quiet worker")
    func closingIdle() {
        let workers = [
            Self.candidate(0, free: 0, idle: 2), Self.candidate(1, free: 0, idle: 7),
            Self.candidate(2, free: 0), Self.candidate(3, free: 0, idle: 9, quiet: true),
        ]
        #expect(
            Dispatch.closingIdle(10, among: workers).map { [Int($0.worker.life), $0.count] } == [
                [1, 7], [0, 2], [2, 1],
            ])
        #expect(Dispatch.closingIdle(3, among: workers).map { [Int($0.worker.life), $0.count] } == [[1, 3]])
        #expect(Dispatch.closingIdle(0, among: workers).isEmpty)
    }
}

@Suite("Facts of the machine") struct FactTests {
    static let ages: [(Duration, String)] = [
        (.zero, "0s"), (.milliseconds(850), "850ms"), (.seconds(59), "59s"), (.seconds(61), "1m01s"),
        (.seconds(11_520), "3h12m"), (.seconds(90_000), "1d01h"), (.seconds(-5), "0s"),
    ]

    @Test("durations for people", arguments: ages)
    func brief(duration: Duration, text: String) { #expect(duration.brief == text) }

    @Test("a limit of open files that is too low costs slots and is said; one that is enough is not")
    func openFiles() {
        let enough = OpenFiles(slots: 1024, limit: OpenFiles.needed(slots: 1024))
        #expect(enough.slots == 1024 && enough.warning == nil)
        let short = OpenFiles(slots: 1024, limit: 1024)
        #expect(short.slots == 448)
        #expect(short.warning?.contains("LimitNOFILE=") == true)
        #expect(short.warning?.contains("\(OpenFiles.needed(slots: 1024))") == true)
        #expect(OpenFiles(slots: 1024, limit: 10).slots == 1)
        #expect(
            [10, 64, 1024, 1 << 20].map { OpenFiles(slots: 1024, limit: $0).queue } == [2, 16, 256, 1024])
    }

    @Test("few open files are used, not reserved")
    func fewOpenFiles() {
        #expect([32, 64, 256, 512].map { OpenFiles(slots: 1024, limit: $0).slots } == [10, 24, 96, 192])
    }

    @Test("a worker keeps the contract's variables, nothing else: no secret, nor where one lies")
    func environment() {
        let all = [
            "PATH": "/bin", "HOME": "/h", "LISTEN_FDS": "1", "NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "1",
            "GPU_KEY": "k", "CREDENTIALS_DIRECTORY": "/c", "OTHER": "x", "JOURNAL_STREAM": "8:1",
        ]
        #expect(WorkerPlan.kept { all[$0] } == ["PATH=/bin", "HOME=/h", "JOURNAL_STREAM=8:1"])
    }

    @Test("where the admin socket lies and is looked for")
    func adminPath() {
        func own(_ user: UInt32, _ variables: [String: String]) -> String {
            AdminPath.own(user: user) { variables[$0] }
        }
        #expect(own(7, ["RUNTIME_DIRECTORY": "/run/a:/b", "XDG_RUNTIME_DIR": "/x"]) == "/run/a/admin.sock")
        #expect(own(0, ["XDG_RUNTIME_DIR": "/x"]) == "/x/dragoman/admin.sock")
        #expect(own(0, [:]) == "/run/dragoman/admin.sock")
        #expect(own(0, ["XDG_RUNTIME_DIR": "relative"]) == "/run/dragoman/admin.sock")
        #expect(own(1000, [:]) == "/tmp/dragoman-1000/admin.sock")
        #expect(
            AdminPath.candidates(user: 1000) { _ in nil }
                == ["/tmp/dragoman-1000/admin.sock", "/run/dragoman/admin.sock"])
        #expect(AdminPath.candidates(user: 0) { _ in nil } == ["/run/dragoman/admin.sock"])
        let unit = AdminPath.candidates(user: 1000) { $0 == "RUNTIME_DIRECTORY" ? "/run/a" : nil }
        #expect(unit == ["/run/a/admin.sock"])
    }

    static let addresses: [(Configuration.ListenAddress, ListenerScope, String)] = [
        (.tcp(host: "127.0.0.1", port: 1), .loopback, "127.0.0.1:1"),
        (.tcp(host: "127.9.9.9", port: 80), .loopback, "127.9.9.9:80"),
        (.tcp(host: "0.0.0.0", port: 8484), .network, "0.0.0.0:8484"),
        (.tcp(host: "192.168.1.2", port: 8484), .network, "192.168.1.2:8484"),
        (.tcp(host: "::1", port: 8484), .loopback, "[::1]:8484"),
        (.tcp(host: "::", port: 8484), .network, "[::]:8484"),
        (.tcp(host: "::ffff:127.0.0.1", port: 8484), .loopback, "[::ffff:127.0.0.1]:8484"),
        (.tcp(host: "2001:db8::1", port: 8484), .network, "[2001:db8::1]:8484"),
        (.unix(path: "/run/x.sock"), .unix, "unix:/run/x.sock"),
    ]

    @Test("an address becomes a scope and the text people know", arguments: addresses)
    func address(listen: Configuration.ListenAddress, scope: ListenerScope, text: String) throws {
        let address = try #require(SocketAddress(listen))
        #expect(address.scope == scope && address.text == text)
    }

    @Test("what is no address is none")
    func noAddress() {
        #expect(SocketAddress(.tcp(host: "localhost", port: 1)) == nil)
        #expect(SocketAddress(.unix(path: String(repeating: "x", count: 108))) == nil)
        #expect(SocketAddress(.unix(path: "")) == nil)
    }
}
