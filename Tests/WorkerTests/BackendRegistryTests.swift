// What the prober makes of backends' answers over time, and what the registry knows then: both in one worker, with a
// supervisor between them that relays. Every test waits for events; nothing waits for a clock but the bounded waits
// under test.

import BackendSettings
import EventLoop
import JSON
import LoopTesting
import Routing
import Shared
import Testing
import Translation
import Upstream

@testable import Worker

@Suite struct BackendRegistryTests {
    init() { LoopThread.start() }

    /// One worker that has the prober's role, and its supervisor: what is told is relayed at once, a backend is down
    /// after one bad check.
    @Loop
    final class Bed {
        let answers = Answers()
        /// What the prober has said.
        private(set) var told: [WorkerMessage] = []
        private(set) var learnt: [ModelObservation] = []
        private(set) var forgot: [BackendID] = []
        private var made: (registry: BackendRegistry, prober: BackendProber)?
        private var announced = 0
        let configuration: Configuration
        let keys: [SecretValue?]
        let firstLook: Duration

        init(_ text: String = "", keys: [SecretValue?] = [], firstLook: Duration = ProbePace.firstRound) {
            if case .good(let read) = Configuration.parse(Array(text.utf8), name: "f") {
                configuration = read
            } else {
                Issue.record("a bad configuration")
                configuration = Configuration()
            }
            self.keys = keys
            self.firstLook = firstLook
        }

        private var parts: (registry: BackendRegistry, prober: BackendProber) {
            if let made { return made }
            var settings = Configuration.LogSettings()
            settings.level = .error
            let log = Log(settings, identifier: "test")
            let registry = BackendRegistry(
                configuration, keys: keys, log: log,
                environment: .init(
                    learnt: { self.learnt.append($0) }, forgot: { backend, _ in self.forgot.append(backend) }),
                firstLook: firstLook)
            let prober = BackendProber(
                configuration, registry, log: log,
                environment: .init(carrier: answers.carrier, send: { self.relay($0) }), firstLook: firstLook)
            made = (registry, prober)
            for backend in configuration.backends {
                announce(backend.name, backend.url, UInt32(backend.priority), isDiscovered: false)
            }
            return (registry, prober)
        }

        var registry: BackendRegistry { parts.registry }
        var prober: BackendProber { parts.prober }

        func start() { prober.probe(isOn: true) }
        func stop() { prober.probe(isOn: false) }

        private func announce(_ name: String, _ url: String, _ priority: UInt32, isDiscovered: Bool) {
            let number = BackendNumber(UInt16(announced))
            announced += 1
            registry.announced(
                .init(number, name: name, url: url, priority: priority, isDiscovered: isDiscovered))
        }

        private func relay(_ message: WorkerMessage) {
            told.append(message)
            switch message {
            case .listing(let part): registry.listed(part)
            case .checked(let backend, .good): registry.fares(.init(backend, .up, isOpen: true))
            case .checked(let backend, .bad(let reason)):
                registry.fares(.init(backend, .down, isOpen: false, reason: reason))
            case .discovered(let name, let url, let priority):
                announce(name, url, priority, isDiscovered: true)
            case .searched: registry.searched()
            default: Issue.record("\(message)")
            }
        }

        func route(_ model: String) async -> String {
            do throws(RoutingFailure) {
                let routes = try await registry.routes(for: model)
                return routes.map { route in
                    registry.access(route).map { "\($0.name)>\($0.target.model)" } ?? "demo"
                }.joined(separator: " ")
            } catch {
                return "\(Failure(error).error(for: .messages).status)"
            }
        }

        /// As `name state`.
        var states: [String] { registry.entries.map { "\($0.name) \($0.condition.state)" } }

        func until(_ states: String...) async { await answers.until { self.states == states } }

        /// Rounds of questions whose result was told.
        var rounds: Int {
            told.count { if case .checked = $0 { true } else { false } }
        }
    }

    static let two = """
        backends:
          - {name: one, url: http://one, type: vllm, think_tags: implicit, hold_status: 3s, max_concurrent: 2, history: heal, tool_calls: sequential}
          - {name: two, url: http://two}
        """

