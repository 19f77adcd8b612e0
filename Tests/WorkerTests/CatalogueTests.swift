// Questions to scripted backends: who is it, what does it have, and what the catalogue makes of it over
// time. No socket: the carrier is a table. Every test waits for events; nothing waits for a clock but the
// bounded waits under test.

import EventLoop
import JSON
import LoopTesting
import Shared
import Testing
import Translation
import Upstream

@testable import Worker

/// Backends by base URL, answers by path.
@Loop
final class Answers {
    var table: [String: [String: String]] = [:]
    var statuses: [String: Int] = [:]
    private(set) var asked: [String] = []
    private(set) var keys: Set<String> = []
    /// Signalled after each answer.
    private var watchers: [Wakeup] = []
    /// URLs that are not answered before `release`.
    var mute: Set<String> = []
    private var muted: [Wakeup] = []

    nonisolated init() {}

    func carry(_ probe: Probe) async -> ProbeAnswer {
        asked.append(probe.url)
        probe.key?.revealed { _ = keys.insert($0) }
        defer { for watcher in watchers { watcher.signal() } }
        guard let base = table.keys.first(where: { probe.url.hasPrefix($0 + "/") }) else {
            return .failed("connection refused")
        }
        if mute.contains(base) {
            let wakeup = Wakeup()
            muted.append(wakeup)
            await wakeup.wait()
        }
        let path = String(probe.url.dropFirst(base.count))
        if let status = statuses[base] { return .answered(status: status, body: []) }
        if probe.isAnthropic { asked.append("as Anthropic's") }
        if let status = statuses[probe.url] {
            return .answered(status: status, body: Array((table[base]?[path] ?? "{}").utf8))
        }
        guard let text = table[base]?[path] else { return .answered(status: 404, body: Array("{}".utf8)) }
        return .answered(status: 200, body: Array(text.utf8))
    }

    func release() {
        mute = []
        for wakeup in muted { wakeup.signal() }
        muted = []
    }

    /// Until the condition holds, looked at after each answer.
    func until(_ condition: @Loop () -> Bool) async {
        let wakeup = Wakeup()
        watchers.append(wakeup)
        // Shorter than the pace of a backend that answers.
        let deadline = Loop.now.advanced(by: .seconds(12))
        while !condition(),
            await !wakeup.wait(until: min(deadline, Loop.now.advanced(by: .milliseconds(20))))
                || Loop.now < deadline
        {}
        watchers.removeAll { $0 === wakeup }
    }

    var carrier: ProbeCarrier { { await self.carry($0) } }
}

private let list = #"{"object":"list","data":[{"id":"m"}]}"#

@Suite struct ProberTests {
    init() { LoopThread.start() }

    @Loop static func finding(
        _ paths: [String: String], _ type: Configuration.BackendType = .auto, strict: Bool = true,
        status: Int? = nil
    ) async -> ProbeFinding {
        let answers = Answers()
        answers.table["http://h"] = paths
        answers.statuses["http://h"] = status
        var prober = Prober(url: "http://h", key: nil, carrier: answers.carrier)
        return await prober.ask(type, strict: strict)
    }

    static func owned(_ owner: String) -> String {
        #"{"data":[{"id":"m","object":"model","owned_by":"\#(owner)"}]}"#
    }

