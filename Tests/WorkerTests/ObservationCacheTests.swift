// What a worker makes of observations: verdicts that end, ratios that are told only when they have moved.

import EventLoop
import JSON
import LoopTesting
import Routing
import Shared
import Testing
import Translation

@testable import Worker

/// As `#expect`, for calls that change what they are made on.
private func expect(_ holds: Bool, at location: SourceLocation = #_sourceLocation) {
    #expect(holds, sourceLocation: location)
}

@Suite("Learning") struct ObservationCacheTests {
    static let place = ModelKey(backend: "b", model: "m")
    static let start = WallTime(nanoseconds: 1_000_000_000)

    private static func after(_ minutes: Int) -> WallTime {
        start.advanced(nanoseconds: 60_000_000_000 * UInt64(minutes))
    }

    @Test("a plain verdict is told once and holds for its time")
    func verdicts() {
        var observations = ObservationCache()
        func refuse(_ minutes: Int) -> ModelObservation? {
            observations.learn(Self.place, lacks: .tools, isPlain: true, of: 1, at: Self.after(minutes))
        }
        #expect(refuse(0) == ModelObservation(Self.place, .lacks("tools"), learntAt: Self.start))
        #expect(refuse(1) == nil)
        #expect(observations.lacking(Self.place, at: Self.start) == [.tools])
        #expect(observations.lacking(.init(backend: "b", model: "n"), at: Self.start) == [])
        let end = Self.after(5)
        #expect(observations.lacking(Self.place, at: WallTime(nanoseconds: end.nanoseconds - 1)) == [.tools])
        #expect(observations.lacking(Self.place, at: end) == [])
    }

    @Test("what is refused again is asked for again later and later, up to six hours")
    func growing() {
        var observations = ObservationCache()
        var minutes = 0
        for (times, lifetime) in [5, 10, 20, 40, 80, 160, 320, 360, 360].enumerated() {
            let told = observations.learn(
                Self.place, lacks: .images, isPlain: times == 0, of: 1, at: Self.after(minutes))
            #expect(told?.fact == .lacks("images", times: UInt8(times + 1)))
            #expect(observations.lacking(Self.place, at: Self.after(minutes + lifetime - 1)) == [.images])
            minutes += lifetime
            #expect(observations.lacking(Self.place, at: Self.after(minutes)) == [])
        }
        #expect((0...UInt8.max).map(Verdict.lifetime).allSatisfy { $0 <= Verdict.longest })
    }

    @Test("what is taken again begins anew")
    func takenAgain() {
        var observations = ObservationCache()
        func refuse(_ minutes: Int, isPlain: Bool = true) -> ModelObservation.Fact? {
            observations.learn(Self.place, lacks: .tools, isPlain: isPlain, of: 1, at: Self.after(minutes))?
                .fact
        }
        #expect(refuse(0) == .lacks("tools") && refuse(6) == .lacks("tools", times: 2))
        func answer(_ features: Set<Feature>) -> [ModelObservation.Fact] {
            observations.learn(Self.place, takes: features, tokens: 10, at: Self.after(30)).map(\.fact)
        }
        #expect(answer([.images]) == [])
        #expect(answer([.tools]) == [.lacks("tools", times: 0)] && answer([.tools]) == [])
        // A doubtful word would now need two conversations again.
        #expect(refuse(31, isPlain: false) == nil && refuse(32) == .lacks("tools"))
    }

    @Test("words that leave a doubt need two conversations")
    func doubtful() {
        var observations = ObservationCache()
        func refuse(_ conversation: Int, _ feature: Feature = .images, _ model: String = "m")
            -> ModelObservation.Fact?
        {
            observations.learn(
                .init(backend: "b", model: model), lacks: feature, isPlain: false, of: conversation,
                at: Self.start)?.fact
        }
        #expect(
            [refuse(1), refuse(1), refuse(1), refuse(2, .tools), refuse(2, .images, "n")] == [
                nil, nil, nil, nil, nil,
            ])
        #expect(observations.lacking(Self.place, at: Self.start) == [])
        #expect(refuse(2) == .lacks("images"))
        #expect(observations.lacking(Self.place, at: Self.start) == [.images])
        for number in 0...Suspicions.capacity { #expect(refuse(1, .tools, "m\(number)") == nil) }
        #expect(refuse(9, .tools, "m0") == nil, "the oldest are forgotten, not kept for ever")
    }