    @Test("a request waits for the first look, and is routed from memory after that")
    @Loop func firstLook() async throws {
        let bed = Bed(Self.two, keys: [SecretValue(Array("sk-1".utf8)), nil])
        bed.answers.table = [
            "http://one": ["/v1/models": #"{"data":[{"id":"a","max_model_len":8192}]}"#],
            "http://two": ["/v1/models": oneModelList, "/api/version": #"{"version":"1"}"#],
        ]
        bed.start()
        #expect(await bed.route("claude-x") == "one>a")
        #expect(bed.answers.keys == ["sk-1"])
        let asked = bed.answers.asked.count
        #expect(await bed.route("m") == "two>m")
        #expect(bed.answers.asked.count == asked)
        #expect(bed.registry.canServe)
        let access = try #require(bed.registry.access(try await bed.registry.routes(for: "a")[0]))
        #expect(access.headers == [.init("authorization", "Bearer sk-1")])
        #expect(access.settings.holdStatus == .seconds(3) && access.settings.maxConcurrent == 2)
        #expect(access.index == 0)
        #expect(access.target.contextWindow == 8192 && access.target.profile.name == "vllm")
        #expect(access.target.settings.history == .heal && access.target.settings.toolCalls == .sequential)
        let other = try #require(bed.registry.access(try await bed.registry.routes(for: "m")[0]))
        #expect(other.target.settings == ConversionSettings() && other.target.profile.name == "ollama")
        #expect(bed.states == ["one up", "two up"])
        #expect(!"\(bed.told)".contains("sk-1"))
        bed.stop()
    }

    @Test("a mute backend holds the first requests for two seconds at most, and later ones not at all")
    @Loop func muteBackend() async {
        let bed = Bed(Self.two)
        bed.answers.table = ["http://one": [:], "http://two": ["/v1/models": oneModelList]]
        bed.answers.mute = ["http://one"]
        bed.start()
        await bed.until("one unknown", "two up")
        let before = Instant.now
        #expect(await bed.route("claude-x") == "two>m")
        #expect(before.duration(to: .now) < .seconds(10))
        let then = Instant.now
        #expect(await bed.route("m") == "two>m")
        #expect(then.duration(to: .now) < .seconds(1))
        bed.stop()
        bed.answers.release()
    }

    @Test("a worker that joins late waits for nothing: all is told before its first request")
    @Loop func lateWorker() async throws {
        let first = Bed(Self.two)
        first.answers.table = ["http://one": ["/v1/models": oneModelList]]
        first.start()
        await first.until("one up", "two down")
        // Its first look would not end by itself, and it asks nobody.
        let late = Bed(Self.two, firstLook: .seconds(600))
        for case .listing(let part) in first.told { late.registry.listed(part) }
        let number = BackendNumber(1)
        late.registry.fares(.init(number, .down, isOpen: false, isLost: true, reason: "refused"))
        #expect(await late.route("m") == "one>m")
        #expect(late.answers.asked.isEmpty && late.registry.canServe && late.registry.failsPersistently(1))
        first.stop()
    }

    @Test("a backend that dies is told as down soon, and comes back; its place among the routes stays")
    @Loop func comesAndGoes() async throws {
        let bed = Bed(Self.two)
        let alive = ["/v1/models": oneModelList]
        bed.answers.table = ["http://one": alive, "http://two": alive]
        bed.start()
        #expect(await bed.route("m") == "one>m two>m")
        bed.answers.table["http://one"] = nil
        bed.prober.look(at: BackendNumber(0))
        await bed.until("one down", "two up")
        #expect(bed.registry.entries[0].condition.reason == "connection refused")
        #expect(await bed.route("m") == "one>m two>m")
        #expect(bed.registry.canServe)
        bed.answers.table["http://one"] = alive
        await bed.until("one up", "two up")
        #expect(bed.forgot == ["one"])
        bed.stop()
    }

    @Test func nobodyThere() async { await nobody() }

    @Loop private func nobody() async {
        let bed = Bed(Self.two)
        bed.start()
        #expect(await bed.route("claude-x") == "529")
        #expect(await bed.route("one/m") == "one>m")
        #expect(!bed.registry.canServe)
        // Numbers from elsewhere do not matter.
        bed.registry.failed(99)
        bed.registry.succeeded(-1)
        bed.registry.fares(.init(BackendNumber(99), .up, isOpen: true))
        bed.registry.fares(BackendNumber(99), ModelDigest(of: "m"), isOpen: true)
        bed.registry.listed(
            .init(BackendNumber(99), type: "", dialect: "", isFirst: true, isLast: true, models: []))
        bed.prober.look(at: BackendNumber(99))
        #expect(!bed.registry.failsPersistently(99))
        for _ in 0..<5 { bed.registry.failed(1) }
        #expect(bed.registry.failsPersistently(1) && !bed.registry.failsPersistently(0))
        bed.registry.succeeded(1)
        #expect(!bed.registry.failsPersistently(1))
        let route = Route(destination: .backend(99), model: "m")
        #expect(bed.registry.access(route) == nil && bed.registry.candidate(of: route) == nil)
        bed.stop()
    }

    @Test("what the service is asked with of a route, and whether it has to be asked")
    @Loop func candidates() async throws {
        let bed = Bed(Self.two)
        let list = #"{"object":"list","data":[{"id":"m"},{"id":"n"}]}"#
        bed.answers.table = ["http://one": ["/v1/models": list], "http://two": ["/v1/models": list]]
        bed.start()
        let (m, n) = (try await bed.registry.routes(for: "m"), try await bed.registry.routes(for: "n"))
        let (one, two) = (BackendNumber(0), BackendNumber(1))
        #expect(
            m.map { bed.registry.candidate(of: $0) }
                == [(one, true), (two, nil)].map { BackendCandidate($0, ModelDigest(of: "m"), isLoaded: $1) })
        #expect(
            bed.registry.candidate(of: n[0]) == BackendCandidate(one, ModelDigest(of: "n"), isLoaded: true))
        #expect([one, two, BackendNumber(9)].map { bed.registry.name(of: $0) } == ["one", "two", nil])
        #expect((m + n).allSatisfy { bed.registry.isOpen($0) })
        bed.registry.fares(two, ModelDigest(of: "m"), isOpen: false)
        #expect((m + n).map { bed.registry.isOpen($0) } == [true, false, true, true])
        bed.registry.fares(.init(one, .up, isOpen: false))
        #expect((m + n).map { bed.registry.isOpen($0) } == [false, false, false, true])
        bed.registry.fares(.init(one, .up, isOpen: true))
        bed.registry.fares(two, ModelDigest(of: "m"), isOpen: true)
        #expect((m + n).allSatisfy { bed.registry.isOpen($0) })
        bed.stop()
    }

