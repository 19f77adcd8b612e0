// The order in which a model's name is resolved, `auto`, and which backend is asked first.

import Shared
import Testing

@testable import Routing

@Suite struct ModelMapTests {
    static func backend(
        _ name: String, _ models: [ModelFacts]?, priority: Int = 100, healthy: Bool = true
    ) -> BackendFacts {
        BackendFacts(name: name, priority: priority, models: models, isHealthy: healthy)
    }

    static let picture = BackendSnapshot(backends: [
        backend(
            "one",
            [
                ModelFacts(id: "alpha", contextWindow: 4096), ModelFacts(id: "beta"),
                ModelFacts(id: "one/gamma"),
            ]),
        backend(
            "two", [ModelFacts(id: "qwen3:latest"), ModelFacts(id: "Beta"), ModelFacts(id: "delta")],
            priority: 10),
    ])

    static let rules: [Configuration.ModelRule] = [
        .init(match: "claude-*haiku*", use: "delta"), .init(match: "small", use: "one/beta"),
        .init(match: "claude-sonnet*", use: "two/auto"), .init(match: "alpha", use: "two/delta"),
        .init(match: "gone", use: "omega"), .init(match: "claude-*", use: "auto"),
    ]

    static func told(_ name: String, _ picture: BackendSnapshot, _ rules: [Configuration.ModelRule] = rules)
        -> String
    {
        do throws(RoutingFailure) {
            let routes = try ModelMap(rules).routes(for: name, in: picture)
            return routes.map { route in
                switch route.destination {
                case .backend(let index): "\(picture.backends[index].name)>\(route.model)"
                case .demo: "demo>\(route.model)"
                }
            }.joined(separator: " ")
        } catch {
            switch error {
            case .unknownModel(_, .nearest(let name)): return "404 \(name)"
            case .unknownModel(_, .some(let names, let more)):
                return "404 of \(names.joined(separator: ","))\(more ? "…" : "")"
            case .nothingToServe(let configured): return "529 \(configured)"
            case .noModels(let names): return "empty \(names.joined(separator: ","))"
            case .lost(let names): return "lost \(names.joined(separator: ","))"
            }
        }
    }