    @Test("the length of answers is learnt at once, asked for again later, and given up when more is taken")
    func outputLimits() {
        var observations = ObservationCache()
        func learn(_ limit: Int, _ minutes: Int) -> ModelObservation.Fact? {
            observations.learn(Self.place, outputLimit: limit, at: Self.after(minutes))?.fact
        }
        #expect(learn(8192, 0) == .output(tokens: 8192) && learn(8192, 1) == nil)
        #expect(observations.outputLimit(Self.place, at: Self.after(4)) == 8192)
        #expect(observations.outputLimit(Self.place, at: Self.after(5)) == nil)
        #expect(learn(8192, 5) == .output(tokens: 8192, times: 2))
        #expect(learn(4096, 6) == .output(tokens: 4096), "another number is another limit")
        #expect(observations.learn(Self.place, takes: [], tokens: 4096, at: Self.after(90)) == [])
        let news = observations.learn(Self.place, takes: [], tokens: 32_000, at: Self.after(90))
        #expect(news.map(\.fact) == [.output(tokens: 4096, times: 0)])
        #expect(observations.outputLimit(Self.place, at: Self.after(90)) == nil)
    }

    @Test("a verdict from a time that has not come does not hold, and is found out anew")
    func setBack() {
        var observations = ObservationCache()
        func refuse(_ minutes: Int) -> ModelObservation? {
            observations.learn(Self.place, lacks: .tools, isPlain: true, of: 1, at: Self.after(minutes))
        }
        #expect(refuse(60) != nil && refuse(60) == nil)
        #expect(observations.lacking(Self.place, at: Self.after(0)) == [])
        #expect(refuse(0)?.learntAt == Self.after(0))
        #expect(observations.lacking(Self.place, at: Self.after(0)) == [.tools])
    }

    @Test("a name of a feature that this version does not know changes nothing")
    func foreignFeature() {
        var observations = ObservationCache()
        expect(
            observations.take(
                ModelObservation(Self.place, .lacks("telepathy"), learntAt: WallTime(nanoseconds: 1)),
                at: Self.start))
        #expect(observations.lacking(Self.place, at: Self.start) == [])
    }

    @Test("a ratio is told when it has moved by more than a twentieth, and used before that")
    func ratios() {
        var observations = ObservationCache()
        func observe(_ reported: Int) -> ModelObservation? {
            observations.learn(Self.place, reported: reported, estimated: 10_000, at: Self.start)
        }
        expect(observe(12_000)?.fact == .tokens(perThousand: 1160))
        expect(observe(12_000) == nil)
        #expect(observations.tokenRatio(Self.place).perThousand == 1192)
        #expect(observations.told(Self.place)?.perThousand == 1160)
        expect(observe(14_000) != nil)
        // Another worker's word replaces ours, when it is newer.
        let theirs = ModelObservation(
            Self.place, .tokens(perThousand: 900), learntAt: Self.start.advanced(nanoseconds: 1))
        expect(
            observations.take(theirs, at: Self.start)
                && observations.tokenRatio(Self.place).perThousand == 900)
        expect(
            !observations.take(
                ModelObservation(Self.place, .tokens(perThousand: 2000), learntAt: WallTime(nanoseconds: 1)),
                at: Self.start))
    }

