// The order in which a model's name is resolved, `auto`, and which backend is asked first.

import Shared
import Testing

@testable import Routing

@Suite struct ModelMapTests {
    static func backend(
        _ name: String, _ models: [ModelFacts]?, priority: Int = 100, down: Bool = false, only: [String] = []
    ) -> BackendFacts {
        let filter = ModelFilter(only)
        let offered = models.map { ListedModels($0.filter { filter.takes($0.id) }) }
        var facts = BackendFacts(name: name, priority: priority, models: offered)
        facts.isDown = down
        facts.filter = filter
        return facts
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
        ("claude-local-haiku", "two>delta"), ("claude-local-", "one>alpha"),
        ("claude-opus[1m]", "one>alpha"),
        ("[1m]", "404 of alpha,beta,one/gamma,qwen3:latest,Beta…"),
        // then rules, the first match
        ("small", "one>beta"), ("claude-3-5-haiku-latest", "two>delta"), ("CLAUDE-Haiku", "two>delta"),
        ("claude-sonnet-4", "two>qwen3:latest"), ("alpha", "two>delta"),
        ("claude-opus", "one>alpha"),
        // then listed names, on all that list them, in order of priority
        ("beta", "one>beta two>Beta"), ("BETA", "one>beta two>Beta"), ("qwen3", "two>qwen3:latest"),
        // then names of Anthropic's models
        ("anthropic.opus", "one>alpha"), ("anthropic/claude-x", "one>alpha"),
        // and who names none
        ("auto", "one>alpha"),
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
    func usual() {
        var embedding = ModelFacts(id: "embed", isLoaded: true, usesTools: true)
        embedding.isChat = false
        let plain = ModelFacts(id: "plain")
        let tools = ModelFacts(id: "tools", usesTools: true)
        let loaded = ModelFacts(id: "loaded", isLoaded: true)
        func pick(_ models: [ModelFacts]) -> String? { ListedModels(models).usual?.id }
        #expect(pick([embedding, plain, tools, loaded]) == "loaded")
        #expect(pick([embedding, plain, tools]) == "tools")
        #expect(pick([embedding, plain]) == "plain")
        #expect(pick([embedding]) == "embed")
        #expect(pick([]) == nil)
    }

    @Test("priority, then the file's order; how backends fare changes nothing")
    func order() {
        let model = [ModelFacts(id: "m")]
        let picture = BackendSnapshot(backends: [
            Self.backend("a", model, priority: 50), Self.backend("b", model, priority: 200, down: true),
            Self.backend("c", model, priority: 100), Self.backend("d", model, priority: 100),
            Self.backend("e", nil, priority: 999),
        ])
        #expect(Self.told("m", picture) == "b>m c>m d>m a>m")
        #expect(Self.told("claude", picture) == "b>m c>m d>m a>m")
    }

    @Test("every backend that has the model is a candidate, as many as may be asked about")
    func candidates() throws {
        let picture = BackendSnapshot(
            backends: (0..<99).map { Self.backend("b\($0)", [ModelFacts(id: "m")]) })
        for name in ["m", "claude"] {
            let routes = try ModelMap([]).routes(for: name, in: picture)
            #expect(
                routes.map(\.destination)
                    == (0..<AdmissionQuestion.maximumCandidates).map { Route.Destination.backend($0) })
        }
    }

    @Test(
        "names are equal after lower case and without `:latest`, and by nothing else",
        arguments: [
            ("qwen3", "a>qwen3 b>qwen3:latest c>Qwen3:LATEST"),
            ("QWEN3:Latest", "a>qwen3 b>qwen3:latest c>Qwen3:LATEST"),
            ("qwen3:4b", "d>qwen3:4b"), ("qwen", "404 qwen3"), ("org/qwen3", "e>org/qwen3"),
            (":latest", "f>:latest"),
        ])
    func equalNames(name: String, expected: String) {
        let listed = ["qwen3", "qwen3:latest", "Qwen3:LATEST", "qwen3:4b", "org/qwen3", ":latest"]
        let picture = BackendSnapshot(
            backends: zip(["a", "b", "c", "d", "e", "f"], listed).map {
                Self.backend($0, [ModelFacts(id: $1)])
            })
        #expect(Self.told(name, picture, []) == expected)
    }

