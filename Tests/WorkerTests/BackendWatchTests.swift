// What is told of one backend after each round of questions, and when it is asked again.

import EventLoop
import Routing
import Shared
import Testing
import Translation

@testable import Worker

@Suite struct BackendWatchTests {
    static let number = BackendNumber(3)

    static func entry(
        _ type: Configuration.BackendType = .auto, dialect: Configuration.DialectSetting = .auto
    ) -> BackendEntry {
        var settings = Configuration.Backend(name: "b", url: "http://b")
        settings.type = type
        settings.dialect = dialect
        return BackendEntry(settings, key: nil)
    }

    /// After this condition and, if it has told one, this list.
    static func known(
        _ entry: BackendEntry, _ models: [String]?, _ state: BackendState, type: String = "vllm"
    ) -> BackendEntry {
        var entry = entry
        if let models {
            _ = entry.take(
                ListingPart(
                    number, type: type, dialect: "", isFirst: true, isLast: true,
                    models: models.map { ModelFacts(id: $0) }))
        }
        entry.take(BackendCondition(number, state, isOpen: true))
        return entry
    }

    /// A watch that is told of rounds: `+` good, `-` bad.
    static func watch(
        _ entry: BackendEntry, _ rounds: String = "", fall: Int = 3, rise: Int = 1,
        interval: Duration = .seconds(10)
    ) -> BackendWatch {
        var health = Configuration.Health()
        (health.fall, health.rise, health.interval) = (fall, rise, interval)
        var watch = BackendWatch(entry, number, health)
        for round in rounds { _ = watch.take(finding(round), speaking: nil, at: WallTime(nanoseconds: 1)) }
        return watch
    }

    static func finding(_ round: Character) -> ProbeFinding {
        round == "+" ? .up(type: .vllm, models: [ModelFacts(id: "m")]) : .down("refused")
    }

    @Test(
        "a round that fails is repeated soon until the service may count it as down; so is a return",
        arguments: [
            ("", 1, 1), ("-", 3, 1), ("--", 3, 1), ("---", 3, 5), ("----------", 3, 5), ("-", 1, 5),
            ("+", 3, 10), ("+-", 3, 1), ("+--", 3, 1), ("+---", 3, 5), ("+--+", 3, 10), ("+--+-", 3, 1),
        ] as [(String, Int, Int)])
    func pace(rounds: String, fall: Int, seconds: Int) {
        let watch = Self.watch(Self.entry(.vllm), rounds, fall: fall)
        #expect(watch.pace(hasMore: false) == .seconds(seconds))
        #expect(watch.pace(hasMore: true) == .seconds(1))
    }

    @Test(
        "what is configured is obeyed: intervals, good checks that it takes",
        arguments: [
            ("+", 1, 300, 300), ("---", 1, 300, 5), ("---", 1, 2, 2), ("---+", 3, 10, 1), ("---++", 3, 10, 1),
            ("---+++", 3, 10, 10),
        ] as [(String, Int, Int, Int)])
    func configuredPace(rounds: String, rise: Int, interval: Int, seconds: Int) {
        let watch = Self.watch(Self.entry(.vllm), rounds, rise: rise, interval: .seconds(interval))
        #expect(watch.pace(hasMore: false) == .seconds(seconds))
    }

    @Test("a hosted service is asked rarely while it answers")
    func hosted() {
        #expect(Self.watch(Self.entry(.openai), "+").pace(hasMore: false) == ProbePace.remote)
        let slow = Self.watch(Self.entry(.openai), "+", interval: .seconds(3600))
        #expect(slow.pace(hasMore: false) == .seconds(3600))
        #expect(Self.watch(Self.entry(.openai), "+---").pace(hasMore: false) == .seconds(5))
    }

    @Test("who it is, is asked at first and after it was away; a successor goes on with what all know")
    func typeToAsk() {
        #expect(Self.watch(Self.entry()).typeToAsk == .auto)
        #expect(Self.watch(Self.entry(), "+").typeToAsk == .vllm)
        #expect(Self.watch(Self.entry(), "+-").typeToAsk == .auto)
        #expect(Self.watch(Self.known(Self.entry(), ["m"], .up)).typeToAsk == .vllm)
        #expect(Self.watch(Self.known(Self.entry(), ["m"], .ejected)).typeToAsk == .vllm)
        #expect(Self.watch(Self.known(Self.entry(), ["m"], .down)).typeToAsk == .auto)
        #expect(Self.watch(Self.known(Self.entry(), nil, .up)).typeToAsk == .auto)
        #expect(Self.watch(Self.known(Self.entry(), ["m"], .up, type: "martian")).typeToAsk == .auto)
        #expect(Self.watch(Self.entry(.sglang), "+-").typeToAsk == .sglang)
        #expect(Self.watch(Self.entry(.auto, dialect: .ollama), "+-").typeToAsk == .ollama)
    }

    @Test("a list is told once by each prober, and when it has changed")
    func listings() {
        var watch = Self.watch(Self.known(Self.entry(), ["m"], .up))
        func told(_ finding: ProbeFinding, _ dialect: Dialect? = nil) -> [String]? {
            watch.take(finding, speaking: dialect, at: WallTime(nanoseconds: 1)).listing.map { parts in
                parts.map { "\($0.type) \($0.dialect) \($0.models.map(\.id).joined(separator: ","))" }
            }
        }
        #expect(told(Self.finding("+")) == ["vllm  m"])
        #expect(told(Self.finding("+")) == nil)
        #expect(told(Self.finding("-")) == nil)
        // What it speaks was asked anew, for it was away.
        #expect(told(Self.finding("+"), .anthropic) == ["vllm anthropic m"])
        #expect(told(Self.finding("+"), .ollama) == nil)
        var loaded = ModelFacts(id: "m")
        loaded.isLoaded = true
        #expect(told(.up(type: .vllm, models: [loaded])) == ["vllm anthropic m"])
        #expect(told(.up(type: .vllm, models: [])) == ["vllm anthropic "])
    }

