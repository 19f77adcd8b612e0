// The clock and the policy of an exchange, without sockets.

import EventLoop
import HTTP
import Routing
import Shared
import Testing
import Upstream

@testable import Translation
@testable import Worker

struct ExchangeTimingTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)
    private func after(_ seconds: Int) -> Instant { start.advanced(by: .seconds(seconds)) }

    @Test("the status is held back for its time, then a ping follows every silence")
    func timeline() {
        var timing = ExchangeTiming(begun: start, holdStatus: .seconds(8), pingInterval: .seconds(10))
        let undecided = ExchangeTiming.Stage.undecided(mayCommit: true)
        #expect(timing.deadline(undecided) == after(8))
        #expect(timing.due(undecided, at: after(7)) == .nothing)
        #expect(timing.due(undecided, at: after(8)) == .commit)
        timing.noteSent(at: after(8))
        #expect(timing.due(.streaming, at: after(17)) == .nothing)
        #expect(timing.due(.streaming, at: after(18)) == .ping)
        timing.noteSent(at: after(18))
        #expect(timing.deadline(.streaming) == after(28))
    }

    @Test("a client that did not ask for a stream gets neither early status nor ping")
    func unstreamed() {
        let timing = ExchangeTiming(begun: start, holdStatus: .zero)
        #expect(timing.due(.undecided(mayCommit: false), at: after(1_000_000)) == .nothing)
        #expect(timing.deadline(.over) == .distantFuture)
    }
}

struct FeatureRetryTests {
    @Test("a feature is left out once, four in an exchange, and anew for the next backend")
    func limits() {
        var retry = FeatureRetry()
        func takes(_ features: Feature...) -> [Bool] {
            features.map { retry.shouldRetry(without: .feature($0, isPlain: $0 == .tools), of: 3) }
        }
        #expect(takes(.tools, .thinking, .tools) == [true, true, false])
        #expect(retry.verdicts.withheld == [.tools, .thinking] && retry.verdicts.plain == [.tools])
        #expect(retry.conversation == 3)
        retry.reset()
        #expect(retry.verdicts.isEmpty && !retry.isAmended && retry.all == ["tools", "thinking"])
        #expect(takes(.tools, .images, .prefill) == [true, true, false])
        #expect(retry.verdicts.withheld == [.tools, .images] && retry.all.count == FeatureRetry.limit)
    }

    @Test("a limit is asked for once; what is about one history is done, and no verdict")
    func others() {
        var retry = FeatureRetry()
        var target = UpstreamTarget(model: "m", profile: .deepseek)
        target.outputLimit = 20_000
        func takes(_ refusal: Refusal) -> Bool { retry.shouldRetry(without: refusal, of: 1) }
        #expect(takes(.reasoningMissing(.filled)) && !takes(.reasoningMissing(.filled)))
        #expect(takes(.reasoningMissing(.thinkingOff)) && retry.verdicts.isEmpty && retry.isAmended)
        #expect(takes(.outputLimit(8192)) && !takes(.outputLimit(4096)))
        #expect(takes(.outputRoom(9000)) && retry.verdicts.outputLimit == 8192)
        retry.amend(&target)
        #expect(target.outputLimit == 8192 && target.reasoningRemedy == .thinkingOff && target.lacking == [])
        #expect(retry.all == ["missing_reasoning", "thinking", "max_tokens>8192", "max_tokens>9000"])
        retry.reset()
        #expect(!retry.isAmended)
    }

    @Test(
        "what a model says of itself is known to be lacking; what it does not say is not",
        arguments: [
            (Profile.ollama, nil, nil, nil, []), (.ollama, true, true, true, []),
            (.ollama, false, false, false, [.tools, .images, .thinking]),
            (.openrouter, false, nil, nil, [.tools]), (.llamacpp, false, false, nil, [.images]),
            (.lmstudio, false, true, nil, []),
        ] as [(Profile, Bool?, Bool?, Bool?, Set<Feature>)])
    func facts(profile: Profile, tools: Bool?, images: Bool?, thinks: Bool?, expected: Set<Feature>) {
        var model = ModelFacts(id: "m", usesTools: tools)
        model.seesImages = images
        model.thinks = thinks
        #expect(model.lacking(for: profile) == expected)
    }
}

