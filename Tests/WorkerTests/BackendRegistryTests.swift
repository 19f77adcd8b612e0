// What the registry makes of its backends' answers over time. Every test waits for events; nothing waits for a
// clock but the bounded waits under test.

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

    /// A registry and what it said to the outside.
    @Loop
    final class Bed {
        let answers = Answers()
        private(set) var met = 0
        private(set) var reports = 0
        private(set) var learnt: [ModelObservation] = []
        private(set) var forgot: [BackendID] = []
        private var made: BackendRegistry?
        let text: String
        let keys: [SecretValue?]
        let seen: Bool
        let firstRoundLimit: Duration

        init(
            _ text: String = "", keys: [SecretValue?] = [], seen: Bool = false,
            firstRoundLimit: Duration = ProbePace.firstRound
        ) {
            self.text = text
            self.keys = keys
            self.seen = seen
            self.firstRoundLimit = firstRoundLimit
        }

        var registry: BackendRegistry {
            if let made { return made }
            var configuration = Configuration()
            if case .good(let read) = Configuration.parse(Array(text.utf8), name: "f") {
                configuration = read
            }
            var settings = Configuration.LogSettings()
            settings.level = .error
            let registry = BackendRegistry(
                configuration, keys: keys, realBackendSeen: seen, logsChanges: true,
                log: Log(settings, identifier: "test"),
                environment: .init(
                    carrier: answers.carrier, metRealBackend: { self.met += 1 },
                    reportChanged: { _ in self.reports += 1 }, learnt: { self.learnt.append($0) },
                    forgot: { backend, _ in self.forgot.append(backend) }),
                firstRoundLimit: firstRoundLimit)
            made = registry
            return registry
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

        func report() throws -> [JSONNode] {
            Array(try JSONDocument(parsing: Array(registry.report.utf8)).root.elements)
        }
    }

    static let two = """
        backends:
          - {name: one, url: http://one, type: vllm, think_tags: implicit, hold_status: 3s, max_concurrent: 2, history: heal, tool_calls: sequential}
          - {name: two, url: http://two}
        """

    @Test("a request waits for the first round, and is routed from memory after that")
    @Loop func firstRound() async throws {
        let bed = Bed(Self.two, keys: [SecretValue(Array("sk-1".utf8)), nil])
        bed.answers.table = [
            "http://one": ["/v1/models": #"{"data":[{"id":"a","max_model_len":8192}]}"#],
            "http://two": ["/v1/models": oneModelList, "/api/version": #"{"version":"1"}"#],
        ]
        bed.registry.start()
        #expect(await bed.route("claude-x") == "one>a two>m")
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
        #expect(other.target.settings == ConversionSettings())
        let report = try bed.report()
        #expect(report.map { $0["name"]?.string } == ["one", "two"])
        #expect(report.map { $0["state"]?.string } == ["up", "up"])
        #expect(report.map { $0["type"]?.string } == ["vllm", "ollama"])
        #expect(report[0]["default_model"]?.string == "a" && report[0]["default_context"]?.int == 8192)
        #expect(report[0]["models"]?.first?["context"]?.int == 8192)
        #expect(!bed.registry.report.contains("sk-1"))
        #expect(bed.met == 0)
        bed.registry.stop()
    }

    @Test("a mute backend holds the first requests for two seconds at most")
    @Loop func muteBackend() async {
        let bed = Bed(Self.two)
        bed.answers.table = ["http://one": [:], "http://two": ["/v1/models": oneModelList]]
        bed.answers.mute = ["http://one"]
        bed.registry.start()
        await bed.answers.until { bed.registry.report.contains("\"up\"") }
        let before = Instant.now
        #expect(await bed.route("claude-x") == "two>m")
        #expect(before.duration(to: .now) < .seconds(10))
        bed.registry.stop()
        bed.answers.release()
    }

    @Test("a backend that dies is avoided at once, told as down, and comes back")
    @Loop func comesAndGoes() async throws {
        let bed = Bed(Self.two)
        let alive = ["/v1/models": oneModelList]
        bed.answers.table = ["http://one": alive, "http://two": alive]
        bed.registry.start()
        #expect(await bed.route("m") == "one>m two>m")
        bed.answers.table["http://one"] = nil
        bed.registry.failed(0)
        #expect(await bed.route("m") == "two>m one>m")
        #expect(bed.registry.canServe)
        // The failed exchange made the registry look again.
        await bed.answers.until { bed.registry.report.contains("\"down\"") }
        let report = try bed.report()
        #expect(report[0]["state"]?.string == "down" && report[0]["error"]?.string == "connection refused")
        #expect(await bed.route("m") == "two>m one>m")
        bed.answers.table["http://one"] = alive
        bed.registry.failed(0)
        await bed.answers.until { !bed.registry.report.contains("\"down\"") }
        #expect(await bed.route("m") == "one>m two>m")
        bed.registry.stop()
    }

    @Test func nobodyThere() async {
        await nobody()
    }

    @Loop private func nobody() async {
        let bed = Bed(Self.two)
        bed.registry.start()
        #expect(await bed.route("claude-x") == "529")
        #expect(await bed.route("one/m") == "one>m")
        #expect(!bed.registry.canServe)
        for _ in 0..<5 { bed.registry.failed(1) }
        #expect(bed.registry.failsPersistently(1) && !bed.registry.failsPersistently(0))
        // Numbers from elsewhere do not matter.
        bed.registry.failed(99)
        bed.registry.succeeded(-1)
        #expect(bed.registry.access(Route(destination: .backend(99), model: "m")) == nil)
        bed.registry.stop()
    }

    @Test("with nothing configured and nothing there the demo answers, after all ports were asked")
    @Loop func demo() async throws {
        let bed = Bed()
        #expect(!bed.registry.canServe)
        bed.registry.start()
        #expect(await bed.route("claude-x") == "demo")
        #expect(await bed.route("qwen3") == "404")
        #expect(bed.registry.canServe)
        #expect(
            Set(bed.answers.asked)
                == Set([11434, 1234, 8000, 8080, 30000].map { "http://127.0.0.1:\($0)/v1/models" }))
        #expect(try bed.report().map { $0["state"]?.string } == ["demo"])
        // Another worker met a real one.
        bed.registry.realBackendSeen()
        #expect(await bed.route("claude-x") == "529")
        #expect(!bed.registry.canServe)
        #expect(bed.registry.report == "[]")
        #expect(bed.met == 0)
        bed.registry.stop()
    }

    @Test @Loop func demoNeverAfterARealBackend() async {
        let bed = Bed(seen: true)
        bed.registry.start()
        #expect(await bed.route("claude-x") == "529")
        bed.registry.stop()
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
        bed.registry.start()
        #expect(await bed.route("claude-x") == "ollama>q llamacpp-8000>m")
        #expect(bed.met == 1)
        let urls = try bed.report().compactMap { $0["url"]?.string }
        #expect(Set(urls) == ["http://127.0.0.1:8000", "http://127.0.0.1:11434"])
        #expect(await bed.route("demo") == "404")
        bed.registry.stop()
    }

    @Test("nothing is told before all ports were asked; then what `auto` means stands first")
    @Loop func preferenceNotDiscovery() async throws {
        // However slow the machine: here it is not time that ends the first look.
        let bed = Bed(firstRoundLimit: .seconds(600))
        for port in [11434, 30000] {
            bed.answers.table["http://127.0.0.1:\(port)"] = ["/v1/models": oneModelList]
        }
        bed.answers.mute = ["http://127.0.0.1:11434"]
        bed.registry.start()
        await bed.answers.until { bed.met > 0 }
        #expect(bed.registry.report == "")
        bed.answers.release()
        await bed.answers.until { bed.registry.report.contains("11434") }
        #expect(try bed.report().map { $0["name"]?.string } == ["local-11434", "local-30000"])
        bed.registry.stop()
    }

    @Test("a mute port holds back what is told for two seconds at most")
    @Loop func mutePort() async {
        let bed = Bed()
        bed.answers.table["http://127.0.0.1:1234"] = [:]
        bed.answers.mute = ["http://127.0.0.1:1234"]
        bed.registry.start()
        await bed.answers.until { bed.registry.report != "" }
        #expect(bed.registry.report.contains("demo"))
        bed.registry.stop()
        bed.answers.release()
    }

    @Test("a backend that appears later is picked up; when it vanishes the demo does not come back")
    @Loop func appearsLater() async {
        let bed = Bed()
        bed.registry.start()
        #expect(await bed.route("claude-x") == "demo")
        bed.answers.table["http://127.0.0.1:1234"] = [
            "/v1/models": oneModelList, "/api/v0/models": #"{"data":[]}"#,
        ]
        await bed.answers.until { bed.met > 0 }
        #expect(await bed.route("claude-x") == "lmstudio>m")
        bed.answers.table = [:]
        bed.registry.failed(0)
        await bed.answers.until { bed.registry.report.contains("\"down\"") }
        #expect(!bed.registry.canServe)
        #expect(await bed.route("claude-x") == "lmstudio>m")
        // It is still called what it was.
        #expect(bed.registry.report.contains("\"lmstudio\",\"state\":\"down\""))
        bed.registry.stop()
    }

    @Test("our own port is not asked")
    @Loop func ownDoor() async {
        let bed = Bed("listen: ['127.0.0.1:8080']\n")
        bed.registry.start()
        #expect(await bed.route("claude-x") == "demo")
        #expect(bed.answers.asked.count == 4 && !bed.answers.asked.contains { $0.contains(":8080") })
        bed.registry.stop()
    }

    @Test("the report is bounded, whatever the backends list")
    @Loop func boundedReport() async throws {
        let text =
            "backends:\n" + (0..<64).map { "  - {name: b\($0), url: http://b\($0), type: vllm}\n" }.joined()
        let bed = Bed(text)
        let name = String(repeating: "x", count: 200)
        let models = (0..<40).map { #"{"id":"\#(name)\#($0)"}"# }.joined(separator: ",")
        for index in 0..<64 { bed.answers.table["http://b\(index)"] = ["/v1/models": "[\(models)]"] }
        bed.registry.start()
        await bed.registry.waitForFirstRound()
        #expect(bed.registry.report.utf8.count <= maximumReportBytes)
        #expect(try bed.report().count == 64)
        bed.registry.stop()
    }

    @Test func jitter() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            let wait = ProbePace.jittered(.seconds(10), &generator)
            #expect(wait <= .seconds(10) && wait >= .seconds(8))
        }
    }
}