    @Test("what is configured is not told as found")
    func configured() {
        var watch = Self.watch(Self.entry(.openaiCompatible, dialect: .ollama))
        let news = watch.take(
            .up(type: .ollama, models: []), speaking: .anthropic, at: WallTime(nanoseconds: 1))
        #expect(news.listing?.map { "\($0.type)\($0.dialect)" } == [""])
    }

    @Test("a long list goes in parts; what is too long or there twice is left out")
    func parts() throws {
        for (count, sizes) in [
            (0, [0]), (1, [1]), (100, [100]), (101, [100, 1]),
            (5000, Array(repeating: 100, count: 40) + [96]),
        ] {
            var watch = Self.watch(Self.entry())
            let models = (0..<count).flatMap { [ModelFacts(id: "m\($0)"), ModelFacts(id: "m\($0)")] }
            let news = watch.take(
                .up(type: .vllm, models: models), speaking: nil, at: WallTime(nanoseconds: 1))
            let parts = try #require(news.listing)
            #expect(parts.map(\.models.count) == sizes)
            #expect(parts.map(\.isFirst) == sizes.indices.map { $0 == 0 })
            #expect(parts.map(\.isLast) == sizes.indices.map { $0 == sizes.count - 1 })
            var entry = Self.entry()
            #expect(parts.map { entry.take($0) } == parts.map(\.isLast))
            #expect(entry.models?.all.map(\.id) == (0..<min(count, 4096)).map { "m\($0)" })
        }
    }

    @Test("the largest list fits into the messages, whatever its names")
    func largest() throws {
        var facts = ModelFacts(id: "", contextWindow: 1 << 40, isLoaded: true, usesTools: true)
        (facts.limit, facts.loadedWindow, facts.presetWindow) = (1 << 40, 1 << 40, 1 << 40)
        (facts.outputLimit, facts.created, facts.slots) = (1 << 40, .max, 1024)
        let models = (0..<100).map { number in
            var model = facts
            model.id =
                String(repeating: "x", count: ListingPart.longestName - 2) + (number < 10 ? "0" : "")
                + "\(number)"
            return model
        }
        var watch = Self.watch(Self.entry())
        let news = watch.take(
            .up(type: .openaiCompatible, models: models), speaking: .anthropic, at: WallTime(nanoseconds: 1))
        let part = try #require(news.listing?.first)
        #expect(part.models.count == 100)
        #expect(try WorkerMessage.listing(part).encoded().count <= maximumControlBytes)
    }

    @Test("a return is told with the moment at which it was away last")
    func returns() {
        var watch = Self.watch(Self.entry(.vllm))
        func round(_ round: Character, at moment: UInt64) -> WallTime? {
            watch.take(Self.finding(round), speaking: nil, at: WallTime(nanoseconds: moment)).awayAt
        }
        #expect(round("+", at: 1) == nil && round("-", at: 2) == nil && round("-", at: 3) == nil)
        #expect(round("+", at: 4) == WallTime(nanoseconds: 3) && round("+", at: 5) == nil)
        // Another prober has found it away.
        var successor = Self.watch(Self.known(Self.entry(.vllm), ["m"], .down))
        #expect(successor.take(Self.finding("+"), speaking: nil, at: .now()).awayAt != nil)
        // One that was never met did not return.
        var first = Self.watch(Self.entry(.vllm), "")
        #expect(first.take(Self.finding("+"), speaking: nil, at: .now()).awayAt == nil)
    }

    @Test("that prompts are cut is told once, by whoever finds it first")
    func cutting() {
        func told(_ entry: BackendEntry, _ type: Configuration.BackendType = .ollama) -> [Bool] {
            var watch = Self.watch(entry)
            return (0..<2).map { _ in
                watch.take(.up(type: type, models: []), speaking: .openAI, at: .now()).beginsToCut
            }
        }
        #expect(told(Self.entry(.ollama, dialect: .openai)) == [true, false])
        #expect(told(Self.entry()) == [true, false] && told(Self.entry(.ollama)) == [false, false])
        #expect(told(Self.entry(), .vllm) == [false, false])
        #expect(told(Self.known(Self.entry(.ollama, dialect: .openai), ["m"], .up)) == [false, false])
        #expect(told(Self.known(Self.entry(), ["m"], .up, type: "ollama")) == [false, false])
    }

    @Test("why a check failed is told in few words, and no character is torn")
    func reasons() {
        func reason(_ text: String) -> CheckResult {
            var watch = Self.watch(Self.entry())
            return watch.take(.unrecognised(text), speaking: nil, at: WallTime(nanoseconds: 1)).check
        }
        #expect(reason("refused") == .bad(reason: "refused"))
        let long = String(repeating: "ü€", count: 100)
        guard case .bad(let told) = reason(long) else { return #expect(Bool(false)) }
        #expect(told.utf8.count <= CheckResult.longestReason && long.hasPrefix(told) && told.utf8.count > 290)
        for count in 0...5 { #expect("ü€".cut(to: count) == ["", "", "ü", "ü", "ü", "ü€"][count]) }
    }
}