    @Test(
        "who answers is found out by what only this kind of server says",
        arguments: [
            (["/v1/models": owned("vllm")], Configuration.BackendType.vllm),
            (["/v1/models": owned("sglang")], .sglang),
            (["/v1/models": owned("llamacpp")], .llamacpp),
            (["/v1/models": list, "/props": #"{"default_generation_settings":{}}"#], .llamacpp),
            (["/v1/models": list, "/api/v0/models": #"{"data":[]}"#], .lmstudio),
            (["/v1/models": list, "/api/version": #"{"version":"0.12.0"}"#], .ollama),
            (["/v1/models": list, "/get_model_info": #"{"model_path":"/m"}"#], .sglang),
            (
                [
                    "/v1/models": #"{"object":"list","data":[{"id":"m","max_model_len":9}]}"#,
                    "/version": #"{"version":"0.11"}"#,
                ], .vllm
            ),
            (["/v1/models": list, "/version": #"{"version":"0.11"}"#], .openaiCompatible),
            (["/v1/models": list], .openaiCompatible),
            // A server that gives its one list for every path.
            (["/v1/models": list, "/api/v0/models": list], .openaiCompatible),
            // LM Studio says 200 to everything.
            (
                [
                    "/v1/models": list, "/props": #"{"error":"Returning 200 anyway"}"#,
                    "/api/version": #"{"error":1}"#,
                    "/api/v0/models": #"{"data":[{"id":"m","state":"not-loaded"}]}"#,
                ], .lmstudio
            ),
        ])
    @Loop func identity(_ paths: [String: String], _ expected: Configuration.BackendType) async {
        guard case .up(let type, let models) = await Self.finding(paths) else {
            Issue.record("not up")
            return
        }
        #expect(type == expected)
        #expect(models.map(\.id) == ["m"])
    }

    @Test @Loop func strangers() async {
        #expect(await Self.finding(["/v1/models": "<html>"]) == .stranger("no list of models"))
        for text in ["[]", #"{"data":[]}"#, #"{"data":[{"id":"corolla","price":1}]}"#] {
            #expect(await Self.finding(["/v1/models": text]) == .stranger("a list, but not of models"))
        }
        #expect(await Self.finding([:]) == .stranger("HTTP 404"))
        #expect(await Self.finding([:], status: 401) == .stranger("asks for a key"))
        #expect(
            await Self.finding(["/v1/models": Self.owned("dragoman")])
                == .stranger("a dragoman answers there"))
    }

    @Test @Loop func configuredOnes() async {
        #expect(await Self.finding([:], .vllm, strict: false) == .up(type: .vllm, models: []))
        #expect(await Self.finding([:], .auto, strict: false) == .up(type: .openaiCompatible, models: []))
        #expect(
            await Self.finding([:], .vllm, strict: false, status: 401)
                == .down("HTTP 401: it refuses the key"))
        #expect(await Self.finding([:], .vllm, strict: false, status: 503) == .down("HTTP 503"))
        #expect(
            await Self.finding(["/v1/models": "<html>"], .vllm, strict: false)
                == .down("/v1/models is not a list of models"))
        // A chain of gateways is what the operator asked for.
        guard case .up = await Self.finding(["/v1/models": Self.owned("dragoman")], .auto, strict: false)
        else {
            Issue.record("refused")
            return
        }
    }

    @Test @Loop func modelsPathOfGemini() async {
        guard
            case .up(.gemini, let models) = await Self.finding(
                ["/v1beta/openai/models": list], .gemini, strict: false)
        else {
            Issue.record("not asked where its list is")
            return
        }
        #expect(models.map(\.id) == ["m"])
    }

    @Test("Ollama's models are asked about once each, a bounded number in a round")
    @Loop func show() async {
        let answers = Answers()
        let names = (0..<20).map { #"{"id":"m\#($0)"}"# }.joined(separator: ",")
        answers.table["http://h"] = [
            "/v1/models": "[\(names)]", "/api/ps": #"{"models":[{"name":"m1","context_length":4096}]}"#,
            "/api/show": #"{"capabilities":["completion","tools"]}"#,
        ]
        var prober = Prober(url: "http://h", key: nil, carrier: answers.carrier)
        for shows in [16, 20, 20] {
            guard case .up(.ollama, let models) = await prober.ask(.ollama, strict: false) else {
                Issue.record("not up")
                return
            }
            #expect(answers.asked.filter { $0.hasSuffix("/api/show") }.count == shows)
            #expect(models.filter { $0.usesTools == true }.count == shows)
            #expect(
                models[1].contextWindow == 4096 && models[1].isLoaded == true && models[0].isLoaded == false)
        }
    }

    @Test("who says that it is Ollama, and has not its list of models, is spoken to through /v1")
    @Loop func likeOllama() async {
        for (tags, dialect) in [(nil, Dialect.openAI), (#"{"models":[{"name":"m"}]}"#, nil)] {
            let answers = Answers()
            answers.table["http://h"] = ["/v1/models": list, "/api/version": #"{"version":"0.12.0"}"#]
            answers.table["http://h"]?["/api/tags"] = tags
            var prober = Prober(url: "http://h", key: nil, carrier: answers.carrier)
            guard case .up(.ollama, _) = await prober.ask(.auto, strict: true) else {
                Issue.record("not found")
                return
            }
            #expect(prober.dialect == dialect)
        }
    }

    @Test("Ollama by its own API alone; a model whose content changed is asked about again")
    @Loop func tags() async {
        func tags(_ digest: String) -> String { #"{"models":[{"model":"m:1","digest":"\#(digest)"}]}"# }
        let answers = Answers()
        answers.table["http://h"] = [
            "/api/tags": tags("one"), "/api/version": #"{"version":"0.12.0"}"#, "/api/ps": #"{"models":[]}"#,
            "/api/show": #"{"model_info":{"x.context_length":8192}}"#,
        ]
        var prober = Prober(url: "http://h", key: nil, carrier: answers.carrier)
        guard case .up(.ollama, let found) = await prober.ask(.auto, strict: true) else {
            Issue.record("not found")
            return
        }
        #expect(found.map(\.id) == ["m:1"] && found.first?.limit == 8192)
        for (digest, limit) in [("one", 8192), ("two", 4096), ("two", 4096)] {
            answers.table["http://h"]?["/api/tags"] = tags(digest)
            if limit == 4096 {
                answers.table["http://h"]?["/api/show"] = #"{"model_info":{"x.context_length":4096}}"#
            }
            guard case .up(.ollama, let models) = await prober.ask(.ollama, strict: false) else {
                Issue.record("not up")
                return
            }
            #expect(models.first?.limit == limit && models.first?.isLoaded == false)
        }
        #expect(answers.asked.filter { $0.hasSuffix("/api/show") }.count == 2)
    }
}

@Suite struct CatalogueTests {
    init() { LoopThread.start() }

    /// A catalogue and what it said to the outside.
    @Loop
    final class Bed {
        let answers = Answers()
        private(set) var met = 0
        private(set) var reports = 0
        private(set) var learnt: [Lesson] = []
        private(set) var forgot: [String] = []
        private var made: Catalogue?
        let text: String
        let keys: [SecretValue?]
        let seen: Bool

        init(_ text: String = "", keys: [SecretValue?] = [], seen: Bool = false) {
            self.text = text
            self.keys = keys
            self.seen = seen
        }

        var catalogue: Catalogue {
            if let made { return made }
            var configuration = Configuration()
            if case .good(let read) = Configuration.parse(Array(text.utf8), name: "f") {
                configuration = read
            }
            var settings = Configuration.LogSettings()
            settings.level = .error
            let catalogue = Catalogue(
                configuration, keys: keys, realBackendSeen: seen, tellsChanges: true,
                log: Log(settings, identifier: "test"),
                outside: .init(
                    carrier: answers.carrier, metRealBackend: { self.met += 1 },
                    reportChanged: { self.reports += 1 }, learnt: { self.learnt.append($0) },
                    forgot: { backend, _ in self.forgot.append(backend) }))
            made = catalogue
            return catalogue
        }

        func route(_ model: String) async -> String {
            do throws(RoutingFailure) {
                let routes = try await catalogue.routes(for: model)
                return routes.map { route in
                    catalogue.access(route).map { "\($0.name)>\($0.target.model)" } ?? "demo"
                }.joined(separator: " ")
            } catch {
                return "\(error.clientError.status)"
            }
        }

        func report() throws -> [JSONNode] {
            Array(try JSONDocument(parsing: Array(catalogue.report.utf8)).root.elements)
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
            "http://two": ["/v1/models": list, "/api/version": #"{"version":"1"}"#],
        ]
        bed.catalogue.start()
        #expect(await bed.route("claude-x") == "one>a two>m")
        #expect(bed.answers.keys == ["sk-1"])
        let asked = bed.answers.asked.count
        #expect(await bed.route("m") == "two>m")
        #expect(bed.answers.asked.count == asked)
        #expect(bed.catalogue.canServe)
        let access = try #require(bed.catalogue.access(try await bed.catalogue.routes(for: "a")[0]))
        #expect(access.headers == [.init("authorization", "Bearer sk-1")])
        #expect(access.holdStatus == .seconds(3) && access.maxConcurrent == 2 && access.index == 0)
        #expect(access.target.contextWindow == 8192 && access.target.profile.name == "vllm")
        #expect(access.target.healsHistory && access.target.sequentialCalls)
        let other = try #require(bed.catalogue.access(try await bed.catalogue.routes(for: "m")[0]))
        #expect(!other.target.healsHistory && !other.target.sequentialCalls)
        let report = try bed.report()
        #expect(report.map { $0["name"]?.string } == ["one", "two"])
        #expect(report.map { $0["state"]?.string } == ["up", "up"])
        #expect(report.map { $0["type"]?.string } == ["vllm", "ollama"])
        #expect(report[0]["default_model"]?.string == "a" && report[0]["default_context"]?.int == 8192)
        #expect(report[0]["models"]?.first?["context"]?.int == 8192)
        #expect(!bed.catalogue.report.contains("sk-1"))
        #expect(bed.met == 0)
        bed.catalogue.stop()
    }

    @Test("a mute backend holds the first requests for two seconds at most")
    @Loop func muteBackend() async {
        let bed = Bed(Self.two)
        bed.answers.table = ["http://one": [:], "http://two": ["/v1/models": list]]
        bed.answers.mute = ["http://one"]
        bed.catalogue.start()
        await bed.answers.until { bed.catalogue.report.contains("\"up\"") }
        let before = Instant.now
        #expect(await bed.route("claude-x") == "two>m")
        #expect(before.duration(to: .now) < .seconds(10))
        bed.catalogue.stop()
        bed.answers.release()
    }

    @Test("a backend that dies is avoided at once, told as down, and comes back")
    @Loop func comesAndGoes() async throws {
        let bed = Bed(Self.two)
        let alive = ["/v1/models": list]
        bed.answers.table = ["http://one": alive, "http://two": alive]
        bed.catalogue.start()
        #expect(await bed.route("m") == "one>m two>m")
        bed.answers.table["http://one"] = nil
        bed.catalogue.failed(0)
        #expect(await bed.route("m") == "two>m one>m")
        #expect(bed.catalogue.canServe)
        // The failed exchange made the catalogue look again.
        await bed.answers.until { bed.catalogue.report.contains("\"down\"") }
        let report = try bed.report()
        #expect(report[0]["state"]?.string == "down" && report[0]["error"]?.string == "connection refused")
        #expect(await bed.route("m") == "two>m one>m")
        bed.answers.table["http://one"] = alive
        bed.catalogue.failed(0)
        await bed.answers.until { !bed.catalogue.report.contains("\"down\"") }
        #expect(await bed.route("m") == "one>m two>m")
        bed.catalogue.stop()
    }

    @Test func nobodyThere() async {
        await nobody()
    }

    @Loop private func nobody() async {
        let bed = Bed(Self.two)
        bed.catalogue.start()
        #expect(await bed.route("claude-x") == "529")
        #expect(await bed.route("one/m") == "one>m")
        #expect(!bed.catalogue.canServe)
        for _ in 0..<5 { bed.catalogue.failed(1) }
        #expect(bed.catalogue.failsPersistently(1) && !bed.catalogue.failsPersistently(0))
        // Numbers from elsewhere do not matter.
        bed.catalogue.failed(99)
        bed.catalogue.succeeded(-1)
        #expect(bed.catalogue.access(Route(destination: .backend(99), model: "m")) == nil)
        bed.catalogue.stop()
    }

    @Test("with nothing configured and nothing there the demo answers, after all ports were asked")
    @Loop func demo() async throws {
        let bed = Bed()
        #expect(!bed.catalogue.canServe)
        bed.catalogue.start()
        #expect(await bed.route("claude-x") == "demo")
        #expect(await bed.route("qwen3") == "404")
        #expect(bed.catalogue.canServe)
        #expect(
            Set(bed.answers.asked)
                == Set([11434, 1234, 8000, 8080, 30000].map { "http://127.0.0.1:\($0)/v1/models" }))
        #expect(try bed.report().map { $0["state"]?.string } == ["demo"])
        // Another worker met a real one.
        bed.catalogue.realBackendSeen()
        #expect(await bed.route("claude-x") == "529")
        #expect(!bed.catalogue.canServe)
        #expect(bed.catalogue.report == "[]")
        #expect(bed.met == 0)
        bed.catalogue.stop()
    }

    @Test @Loop func demoNeverAfterARealBackend() async {
        let bed = Bed(seen: true)
        bed.catalogue.start()
        #expect(await bed.route("claude-x") == "529")
        bed.catalogue.stop()
    }

    @Test("what listens on usual ports is found, in order of preference, and told once")
    @Loop func discovery() async throws {
        let bed = Bed()
        bed.answers.table = [
            "http://127.0.0.1:8000": [
                "/v1/models": list, "/props": #"{"default_generation_settings":{"n_ctx":512}}"#,
            ],
            "http://127.0.0.1:11434": [
                "/v1/models": #"{"data":[{"id":"q","object":"model"}]}"#, "/api/version": #"{"version":"1"}"#,
            ],
            "http://127.0.0.1:8080": ["/v1/models": "<html>It works</html>"],
        ]
        bed.catalogue.start()
        #expect(await bed.route("claude-x") == "ollama>q llamacpp-8000>m")
        #expect(bed.met == 1)
        let urls = try bed.report().compactMap { $0["url"]?.string }
        #expect(Set(urls) == ["http://127.0.0.1:8000", "http://127.0.0.1:11434"])
        #expect(await bed.route("demo") == "404")
        bed.catalogue.stop()
    }

    @Test("nothing is told before all ports were asked; then what `auto` means stands first")
    @Loop func preferenceNotDiscovery() async throws {
        let bed = Bed()
        for port in [11434, 30000] { bed.answers.table["http://127.0.0.1:\(port)"] = ["/v1/models": list] }
        bed.answers.mute = ["http://127.0.0.1:11434"]
        bed.catalogue.start()
        await bed.answers.until { bed.met > 0 }
        #expect(bed.catalogue.report == "")
        bed.answers.release()
        await bed.answers.until { bed.catalogue.report.contains("11434") }
        #expect(try bed.report().map { $0["name"]?.string } == ["local-11434", "local-30000"])
        bed.catalogue.stop()
    }

    @Test("a mute port holds back what is told for two seconds at most")
    @Loop func mutePort() async {
        let bed = Bed()
        bed.answers.table["http://127.0.0.1:1234"] = [:]
        bed.answers.mute = ["http://127.0.0.1:1234"]
        bed.catalogue.start()
        await bed.answers.until { bed.catalogue.report != "" }
        #expect(bed.catalogue.report.contains("demo"))
        bed.catalogue.stop()
        bed.answers.release()
    }

    @Test("a backend that appears later is picked up; when it vanishes the demo does not come back")
    @Loop func appearsLater() async {
        let bed = Bed()
        bed.catalogue.start()
        #expect(await bed.route("claude-x") == "demo")
        bed.answers.table["http://127.0.0.1:1234"] = ["/v1/models": list, "/api/v0/models": #"{"data":[]}"#]
        await bed.answers.until { bed.met > 0 }
        #expect(await bed.route("claude-x") == "lmstudio>m")
        bed.answers.table = [:]
        bed.catalogue.failed(0)
        await bed.answers.until { bed.catalogue.report.contains("\"down\"") }
        #expect(!bed.catalogue.canServe)
        #expect(await bed.route("claude-x") == "lmstudio>m")
        // It is still called what it was.
        #expect(bed.catalogue.report.contains("\"lmstudio\",\"state\":\"down\""))
        bed.catalogue.stop()
    }

    @Test("our own door is not asked")
    @Loop func ownDoor() async {
        let bed = Bed("listen: ['127.0.0.1:8080']\n")
        bed.catalogue.start()
        #expect(await bed.route("claude-x") == "demo")
        #expect(bed.answers.asked.count == 4 && !bed.answers.asked.contains { $0.contains(":8080") })
        bed.catalogue.stop()
    }

    @Test("the report is bounded, whatever the backends list")
    @Loop func boundedReport() async throws {
        let text =
            "backends:\n" + (0..<64).map { "  - {name: b\($0), url: http://b\($0), type: vllm}\n" }.joined()
        let bed = Bed(text)
        let name = String(repeating: "x", count: 200)
        let models = (0..<40).map { #"{"id":"\#(name)\#($0)"}"# }.joined(separator: ",")
        for index in 0..<64 { bed.answers.table["http://b\(index)"] = ["/v1/models": "[\(models)]"] }
        bed.catalogue.start()
        await bed.catalogue.settle()
        #expect(bed.catalogue.report.utf8.count <= maximumReportBytes)
        #expect(try bed.report().count == 64)
        bed.catalogue.stop()
    }

    @Test func jitter() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            let wait = ProbePace.jittered(.seconds(10), &generator)
            #expect(wait <= .seconds(10) && wait >= .seconds(8))
        }
    }
}
