// Questions to scripted backends: who is it, and what does it have. No socket: the carrier is a table.

import EventLoop
import JSON
import LoopTesting
import Routing
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

    var carrier: ProbeTransport { { await self.carry($0) } }
}

let oneModelList = #"{"object":"list","data":[{"id":"m"}]}"#

@Suite struct InquiryTests {
    init() { LoopThread.start() }

    @Loop static func finding(
        _ paths: [String: String], _ type: Configuration.BackendType = .auto, strict: Bool = true,
        status: Int? = nil
    ) async -> ProbeFinding {
        let answers = Answers()
        answers.table["http://h"] = paths
        answers.statuses["http://h"] = status
        var inquiry = Inquiry(url: "http://h", key: nil, carrier: answers.carrier)
        return await inquiry.ask(type, strict: strict)
    }

    static func owned(_ owner: String) -> String {
        #"{"data":[{"id":"m","object":"model","owned_by":"\#(owner)"}]}"#
    }

    @Test("each type has its row in the table of profiles", arguments: Configuration.BackendType.allCases)
    func profiles(type: Configuration.BackendType) {
        // What has none is spoken to as an unknown server is.
        #expect(Profile.named(type.rawValue)?.name == (type == .auto ? nil : type.rawValue))
    }

    @Test(
        "who answers is found out by what only this kind of server says",
        arguments: [
            (["/v1/models": owned("vllm")], Configuration.BackendType.vllm),
            (["/v1/models": owned("sglang")], .sglang),
            (["/v1/models": owned("llamacpp")], .llamacpp),
            (["/v1/models": oneModelList, "/props": #"{"default_generation_settings":{}}"#], .llamacpp),
            (["/v1/models": oneModelList, "/api/v0/models": #"{"data":[]}"#], .lmstudio),
            (["/v1/models": oneModelList, "/api/version": #"{"version":"0.12.0"}"#], .ollama),
            (["/v1/models": oneModelList, "/get_model_info": #"{"model_path":"/m"}"#], .sglang),
            (
                [
                    "/v1/models": #"{"object":"list","data":[{"id":"m","max_model_len":9}]}"#,
                    "/version": #"{"version":"0.11"}"#,
                ], .vllm
            ),
            (["/v1/models": oneModelList, "/version": #"{"version":"0.11"}"#], .openaiCompatible),
            (["/v1/models": oneModelList], .openaiCompatible),
            // A server that gives its one list for every path.
            (["/v1/models": oneModelList, "/api/v0/models": oneModelList], .openaiCompatible),
            // LM Studio says 200 to everything.
            (
                [
                    "/v1/models": oneModelList, "/props": #"{"error":"Returning 200 anyway"}"#,
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
        #expect(await Self.finding(["/v1/models": "<html>"]) == .unrecognised("no list of models"))
        for text in ["[]", #"{"data":[]}"#, #"{"data":[{"id":"corolla","price":1}]}"#] {
            #expect(await Self.finding(["/v1/models": text]) == .unrecognised("a list, but not of models"))
        }
        #expect(await Self.finding([:]) == .unrecognised("HTTP 404"))
        #expect(await Self.finding([:], status: 401) == .unrecognised("asks for a key"))
        #expect(
            await Self.finding(["/v1/models": Self.owned("dragoman")])
                == .unrecognised("a dragoman answers there"))
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
                ["/v1beta/openai/models": oneModelList], .gemini, strict: false)
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
        var inquiry = Inquiry(url: "http://h", key: nil, carrier: answers.carrier)
        for shows in [16, 20, 20] {
            guard case .up(.ollama, let models) = await inquiry.ask(.ollama, strict: false) else {
                Issue.record("not up")
                return
            }
            #expect(answers.asked.filter { $0.hasSuffix("/api/show") }.count == shows)
            #expect(models.filter { $0.usesTools == true }.count == shows)
            // The rest is asked about soon.
            #expect(inquiry.hasMore == (shows == 16))
            #expect(
                models[1].contextWindow == 4096 && models[1].isLoaded == true && models[0].isLoaded == false)
        }
    }

    @Test("who says that it is Ollama, and has not its list of models, is spoken to through /v1")
    @Loop func likeOllama() async {
        for (tags, dialect) in [(nil, Dialect.openAI), (#"{"models":[{"name":"m"}]}"#, nil)] {
            let answers = Answers()
            answers.table["http://h"] = [
                "/v1/models": oneModelList, "/api/version": #"{"version":"0.12.0"}"#,
            ]
            answers.table["http://h"]?["/api/tags"] = tags
            var inquiry = Inquiry(url: "http://h", key: nil, carrier: answers.carrier)
            guard case .up(.ollama, _) = await inquiry.ask(.auto, strict: true) else {
                Issue.record("not found")
                return
            }
            #expect(inquiry.dialect == dialect)
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
        var inquiry = Inquiry(url: "http://h", key: nil, carrier: answers.carrier)
        guard case .up(.ollama, let found) = await inquiry.ask(.auto, strict: true) else {
            Issue.record("not found")
            return
        }
        #expect(found.map(\.id) == ["m:1"] && found.first?.limit == 8192)
        for (digest, limit) in [("one", 8192), ("two", 4096), ("two", 4096)] {
            answers.table["http://h"]?["/api/tags"] = tags(digest)
            if limit == 4096 {
                answers.table["http://h"]?["/api/show"] = #"{"model_info":{"x.context_length":4096}}"#
            }
            guard case .up(.ollama, let models) = await inquiry.ask(.ollama, strict: false) else {
                Issue.record("not up")
                return
            }
            #expect(models.first?.limit == limit && models.first?.isLoaded == false)
        }
        #expect(answers.asked.filter { $0.hasSuffix("/api/show") }.count == 2)
    }
}