    @Test("of two models with equal names at one backend the one that is called so is meant")
    func twins() {
        let models = ListedModels([
            ModelFacts(id: "M"), ModelFacts(id: "m"), ModelFacts(id: "m"), ModelFacts(id: "m:latest"),
        ])
        #expect(models.all.map(\.id) == ["M", "m", "m:latest"])
        for name in ["M", "m", "m:latest"] { #expect(models.model(named: name)?.id == name) }
        #expect(models.model(named: "M:latest")?.id == "M" && models.model(called: "M:latest") == nil)
    }

    @Test("before a backend has told its models")
    func unknown() {
        let silent = BackendSnapshot(backends: [
            Self.backend("one", nil, down: true), Self.backend("two", nil),
        ])
        #expect(Self.told("claude-opus", silent) == "529 true")
        #expect(Self.told("nonsense", silent) == "529 true")
        #expect(Self.told("one/alpha", silent) == "one>alpha")
        #expect(Self.told("one/auto", silent) == "529 true")
        // What a rule names may well be there.
        #expect(Self.told("gone", silent) == "one>omega two>omega")
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

    /// What `auto` gives, by what it gave last; backends by name, `!` in front = down.
    static func automatic(_ last: String?, _ backends: [(String, [ModelFacts])]) -> String {
        let facts = backends.map { name, models in
            backend(name, models, down: name.hasPrefix("!"))
        }
        return told("auto", BackendSnapshot(backends: facts, lastAutomatic: last), [])
    }

    @Test("auto goes on giving what it gave, while a backend that is not down lists it")
    func sticky() {
        let big = ModelFacts(id: "big", usesTools: true)
        let loaded = ModelFacts(id: "small", isLoaded: true)
        #expect(Self.automatic(nil, [("b", [big, loaded])]) == "b>small")
        #expect(Self.automatic("big", [("b", [big, loaded])]) == "b>big")
        #expect(Self.automatic("BIG:latest", [("b", [big, loaded])]) == "b>big")
        #expect(Self.automatic("gone", [("b", [big, loaded])]) == "b>small")
        #expect(Self.automatic("big", [("b", [loaded])]) == "b>small")
        // One name for the whole service, on all backends that have it.
        #expect(
            Self.automatic("big", [("a", [loaded]), ("b", [big]), ("c", [loaded, big])]) == "b>big c>big")
        #expect(Self.automatic(nil, [("a", [loaded]), ("b", [big]), ("c", [loaded])]) == "a>small c>small")
        // Where it is down, too, once it is chosen; but a choice goes by who is not.
        #expect(Self.automatic("big", [("a", [loaded]), ("!b", [big]), ("c", [big])]) == "!b>big c>big")
        #expect(Self.automatic("big", [("a", [loaded]), ("!b", [big])]) == "a>small")
        #expect(Self.automatic(nil, [("!a", [loaded]), ("b", [big])]) == "b>big")
        // All are down: it is what they would give.
        #expect(Self.automatic("big", [("!a", [loaded]), ("!b", [big])]) == "!b>big")
        #expect(Self.automatic(nil, [("!a", [loaded]), ("!b", [big])]) == "!a>small")
        #expect(Self.automatic("big", [("!a", []), ("b", [])]) == "empty !a,b")
    }

    @Test("when all that have the model of auto have failed, the others give what they have")
    func substitutes() throws {
        let picture = BackendSnapshot(
            backends: [
                Self.backend("a", [ModelFacts(id: "big")]), Self.backend("b", [ModelFacts(id: "small")]),
                Self.backend("c", [ModelFacts(id: "x"), ModelFacts(id: "Big:latest")]),
                Self.backend("d", [ModelFacts(id: "other")], down: true), Self.backend("e", []),
                Self.backend("f", nil), Self.backend("g", [ModelFacts(id: "last")], priority: 200),
            ], lastAutomatic: "big")
        let map = ModelMap([.init(match: "pinned", use: "auto")])
        for (name, expected) in [
            ("auto", ["last", "small"]), ("claude-x", ["last", "small"]), ("pinned", ["last", "small"]),
            ("big", []),
            ("a/auto", []),
        ] {
            let routes = try map.routes(for: name, in: picture)
            let others = map.substitutes(for: routes, in: picture)
            #expect(others.map(\.model) == expected && others.allSatisfy { $0.automatic == nil })
        }
        #expect(map.substitutes(for: [], in: picture).isEmpty)
    }

    @Test("auto of one backend goes on giving what that gave, and agrees with the service's at first")
    func stickyBackend() {
        let (big, small) = (ModelFacts(id: "big"), ModelFacts(id: "small"))
        var one = Self.backend("one", [small, big])
        let two = Self.backend("two", [big])
        func given(_ last: String?) -> String {
            Self.told("one/auto", BackendSnapshot(backends: [one, two], lastAutomatic: last), [])
        }
        #expect(given(nil) == "one>small" && given("big") == "one>big" && given("other") == "one>small")
        one.lastAutomatic = "small"
        #expect(given("big") == "one>small")
        one.lastAutomatic = "gone"
        #expect(given("big") == "one>big")
    }

    @Test("routes say by whose auto they were chosen")
    func automaticRoutes() throws {
        let picture = BackendSnapshot(backends: [Self.backend("one", [ModelFacts(id: "m")])])
        for (name, expected) in [
            ("m", nil), ("auto", .service), ("claude-x", .service), ("one/auto", .backend),
        ]
            as [(String, Route.Automatic?)]
        {
            #expect(try ModelMap([]).routes(for: name, in: picture).map(\.automatic) == [expected])
        }
    }

    @Test(
        "a backend's filter holds for everything that is asked for by name",
        arguments: [
            ("qwen3:4b", "one>qwen3:4b two>qwen3:4b"), ("embed", "two>embed"),
            ("one/qwen3:4b", "one>qwen3:4b"),
            ("one/embed", "404 of qwen3:4b,embed"), ("one/qwen3:unlisted", "one>qwen3:unlisted"),
            ("two/anything", "two>anything"),
            ("one/claude-x", "404 of qwen3:4b,embed"), ("claude-local-one/embed", "404 of qwen3:4b,embed"),
            ("one/auto", "one>qwen3:4b"), ("pinned", "404 of qwen3:4b,embed"),
        ])
    func filtered(name: String, expected: String) {
        let listed = [ModelFacts(id: "embed"), ModelFacts(id: "qwen3:4b")]
        let picture = BackendSnapshot(backends: [
            Self.backend("one", listed, only: ["qwen3:*"]), Self.backend("two", Array(listed.reversed())),
        ])
        let rules = [Configuration.ModelRule(match: "pinned", use: "one/embed")]
        #expect(Self.told(name, picture, rules) == expected)
    }

    @Test("a backend that has not told its models is not asked for what it does not offer")
    func filteredSilence() {
        let picture = BackendSnapshot(backends: [
            Self.backend("one", nil, only: ["a*"]), Self.backend("two", nil, only: ["!a*"]),
        ])
        let rules = [Configuration.ModelRule(match: "x", use: "abc"), .init(match: "y", use: "def")]
        #expect(Self.told("x", picture, rules) == "one>abc" && Self.told("y", picture, rules) == "two>def")
        #expect(Self.told("two/abc", picture, rules) == "529 true")
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
