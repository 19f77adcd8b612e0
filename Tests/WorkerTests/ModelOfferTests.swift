// What the lists of models say: each model once, with what is known of it.

import JSON
import Routing
import Shared
import Testing
import Translation

@testable import Worker

@Suite struct ModelOfferTests {
    static func backend(
        _ name: String, _ models: [ModelFacts]?, priority: Int = 100, down: Bool = false
    ) -> BackendFacts {
        var facts = BackendFacts(name: name, priority: priority, models: models.map { ListedModels($0) })
        facts.isDown = down
        return facts
    }

    static func offer(_ backends: BackendFacts...) -> ModelOffer {
        ModelOffer(picture: BackendSnapshot(backends: backends))
    }

    @Test("equal names are one model, under the backend that is asked first; the smallest window counts")
    func order() {
        let offer = Self.offer(
            Self.backend("low", [.init(id: "a"), .init(id: "B:latest", contextWindow: 9)], priority: 1),
            Self.backend("high", [.init(id: "b", contextWindow: 70), .init(id: "B")], priority: 9),
            Self.backend("silent", nil, priority: 5), Self.backend("other", [.init(id: "b")], priority: 3))
        #expect(offer.entries.map(\.id) == ["b", "a"])
        #expect(offer.entries.map(\.owner) == ["high", "low"])
        #expect(offer.entries.map(\.maxInputTokens) == [9, nil])
        let demo = ModelOffer(picture: BackendSnapshot(backends: [], isDemo: true))
        #expect(
            demo.entries.map(\.id) == ["demo"]
                && demo.entry(named: "claude-local-demo")?.id == "claude-local-demo")
        #expect(demo.entry(named: "other") == nil)
    }

    @Test("what a person wants to know when choosing")
    func words() {
        func told(_ backends: BackendFacts...) -> [String] {
            let entry = ModelOffer(picture: BackendSnapshot(backends: backends)).entries[0]
            return [entry.displayName, entry.description]
        }
        let plain = ModelFacts(id: "m")
        let loaded = ModelFacts(id: "m", contextWindow: 65_536, isLoaded: true)
        let stored = ModelFacts(id: "M:latest", contextWindow: 131_072, isLoaded: false)
        #expect(told(Self.backend("box", [plain])) == ["m", "m on box"])
        #expect(told(Self.backend("box", [loaded])) == ["m", "m on box; 64k context; loaded"])
        #expect(
            told(Self.backend("box", [stored])) == ["M:latest", "M:latest on box; 128k context; not loaded"])
        #expect(
            told(Self.backend("one", [loaded]), Self.backend("two", [stored]))
                == ["m (one, two)", "m on one, two; 64k context; loaded on one"])
        #expect(
            told(Self.backend("one", [loaded]), Self.backend("two", [loaded], down: true))
                == ["m (one, two)", "m on one, two (does not answer); 64k context; loaded"])
        #expect(
            told(Self.backend("one", [stored]), Self.backend("two", [plain]), Self.backend("three", []))
                == ["M:latest (one, two)", "M:latest on one, two; 128k context"])
        let five = (1...5).map { Self.backend("b\($0)", [loaded]) }
        let entry = ModelOffer(picture: BackendSnapshot(backends: five)).entries[0]
        #expect(entry.displayName == "m (5 backends)")
        #expect(entry.description == "m on b1, b2, b3, 2 more; 64k context; loaded")
    }

    @Test(
        "windows as people say them",
        arguments: [
            (1, "1"), (512, "512"), (1000, "1k"), (1024, "1k"), (4096, "4k"), (8191, "8191"), (32_000, "32k"),
            (32_768, "32k"), (65_536, "64k"), (131_072, "128k"), (200_000, "200k"), (202_752, "198k"),
            (999_999, "999k"), (1_000_000, "1M"), (1_048_576, "1M"), (1 << 40, "1048576M"),
        ])
    func windows(tokens: Int, text: String) { #expect(ModelOffer.short(tokens) == text) }

    @Test("a name finds its entry however it is decorated, and keeps itself")
    func named() {
        let offer = Self.offer(
            Self.backend("one", [.init(id: "org/mini:1"), .init(id: "claude-like")]),
            Self.backend("two", [.init(id: "qwen3:latest"), .init(id: "one/odd")]))
        for (name, real) in [
            ("org/mini:1", "org/mini:1"), ("claude-local-org/mini:1", "org/mini:1"),
            ("QWEN3", "qwen3:latest"),
            ("anthropic/claude-local-qwen3[1m]", "qwen3:latest"), ("one/org/mini:1", "org/mini:1"),
            ("two/qwen3", "qwen3:latest"), ("one/odd", "one/odd"), ("claude-like", "claude-like"),
        ] {
            let entry = offer.entry(named: name)
            #expect(entry?.id == name && entry?.description.hasPrefix(real + " on ") == true, "\(name)")
        }
        for name in ["", "/", "none", "one/qwen3", "two/", "claude-local-", "three/qwen3", "[1m]"] {
            #expect(offer.entry(named: name) == nil, "\(name)")
        }
    }

    @Test("clients that show only Claude's models find each other one right behind it")
    func aliases() {
        let names = ["qwen3:8b", "claude-x", "claude-local-b", "b", "org/Anthropic-7b", "a/b:c"]
        let offered = ModelOffer.withAliases(
            Self.offer(Self.backend("x", names.map { ModelFacts(id: $0, contextWindow: 7) })).entries)
        #expect(
            offered.map(\.id) == [
                "qwen3:8b", "claude-local-qwen3:8b", "claude-x", "claude-local-b", "b", "org/Anthropic-7b",
                "a/b:c", "claude-local-a/b:c",
            ])
        #expect(offered[1].displayName == "qwen3:8b" && offered[1].maxInputTokens == 7)
        #expect(offered[1].description == "qwen3:8b on x; 7 context")
    }

    static func facts(thinks: Bool?, images: Bool?) -> [ModelFacts] {
        var facts = ModelFacts(id: "m")
        facts.thinks = thinks
        facts.seesImages = images
        return [facts]
    }

    @Test("capabilities are told only where the model's are known")
    func capabilities() {
        func told(_ backends: BackendFacts..., by knowledge: [Int: ModelOffer.Knowledge] = [:]) -> String {
            var offer = ModelOffer(picture: BackendSnapshot(backends: backends))
            offer.knowledge = { index, _ in knowledge[index] ?? .init() }
            offer.readsDocuments = true
            guard let known = offer.entries[0].capabilities else { return "-" }
            return [
                known.thinking ? "thinking" : "", known.effort ? "effort" : "", known.images ? "images" : "",
                known.documents ? "documents" : "", known.structuredOutput ? "schemas" : "",
            ].filter { !$0.isEmpty }.joined(separator: " ")
        }
        let all = Self.backend("a", Self.facts(thinks: true, images: true))
        let none = Self.backend("b", Self.facts(thinks: false, images: false))
        let half = Self.backend("c", Self.facts(thinks: nil, images: true))
        #expect(told(all) == "thinking effort images documents schemas" && told(none) == "documents schemas")
        #expect(told(half) == "-" && told(Self.backend("d", Self.facts(thinks: true, images: nil))) == "-")
        // Another backend may take it.
        #expect(told(none, all) == "thinking effort images documents schemas")
        #expect(told(half, none) == "-" && told(half, all) == "thinking effort images documents schemas")
        // What was learnt counts more than what the backend says.
        #expect(told(all, by: [0: .init(lacking: [.images, .effort])]) == "thinking documents schemas")
        #expect(told(half, by: [0: .init(lacking: [.thinking, .structuredOutput])]) == "images documents")
        #expect(told(half, by: [0: .init(taken: [.thinking])]) == "thinking effort images documents schemas")
        #expect(told(none, by: [0: .init(taken: [.images])]) == "images documents schemas")
    }

    @Test("the least that a model gives in one answer is told")
    func outputLimits() {
        var facts = ModelFacts(id: "m")
        facts.outputLimit = 8192
        facts.created = 7
        var offer = Self.offer(Self.backend("a", [.init(id: "m")]), Self.backend("b", [facts]))
        #expect(offer.entries[0].maxOutputTokens == 8192 && offer.entries[0].created == 7)
        offer.knowledge = { index, _ in .init(outputLimit: index == 0 ? 4096 : nil) }
        #expect(offer.entries[0].maxOutputTokens == 4096)
    }

    @Test("64 backends with as many models as are kept: each list is made soon")
    func many() {
        let lists = (0..<64).map { number in
            Self.backend("b\(number)", (0..<256).map { ModelFacts(id: "Model-\(number / 4)-\($0):latest") })
        }
        let offer = ModelOffer(picture: BackendSnapshot(backends: lists))
        let before = MonotonicInstant.now()
        let entries = ModelOffer.withAliases(offer.entries)
        #expect(entries.count == 2 * 16 * 256)
        #expect(ModelsReply.anthropicList(entries, page: ModelPage(limit: 1000)).count < 1 << 20)
        #expect(MonotonicInstant.now().since(before) < .seconds(5))
    }

    @Test(
        "pages by query",
        arguments: [
            (nil, ModelPage()), ("limit=1000", ModelPage(limit: 1000)), ("limit=0", ModelPage(limit: 1)),
            ("limit=x&foo", ModelPage()), ("after_id=a%2Fb&limit=3", ModelPage(limit: 3, afterID: "a/b")),
            ("before_id=z&beta=true", ModelPage(beforeID: "z")),
        ] as [(String?, ModelPage)])
    func pages(query: String?, page: ModelPage) {
        #expect(ModelPage(query: query) == page)
    }
}
