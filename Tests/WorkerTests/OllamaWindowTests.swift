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
        let known = entry.models?.first { $0.id == model }
        let route = Route(destination: .backend(0), model: model, contextWindow: known?.contextWindow)
        return entry.access(0, route, ObservationCache(), at: WallTime(nanoseconds: 1)).target
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
        entry.foundType = .ollama
        #expect(entry.profile.dialect == .ollama && !entry.profile.cutsPrompts)
        #expect(
            Self.entry(.ollama, .openai).profile.cutsPrompts
                && Self.entry(.ollama, .anthropic).profile.cutsPrompts)
    }

    @Test("the window stays while what is loaded comes and goes")
    func theWindowStays() {
        var entry = Self.entry()
        var model = ModelFacts(id: "m")
        entry.list([model])
        #expect(Self.target(entry).contextWindow == 32_768)
        model.limit = 262_144
        model.loadedWindow = 131_072
        entry.list([model])
        #expect(Self.target(entry).contextWindow == 131_072 && Self.target(entry).loadedWindow == 131_072)
        model.loadedWindow = nil
        entry.list([model])
        #expect(Self.target(entry).contextWindow == 131_072)
        model.loadedWindow = 4096
        entry.list([model])
        #expect(Self.target(entry).contextWindow == 131_072 && Self.target(entry).loadedWindow == 4096)
    }

    @Test("what the other workers would not come to by themselves is told, once")
    func whatOthersWouldNotDecide() {
        var entry = Self.entry()
        var model = ModelFacts(id: "m")
        model.limit = 262_144
        #expect(entry.list([model]) == [:])
        model.loadedWindow = 131_072
        #expect(entry.list([model]) == ["m": 131_072])
        #expect(entry.list([model], told: { $0 == "m" ? 131_072 : nil }) == [:])
        model.loadedWindow = 65_536
        #expect(entry.list([model], told: { _ in 131_072 }) == ["m": 65_536])
        // A worker that begins when nothing is loaded any more.
        var newcomer = Self.entry()
        model.loadedWindow = nil
        #expect(newcomer.list([model], told: { _ in 131_072 }) == [:])
        #expect(Self.target(newcomer).contextWindow == 131_072)
    }

    @Test("the window that another worker has decided on is asked for at once, but for a configured one")
    func adopted() {
        var model = ModelFacts(id: "m")
        model.limit = 262_144
        for (setting, window) in [(Configuration.ContextWindow.auto, 131_072), (.tokens(50_000), 50_000)] {
            var entry = Self.entry(window: setting)
            entry.list([model])
            entry.adopt(window: 131_072, of: "m")
            entry.adopt(window: 4096, of: "other")
            #expect(Self.target(entry).contextWindow == window)
            entry.list([model])
            #expect(Self.target(entry).contextWindow == window)
        }
    }

    @Test func whatIsKnownOfTheModelReachesTheRequest() {
        var entry = Self.entry(window: .tokens(50_000))
        var model = ModelFacts(id: "m")
        model.thinks = false
        model.usesTools = true
        model.seesImages = false
        entry.list([model])
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
        entry.list([model])
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