    @Test(arguments: [
        // backend/model comes first, even before a rule of that name and for models not listed
        ("one/alpha", "one>alpha"), ("TWO/delta", "two>delta"), ("one/unlisted", "one>unlisted"),
        ("two/qwen3", "two>qwen3:latest"), ("one/auto", "one>alpha"),
        // but a model that is listed under the whole name comes before that
        ("one/gamma", "one>one/gamma"), ("claude-local-one/gamma", "one>one/gamma"),
        // then other names of what is there, before any rule
        ("claude-local-beta", "one>beta two>Beta"), ("Claude-Local-QWEN3", "two>qwen3:latest"),
        ("claude-local-two/delta", "two>delta"),
        ("claude-local-one/unlisted", "one>unlisted"), ("anthropic/delta", "two>delta"),
        ("anthropic/two/qwen3", "two>qwen3:latest"), ("beta[1m]", "one>beta two>Beta"),
        ("alpha[1M]", "one>alpha"), ("one/alpha[1m]", "one>alpha"), ("claude-local-delta[1m]", "two>delta"),
        ("claude-local-haiku", "two>delta"), ("claude-local-", "one>alpha two>qwen3:latest"),
        ("claude-opus[1m]", "one>alpha two>qwen3:latest"),
        ("[1m]", "404 of alpha,beta,one/gamma,qwen3:latest,Beta…"),
        // then rules, the first match
        ("small", "one>beta"), ("claude-3-5-haiku-latest", "two>delta"), ("CLAUDE-Haiku", "two>delta"),
        ("claude-sonnet-4", "two>qwen3:latest"), ("alpha", "two>delta"),
        ("claude-opus", "one>alpha two>qwen3:latest"),
        // then listed names, on all that list them, in order of priority
        ("beta", "one>beta two>Beta"), ("BETA", "one>beta two>Beta"), ("qwen3", "two>qwen3:latest"),
        // then names of Anthropic's models
        ("anthropic.opus", "one>alpha two>qwen3:latest"),
        ("anthropic/claude-x", "one>alpha two>qwen3:latest"),
        // and who names none
        ("auto", "one>alpha two>qwen3:latest"),
        // then nothing: the nearest within a third of the name's length, else the first five
        ("gama", "404 of alpha,beta,one/gamma,qwen3:latest,Beta…"), ("detla", "404 delta"),
        ("dalta", "404 delta"), ("one/gama", "one>gama"), ("onegamma", "404 one/gamma"),
        ("qwen4", "404 qwen3:latest"), ("QWEN:LATEST", "404 qwen3:latest"),
        ("zzzzzzzzzzzzz", "404 of alpha,beta,one/gamma,qwen3:latest,Beta…"),
        ("", "404 of alpha,beta,one/gamma,qwen3:latest,Beta…"),
        ("gone", "404 of alpha,beta,one/gamma,qwen3:latest,Beta…"),
        ("nobody/alpha", "404 of alpha,beta,one/gamma,qwen3:latest,Beta…"),
    ])
    func resolved(_ name: String, _ expected: String) { #expect(Self.told(name, Self.picture) == expected) }

    @Test func factsTravelWithTheRoute() throws {
        let route = try ModelMap([]).routes(for: "alpha", in: Self.picture)[0]
        #expect(route == Route(destination: .backend(0), model: "alpha", contextWindow: 4096))
    }

    @Test("auto: the loaded model, else the first with tools, else the first; no embedding models")
    func automatic() {
        var embedding = ModelFacts(id: "embed", isLoaded: true, usesTools: true)
        embedding.isChat = false
        let plain = ModelFacts(id: "plain")
        let tools = ModelFacts(id: "tools", usesTools: true)
        let loaded = ModelFacts(id: "loaded", isLoaded: true)
        func pick(_ models: [ModelFacts]?) -> String? { Self.backend("b", models).automaticModel?.id }
        #expect(pick([embedding, plain, tools, loaded]) == "loaded")
        #expect(pick([embedding, plain, tools]) == "tools")
        #expect(pick([embedding, plain]) == "plain")
        #expect(pick([embedding]) == "embed")
        #expect(pick([]) == nil)
        #expect(pick(nil) == nil)
    }

    @Test("priority, then the file's order; unhealthy ones last but never left out")
    func order() {
        let model = [ModelFacts(id: "m")]
        let picture = BackendSnapshot(backends: [
            Self.backend("a", model, priority: 50), Self.backend("b", model, priority: 200, healthy: false),
            Self.backend("c", model, priority: 100), Self.backend("d", model, priority: 100),
            Self.backend("e", nil, priority: 999),
        ])
        #expect(Self.told("m", picture) == "c>m d>m a>m b>m")
        #expect(Self.told("claude", picture) == "c>m d>m a>m b>m")
        let last = BackendSnapshot(backends: [Self.backend("a", model, healthy: false)])
        #expect(Self.told("m", last) == "a>m")
    }

    @Test("at most four backends are tried")
    func candidates() {
        let picture = BackendSnapshot(backends: (0..<9).map { Self.backend("b\($0)", [ModelFacts(id: "m")]) })
        #expect(Self.told("m", picture) == "b0>m b1>m b2>m b3>m")
        #expect(Self.told("claude", picture) == "b0>m b1>m b2>m b3>m")
    }

    @Test("before a backend has told its models")
    func unknown() {
        let silent = BackendSnapshot(backends: [
            Self.backend("one", nil, healthy: false), Self.backend("two", nil),
        ])
        #expect(Self.told("claude-opus", silent) == "529 true")
        #expect(Self.told("nonsense", silent) == "529 true")
        #expect(Self.told("one/alpha", silent) == "one>alpha")
        #expect(Self.told("one/auto", silent) == "529 true")
        // What a rule names may well be there.
        #expect(Self.told("gone", silent) == "two>omega one>omega")
        #expect(Self.told("claude", BackendSnapshot(backends: [])) == "529 false")
    }

    @Test("a listed name that begins with a backend's name is that model's")
    func listedNameFirst() {
        let cloud = [ModelFacts(id: "gpt-oss"), ModelFacts(id: "gpt-5")]
        let local = [ModelFacts(id: "oai/gpt-oss-20b"), ModelFacts(id: "OAI/Other:latest")]
        let picture = BackendSnapshot(backends: [Self.backend("oai", cloud), Self.backend("local", local)])
        for (name, expected) in [
            ("oai/gpt-oss-20b", "local>oai/gpt-oss-20b"), ("oai/gpt-oss", "oai>gpt-oss"),
            ("oai/other", "local>OAI/Other:latest"), ("oai/gpt-5", "oai>gpt-5"),
            ("oai/unlisted", "oai>unlisted"), ("anthropic/oai/gpt-oss-20b", "local>oai/gpt-oss-20b"),
        ] { #expect(Self.told(name, picture, []) == expected, "\(name)") }
        // A backend that has not told its models, or lists none, is asked for whatever is named.
        for models in [nil, []] as [[ModelFacts]?] {
            let silent = BackendSnapshot(backends: [
                Self.backend("oai", models), Self.backend("local", local),
            ])
            #expect(Self.told("oai/other", silent, []) == "oai>other")
            #expect(Self.told("oai//path/of/model", silent, []) == "oai>/path/of/model")
            #expect(Self.told("oai/gpt-oss-20b", silent, []) == "local>oai/gpt-oss-20b")
        }
    }

    @Test("auto goes on giving what it gave, while that is listed")
    func sticky() {
        func pick(_ last: String?, _ models: [ModelFacts]) -> String? {
            var backend = Self.backend("b", models)
            backend.lastAutomatic = last
            return backend.automaticModel?.id
        }
        let big = ModelFacts(id: "big", usesTools: true)
        let loaded = ModelFacts(id: "small", isLoaded: true)
        #expect(pick(nil, [big, loaded]) == "small")
        #expect(pick("big", [big, loaded]) == "big")
        #expect(pick("gone", [big, loaded]) == "small")
        #expect(pick("big", [loaded]) == "small")
    }

    @Test("backends without a model: those that list none say so, those long away are not waited for")
    func nothingThere() {
        var lost = Self.backend("gone", nil)
        lost.isLost = true
        let empty = Self.backend("hf", [])
        let starting = Self.backend("new", nil)
        for name in ["claude-opus", "nonsense"] {
            #expect(Self.told(name, BackendSnapshot(backends: [empty]), []) == "empty hf")
            #expect(Self.told(name, BackendSnapshot(backends: [lost]), []) == "lost gone")
            #expect(Self.told(name, BackendSnapshot(backends: [lost, empty]), []) == "empty hf")
            #expect(Self.told(name, BackendSnapshot(backends: [empty, starting]), []) == "529 true")
            #expect(Self.told(name, BackendSnapshot(backends: [lost, starting]), []) == "529 true")
        }
    }

    @Test func demo() {
        let demo = BackendSnapshot(backends: [], isDemo: true)
        for name in ["demo", "Demo", "demo/demo", "claude-opus", "anthropic"] {
            #expect(Self.told(name, demo, []) == "demo>demo")
        }
        for name in ["qwen3", "one/alpha", ""] { #expect(Self.told(name, demo, []) == "404 of demo") }
        #expect(Self.told("demo", Self.picture).hasPrefix("404 of alpha"))
    }

    @Test("of what is known instead, each name stands once, and five at most")
    func knownInstead() {
        let many = RoutingFailure.unknownModel("x", known: ["a1", "b2", "a1", "c3", "d4", "e5", "f6"])
        #expect(many == .unknownModel("x", .some(["a1", "b2", "c3", "d4", "e5"], more: true)))
        let one = RoutingFailure.unknownModel("gpt-4o", known: ["demo"])
        #expect(one == .unknownModel("gpt-4o", .some(["demo"], more: false)))
    }
}