    @Test(
        "before anything is said of a backend, one with `max_concurrent` is not open, and none is asked about"
    )
    @Loop func unsaid() {
        var configuration = Configuration()
        configuration.backends = [.init(name: "a", url: "http://a"), .init(name: "b", url: "http://b")]
        configuration.backends[1].maxConcurrent = 1
        let registry = BackendRegistry(
            configuration, keys: [], log: Log(configuration.log, identifier: "test"), environment: .init())
        let routes = [0, 1].map { Route(destination: .backend($0), model: "m") }
        #expect(routes.map { registry.isOpen($0) } == [true, false])
        #expect(routes.map { registry.candidate(of: $0) } == [nil, nil])
        #expect(registry.isOpen(Route(destination: .demo, model: "demo")))
    }

    @Test("a list in parts counts only when it is whole, and the last beginning counts")
    @Loop func parts() async throws {
        let bed = Bed(Self.two, firstLook: .zero)
        func part(_ names: ClosedRange<Int>, isFirst: Bool = false, isLast: Bool = false) {
            let models = names.map { ModelFacts(id: "m\($0)") }
            bed.registry.listed(
                .init(
                    BackendNumber(0), type: "", dialect: "", isFirst: isFirst, isLast: isLast, models: models)
            )
        }
        func known() -> [String]? { bed.registry.entries[0].models?.all.map(\.id) }
        part(1...2, isFirst: true)
        #expect(known() == nil)
        part(3...3, isFirst: true)
        part(4...4, isLast: true)
        #expect(known() == ["m3", "m4"])
        part(5...5, isFirst: true)
        #expect(known() == ["m3", "m4"])
        for start in stride(from: 0, to: 10_000, by: 100) { part(start...(start + 99), isFirst: start == 0) }
        part(1...1, isLast: true)
        #expect(known()?.count == ListingPart.maximumModels)
    }