    @Test("a first exchange is told even when the estimate was right; a tiny one teaches nothing")
    func firstRatio() {
        var observations = ObservationCache()
        expect(observations.learn(Self.place, reported: 90, estimated: 30, at: Self.start) == nil)
        #expect(observations.told(Self.place) == nil)
        let right = observations.learn(Self.place, reported: 5000, estimated: 5000, at: Self.start)
        #expect(right?.fact == .tokens(perThousand: 1000))
    }
}

@Suite struct RegistryObservationTests {
    init() { LoopThread.start() }

    @Test("what is learnt reaches the next request and the others; a return forgets the verdicts")
    @Loop func learning() async throws {
        let bed = BackendRegistryTests.Bed(BackendRegistryTests.two)
        let alive = ["/v1/models": #"{"object":"list","data":[{"id":"m"}]}"#]
        bed.answers.table = ["http://one": alive, "http://two": alive]
        bed.start()
        #expect(await bed.route("m") == "one>m two>m")
        let routes = try await bed.registry.routes(for: "m")
        func target() throws -> UpstreamTarget { try #require(bed.registry.access(routes[0])).target }
        #expect(try target().lacking == [] && target().tokenRatio == .unknown)
        let access = try #require(bed.registry.access(routes[0]))
        func sentPrompt(_ text: Int, telling: Bool = true) -> SentPrompt {
            var estimate = PromptEstimate()
            estimate.text = text
            estimate.isTelling = telling
            return SentPrompt(access, estimate)
        }
        bed.registry.learn(sentPrompt(10_000, telling: false), reported: 20_000)
        bed.registry.learn(0, "m", lacks: .tools)
        bed.registry.learn(0, "m", lacks: .tools)
        bed.registry.learn(sentPrompt(10_000), reported: 12_000)
        bed.registry.learn(99, "m", lacks: .tools)
        #expect(bed.learnt.map(\.fact) == [.lacks("tools"), .tokens(perThousand: 1160)])
        #expect(try target().lacking == [.tools] && target().tokenRatio.perThousand == 1160)
        #expect(try #require(bed.registry.access(routes[1])).target.lacking == [])

        bed.answers.table["http://one"] = nil
        bed.prober.look(at: BackendNumber(0))
        await bed.until("one down", "two up")
        #expect(try target().lacking == [.tools])
        bed.answers.table["http://one"] = alive
        await bed.until("one up", "two up")
        #expect(try target().lacking == [] && target().tokenRatio.perThousand == 1160)
        #expect(bed.forgot == ["one"])
        bed.stop()
    }

    @Test("Ollama is asked for the window that the prober has seen loaded, and goes on with that")
    @Loop func windows() async throws {
        let bed = BackendRegistryTests.Bed("backends: [{name: one, url: 'http://one', type: ollama}]")
        bed.answers.table["http://one"] = [
            "/api/tags": #"{"models":[{"name":"m"},{"name":"n"}]}"#,
            "/api/show": #"{"model_info":{"x.context_length":262144}}"#,
            "/api/ps": #"{"models":[{"name":"m","context_length":131072}]}"#,
        ]
        bed.start()
        func window(_ model: String) async throws -> Int? {
            let route = try await bed.registry.routes(for: model)[0]
            return bed.registry.access(route)?.target.contextWindow
        }
        #expect(try await window("m") == 131_072)
        #expect(try await window("n") == 65_536)
        // Another prober, when nothing is loaded any more and nothing is said of the models.
        bed.stop()
        bed.answers.table["http://one"]?["/api/ps"] = #"{"models":[]}"#
        bed.answers.table["http://one"]?["/api/show"] = nil
        bed.start()
        await bed.answers.until { bed.rounds == 2 }
        #expect(try await window("m") == 131_072)
        #expect(bed.learnt.isEmpty)
        bed.stop()
    }

    @Test("what `auto` gave it goes on giving in all workers: the newest counts, whoever told it")
    @Loop func automatic() async throws {
        let bed = BackendRegistryTests.Bed(BackendRegistryTests.two)
        bed.answers.table = [
            "http://one": ["/v1/models": #"{"object":"list","data":[{"id":"a"},{"id":"b"}]}"#],
            "http://two": ["/v1/models": #"{"object":"list","data":[{"id":"b:latest"}]}"#],
        ]
        bed.start()
        #expect(await bed.route("auto") == "one>a")
        let now = WallTime.now()
        func chosen(_ model: String, at moment: UInt64, _ fact: ModelObservation.Fact = .automatic) {
            bed.registry.learnt(
                ModelObservation(
                    .init(backend: "one", model: model), fact, learntAt: now.advanced(nanoseconds: moment)))
        }
        chosen("b", at: 2)
        #expect(await bed.route("auto") == "one>b two>b:latest")
        chosen("a", at: 1)
        #expect(await bed.route("claude-x") == "one>b two>b:latest")
        #expect(await bed.route("one/auto") == "one>b")
        chosen("a", at: 3, .chosen)
        #expect(await bed.route("one/auto") == "one>a")
        #expect(await bed.route("auto") == "one>b two>b:latest" && bed.learnt.isEmpty)
        // The same model elsewhere is nothing new.
        for route in try await bed.registry.routes(for: "auto") { bed.registry.gave(route) }
        bed.registry.gave(Route(destination: .backend(1), model: "b:latest"))
        #expect(bed.learnt.isEmpty)
        bed.registry.gave(Route(destination: .backend(0), model: "a", automatic: .service))
        bed.registry.gave(Route(destination: .backend(0), model: "b", automatic: .backend))
        #expect(bed.learnt.map(\.fact) == [.automatic, .chosen])
        #expect(bed.learnt.map(\.key.model) == ["a", "b"])
        bed.stop()
    }

    @Test("a backend that only an exchange has found away, and that is back, forgets its verdicts, too")
    @Loop func shortAbsence() async throws {
        let bed = BackendRegistryTests.Bed(BackendRegistryTests.two)
        bed.answers.table = ["http://one": ["/v1/models": #"{"object":"list","data":[{"id":"m"}]}"#]]
        bed.start()
        let route = try await bed.registry.routes(for: "m")[0]
        bed.registry.learnt(
            ModelObservation(
                .init(backend: "one", model: "m"), .lacks("tools"),
                learntAt: WallTime(nanoseconds: WallTime.now().nanoseconds - 1)))
        bed.registry.succeeded(0)
        #expect(bed.registry.access(route)?.target.lacking == [.tools])
        bed.registry.failed(0)
        #expect(bed.registry.access(route)?.target.lacking == [.tools])
        bed.registry.succeeded(0)
        #expect(bed.registry.access(route)?.target.lacking == [] && bed.forgot == ["one"])
        bed.registry.learn(0, "m", lacks: .tools)
        bed.registry.succeeded(0)
        #expect(bed.registry.access(route)?.target.lacking == [.tools])
        bed.stop()
    }

    @Test("what others have learnt and forgotten holds here, too, and is not told again")
    @Loop func fromOthers() async throws {
        let bed = BackendRegistryTests.Bed(BackendRegistryTests.two)
        bed.answers.table = ["http://one": ["/v1/models": #"{"object":"list","data":[{"id":"m"}]}"#]]
        bed.start()
        let route = try await bed.registry.routes(for: "m")[0]
        bed.registry.learnt(
            ModelObservation(
                .init(backend: "one", model: "m"), .lacks("images"),
                learntAt: WallTime.now().advanced(nanoseconds: 1_000_000_000)))
        #expect(bed.registry.access(route)?.target.lacking == [.images])
        bed.registry.capabilitiesInvalidated(
            of: "one", before: WallTime.now().advanced(nanoseconds: 2_000_000_000))
        #expect(bed.registry.access(route)?.target.lacking == [])
        #expect(bed.learnt.isEmpty && bed.forgot.isEmpty)
        bed.stop()
    }
}
