// Which context window a model of Ollama is asked for, what of its facts reaches the request, and what becomes
// of a backend that cut a prompt.

import BackendSettings
import EventLoop
import LoopTesting
import Routing
import Shared
import Testing
import Translation

@testable import Worker

@Suite("the window of Ollama's models") struct OllamaWindowTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var why: String
        var setting = Configuration.ContextWindow.auto
        var limit: Int?
        var loaded: Int?
        var preset: Int?
        var before: Int?
        var isRemote = false
        var window: Int
        var testDescription: String { why }
    }

    static let cases = [
        Case(why: "nothing known", window: 32_768),
        Case(why: "a small model: all it can", limit: 8192, window: 8192),
        Case(why: "a model between", limit: 40_960, window: 40_960),
        Case(why: "a large model: what memory bears", limit: 262_144, window: 65_536),
        Case(why: "loaded by somebody else, large enough", limit: 262_144, loaded: 131_072, window: 131_072),
        Case(why: "loaded, just enough", limit: 262_144, loaded: 32_768, window: 32_768),
        Case(why: "loaded with Ollama's default", limit: 262_144, loaded: 4096, window: 65_536),
        Case(why: "loaded with all it can", limit: 8192, loaded: 8192, window: 8192),
        Case(why: "loaded, its limit unknown", loaded: 16_384, window: 32_768),
        Case(why: "its Modelfile says", limit: 262_144, preset: 100_000, window: 100_000),
        Case(why: "its Modelfile says less", limit: 262_144, loaded: 8192, preset: 8192, window: 8192),
        Case(why: "its Modelfile says more than it can", limit: 8192, preset: 100_000, window: 8192),
        Case(why: "a decision is kept", limit: 262_144, before: 131_072, window: 131_072),
        Case(why: "a decision that it cannot", limit: 8192, before: 131_072, window: 8192),
        Case(
            why: "what is loaded counts more", limit: 262_144, loaded: 40_000, before: 65_536, window: 40_000),
        Case(why: "configured", setting: .tokens(16_384), limit: 262_144, loaded: 65_536, window: 16_384),
        Case(why: "configured beyond its limit", setting: .tokens(100_000), limit: 40_960, window: 40_960),
        Case(why: "configured, limit unknown", setting: .tokens(100_000), window: 100_000),
        Case(why: "runs elsewhere", limit: 262_144, isRemote: true, window: 262_144),
    ]

    @Test(arguments: cases) func decided(_ sample: Case) {
        var model = ModelFacts(id: "m")
        model.limit = sample.limit
        model.loadedWindow = sample.loaded
        model.presetWindow = sample.preset
        model.isRemote = sample.isRemote
        #expect(OllamaWindow.decided(sample.setting, model, before: sample.before) == sample.window)
    }

    static func entry(
        _ type: Configuration.BackendType = .ollama, _ dialect: Configuration.DialectSetting = .auto,
        window: Configuration.ContextWindow = .auto
    ) -> BackendEntry {
        var backend = Configuration.Backend(name: "o", url: "http://h")
        backend.type = type
        backend.dialect = dialect
        backend.contextWindow = window
        backend.conversion.keepAlive = .time("10m")
        return BackendEntry(backend, key: nil)
    }

    static func target(_ entry: BackendEntry, _ model: String = "m") -> UpstreamTarget {
        let known = entry.models?.model(called: model)
        let route = Route(destination: .backend(0), model: model, contextWindow: known?.contextWindow)
        return entry.access(0, route, ObservationCache(), at: WallTime(nanoseconds: 1)).target
    }

    /// What the entry makes of a list that a prober that takes over now tells.
    static func list(
        _ entry: inout BackendEntry, _ models: [ModelFacts], _ type: Configuration.BackendType = .ollama
    ) {
        var watch = BackendWatch(entry, BackendNumber(0), Configuration.Health())
        let news = watch.take(.up(type: type, models: models), speaking: nil, at: WallTime(nanoseconds: 1))
        for part in news.listing ?? [] { _ = entry.take(part) }
    }

    @Test(
        "type and setting decide the dialect",
        arguments: [
            (.ollama, .auto, "ollama-native"), (.ollama, .openai, "ollama"),
            (.auto, .ollama, "ollama-native"),
            (.openaiCompatible, .ollama, "ollama-native"), (.vllm, .auto, "vllm"),
            (.auto, .auto, "openai-compatible"),
        ] as [(Configuration.BackendType, Configuration.DialectSetting, String)])
    func profile(
        _ type: Configuration.BackendType, _ dialect: Configuration.DialectSetting, _ name: String
    ) {
        #expect(Self.entry(type, dialect).profile.name == name)
    }

    @Test func oneThatIsFoundIsSpokenToInItsOwnDialect() {
        var entry = Self.entry(.auto)
        Self.list(&entry, [])
        #expect(entry.profile.dialect == .ollama && !entry.profile.cutsPrompts)
        #expect(
            Self.entry(.ollama, .openai).profile.cutsPrompts
                && Self.entry(.ollama, .anthropic).profile.cutsPrompts)
    }

    @Test("the window stays while what is loaded comes and goes, also when each round has another prober")
    func theWindowStays() {
        var entry = Self.entry()
        var model = ModelFacts(id: "m")
        Self.list(&entry, [model])
        #expect(Self.target(entry).contextWindow == 32_768)
        model.limit = 262_144
        Self.list(&entry, [model])
        #expect(Self.target(entry).contextWindow == 65_536)
        for (loaded, window) in [(131_072, 131_072), (nil, 131_072), (4096, 131_072), (65_536, 65_536)] {
            model.loadedWindow = loaded
            Self.list(&entry, [model])
            #expect(Self.target(entry).contextWindow == window && Self.target(entry).loadedWindow == loaded)
        }
        var configured = Self.entry(window: .tokens(50_000))
        Self.list(&configured, [model])
        #expect(Self.target(configured).contextWindow == 50_000)
    }

    @Test("one prober that goes on decides the same")
    func oneProber() {
        let entry = Self.entry()
        var watch = BackendWatch(entry, BackendNumber(0), Configuration.Health())
        var model = ModelFacts(id: "m")
        model.limit = 262_144
        func window() -> Int? {
            let finding = ProbeFinding.up(type: .ollama, models: [model])
            return watch.take(finding, speaking: nil, at: WallTime(nanoseconds: 1)).listing?[0].models[0]
                .contextWindow
        }
        #expect(window() == 65_536)
        model.loadedWindow = 131_072
        #expect(window() == 131_072)
        model.loadedWindow = nil
        #expect(window() == 131_072)
        #expect(window() == nil, "nothing new is not told")
        model.loadedWindow = 4096
        #expect(window() == 131_072)
    }

    @Test func whatIsKnownOfTheModelReachesTheRequest() {
        var entry = Self.entry(window: .tokens(50_000))
        var model = ModelFacts(id: "m")
        model.thinks = false
        model.usesTools = true
        model.seesImages = false
        Self.list(&entry, [model])
        let target = Self.target(entry)
        #expect(target.lacking == [.thinking, .images] && target.settings.keepAlive == .time("10m"))
        #expect(target.contextWindow == 50_000)
        // A model that it does not list.
        #expect(Self.target(entry, "other").contextWindow == 50_000)
        #expect(Self.target(entry, "other").lacking.isEmpty)
        #expect(Self.target(Self.entry(), "other").contextWindow == nil)
    }

    @Test func throughV1TheLoadedWindowIsAllThereIs() {
        var entry = Self.entry(.ollama, .openai)
        var model = ModelFacts(id: "m", contextWindow: 4096)
        model.limit = 262_144
        Self.list(&entry, [model])
        #expect(Self.target(entry).contextWindow == 4096)
    }

    @Test func theSmallestPromptThatWasCutIsRemembered() {
        var entry = Self.entry()
        #expect(Self.target(entry).promptTruncation == nil)
        entry.remember(PromptTruncation(estimated: 20_000, evaluated: 4095), of: "m")
        entry.remember(PromptTruncation(estimated: 30_000, evaluated: 4095), of: "m")
        #expect(Self.target(entry).promptTruncation == PromptTruncation(estimated: 20_000, evaluated: 4095))
        #expect(Self.target(entry, "other").promptTruncation == nil)
        entry.remember(PromptTruncation(estimated: 9000, evaluated: 4095), of: "m")
        #expect(Self.target(entry).promptTruncation?.estimated == 9000)
    }
}