    @Test("with nothing configured and nothing there the demo answers, after all ports were asked")
    @Loop func demo() async throws {
        let bed = Bed()
        #expect(!bed.registry.canServe)
        bed.start()
        #expect(await bed.route("claude-x") == "demo")
        #expect(await bed.route("qwen3") == "404")
        #expect(bed.registry.canServe)
        #expect(
            Set(bed.answers.asked)
                == Set([11434, 1234, 8000, 8080, 30000].map { "http://127.0.0.1:\($0)/v1/models" }))
        #expect(bed.told == [.searched])
        bed.stop()
    }

    @Test("what listens on usual ports is found, in order of preference, and told once")
    @Loop func discovery() async throws {
        let bed = Bed()
        bed.answers.table = [
            "http://127.0.0.1:8000": [
                "/v1/models": oneModelList, "/props": #"{"default_generation_settings":{"n_ctx":512}}"#,
            ],
            "http://127.0.0.1:11434": [
                "/v1/models": #"{"data":[{"id":"q","object":"model"}]}"#, "/api/version": #"{"version":"1"}"#,
            ],
            "http://127.0.0.1:8080": ["/v1/models": "<html>It works</html>"],
        ]
        bed.start()
        #expect(await bed.route("claude-x") == "ollama>q")
        #expect(await bed.route("m") == "llamacpp-8000>m")
        let found = bed.told.compactMap { message -> String? in
            guard case .discovered(let name, let url, let priority) = message else { return nil }
            return "\(name) \(url) \(priority)"
        }
        #expect(
            Set(found)
                == ["ollama http://127.0.0.1:11434 100", "llamacpp-8000 http://127.0.0.1:8000 98"])
        #expect(found.count == 2 && bed.told.count { $0 == .searched } == 1)
        #expect(await bed.route("demo") == "404")
        bed.stop()
    }

    @Test("that all ports were asked is told after two seconds at most, whatever is mute")
    @Loop func mutePort() async {
        let bed = Bed()
        bed.answers.table["http://127.0.0.1:1234"] = [:]
        bed.answers.mute = ["http://127.0.0.1:1234"]
        bed.start()
        await bed.answers.until { bed.told == [.searched] }
        #expect(await bed.route("claude-x") == "demo")
        bed.stop()
        bed.answers.release()
    }

    @Test("not before: what was found first is not yet what will answer")
    @Loop func allPorts() async {
        // However slow the machine: here it is not time that ends the first look.
        let bed = Bed(firstLook: .seconds(600))
        for port in [11434, 30000] {
            bed.answers.table["http://127.0.0.1:\(port)"] = ["/v1/models": oneModelList]
        }
        bed.answers.mute = ["http://127.0.0.1:11434"]
        bed.start()
        await bed.answers.until { bed.states == ["local-30000 up"] }
        #expect(!bed.told.contains(.searched))
        bed.answers.release()
        #expect(await bed.route("claude-x") == "local-11434>m local-30000>m")
        #expect(bed.told.contains(.searched))
        bed.stop()
    }

    @Test("a backend that appears later is picked up; when it vanishes the demo does not come back")
    @Loop func appearsLater() async {
        let bed = Bed()
        bed.start()
        #expect(await bed.route("claude-x") == "demo")
        bed.answers.table["http://127.0.0.1:1234"] = [
            "/v1/models": oneModelList, "/api/v0/models": #"{"data":[]}"#,
        ]
        await bed.until("lmstudio up")
        #expect(await bed.route("claude-x") == "lmstudio>m")
        bed.answers.table = [:]
        bed.prober.look(at: BackendNumber(0))
        await bed.until("lmstudio down")
        #expect(!bed.registry.canServe)
        #expect(await bed.route("claude-x") == "lmstudio>m")
        // It is still called what it was.
        #expect(bed.registry.entries[0].type == .lmstudio)
        bed.stop()
    }

    @Test("our own port is not asked")
    @Loop func ownDoor() async {
        let bed = Bed("listen: ['127.0.0.1:8080']\n")
        bed.start()
        #expect(await bed.route("claude-x") == "demo")
        #expect(bed.answers.asked.count == 4 && !bed.answers.asked.contains { $0.contains(":8080") })
        bed.stop()
    }

    @Test("who loses the role asks nobody any more; who takes it over asks for what is known by then")
    @Loop func roleMoves() async {
        let bed = Bed()
        bed.answers.table["http://127.0.0.1:8000"] = ["/v1/models": oneModelList]
        bed.start()
        await bed.until("local-8000 up")
        bed.stop()
        bed.prober.look(at: BackendNumber(0))
        let (asked, told) = (bed.answers.asked.count, bed.told.count)
        // Somebody else asks meanwhile; twice on is on.
        bed.start()
        bed.start()
        await bed.answers.until { bed.rounds == 2 && bed.told.count { $0 == .searched } == 2 }
        // Four ports once, and the backend once, which is not found anew.
        #expect(bed.answers.asked.count - asked >= 5)
        #expect(bed.answers.asked.dropFirst(asked).count { $0 == "http://127.0.0.1:8000/v1/models" } == 1)
        #expect(!bed.told.dropFirst(told).contains { if case .discovered = $0 { true } else { false } })
        bed.stop()
    }

    @Test func jitter() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            let wait = ProbePace.jittered(.seconds(10), &generator)
            #expect(wait <= .seconds(10) && wait >= .seconds(8))
        }
    }
}