struct ExchangeRecordTests {
    private static let failure = Failure.upstream(
        UpstreamFault(.overloaded(retryAfter: 5), status: 503, said: "secret words"))

    @Test(
        "levels: info for what is as it should be, warning when the backend failed",
        arguments: [
            (ExchangeRecord.Ending.ended(.completed), "completed", LogLevel.info, false),
            (.ended(.cancelled), "cancelled", .info, false),
            (.ended(.truncated), "truncated", .warning, true),
            (.ended(.upstreamFailed(failure)), "upstream_failed", .warning, true),
            (.ended(.timedOut(failure)), "timed_out", .warning, true),
            (.refused(failure), "refused", .warning, true),
            (.refused(.routing(.unknownModel("secret", .nearest("words")))), "refused", .info, true),
            (.refused(.gateway(.notReady)), "refused", .warning, true),
        ])
    func endings(ending: ExchangeRecord.Ending, name: String, level: LogLevel, failed: Bool) {
        #expect(ending.name == name && ending.level == level && ending.isFailure == failed)
        #expect(ending.problem?.contains("secret") != true)
    }
}

struct DestinationTests {
    private func access(key: String?) -> BackendAccess {
        BackendAccess(
            index: 0, settings: Boxed(wrappedValue: .init(name: "b", url: "http://b/x")),
            target: UpstreamTarget(model: "m", profile: .openaiCompatible),
            headers: key.map { [.init("authorization", "Bearer \($0)")] } ?? [])
    }

    @Test("what was left out is told once each, and not endlessly")
    func dropped() {
        let destination = Destination.backend(access(key: nil))
        let fields = destination.fields(omissions: ["top_k", "top_k", "tools[3]"])
        #expect(fields.last == .init("x-dragoman-dropped", "top_k,tools[3]"))
        #expect(destination.fields(omissions: []).count == 3)
        let many = (0..<1000).map { "tools[\($0)]" }
        let value = destination.fields(omissions: many).last?.value ?? ""
        #expect(value.utf8.count < Destination.longestDropped + 100 && value.hasSuffix(",..."))
    }

    @Test("a call goes below the backend's URL, with its key and within its limits")
    func requests() {
        let call = UpstreamCall(path: "/v1/chat/completions", body: [1], omissions: [], plan: ReplyPlan())
        var timeouts = Configuration.Timeouts()
        timeouts.firstByte = .seconds(3)
        let request = access(key: "k").request(for: call, timeouts)
        #expect(request.url == "http://b/x/v1/chat/completions")
        #expect(request.method == .post(body: [1]))
        #expect(request.headers.contains(.init("authorization", "Bearer k")))
        #expect(request.limits.firstByte == .seconds(3))
        #expect(
            !access(key: nil).request(for: call, timeouts).headers.contains { $0.name == "authorization" })
    }
}

struct DemoPlaybackTests {
    @Test("steps are played in order, each when its time has come")
    func pace() {
        let start = Instant(nanoseconds: 5_000_000_000)
        let demo = Demo(
            answering: DemoRequest(Array(#"{"messages":[]}"#.utf8), .messages), inputTokens: 1, callID: "c")
        var playback = DemoPlayback(demo, begun: start)
        var now = start
        var deltas: [Delta] = []
        var rounds = 0
        while !playback.isOver {
            #expect(playback.deadline >= now)
            now = playback.deadline
            let due = playback.take(at: now)
            #expect(!due.isEmpty)
            deltas += due
            rounds += 1
        }
        #expect(rounds > 1)
        #expect(deltas == demo.steps.flatMap(\.deltas))
        #expect(playback.deadline == .distantFuture && playback.take(at: .distantFuture).isEmpty)
    }
}
