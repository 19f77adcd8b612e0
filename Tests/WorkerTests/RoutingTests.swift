// Patterns, the order in which a model's name is resolved, `auto`, and which backend is asked first.

import EventLoop
import Shared
import Testing
import Translation

@testable import Worker

@Suite struct ModelGlobTests {
    @Test(arguments: [
        ("claude-*", "claude-opus", true), ("claude-*", "Claude-", true), ("claude-*", "xclaude-", false),
        ("*haiku*", "claude-3-5-haiku-latest", true), ("*haiku*", "haiku", true),
        ("*haiku", "haiku-1", false),
        ("a?c", "abc", true), ("a?c", "aüc", true), ("a?c", "ac", false), ("a?c", "abbc", false),
        ("*", "", true), ("", "", true), ("", "a", false), ("**", "x", true), ("a*b*c", "aXbYbZc", true),
        ("a*b*c", "aXcYb", false), ("?*", "a", true), ("?*", "", false), ("gpt-4.1", "gpt-4x1", false),
        ("QWEN*", "qwen3:4b", true), ("[a]", "a", false),
        ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false),
    ])
    func matches(_ pattern: String, _ name: String, _ expected: Bool) {
        #expect(ModelGlob(pattern).matches(name) == expected)
    }

    @Test("many stars cost no more than pattern times name")
    func bounded() {
        let pattern = ModelGlob(String(repeating: "*a", count: 128) + "b")
        let before = Instant.now
        #expect(!pattern.matches(String(repeating: "a", count: 4096)))
        #expect(Instant.now.nanoseconds(since: before) < 2_000_000_000)
    }
}

@Suite struct ModelMapTests {
    static func backend(
        _ name: String, _ models: [ModelFacts]?, priority: Int = 100, healthy: Bool = true
    ) -> BackendFacts {
        BackendFacts(name: name, priority: priority, models: models, isHealthy: healthy)
    }

    static let picture = BackendPicture(backends: [
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

    static func told(_ name: String, _ picture: BackendPicture, _ rules: [Configuration.ModelRule] = rules)
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
            case .unknownModel(_, let nearest): return "404 \(nearest ?? "-")"
            case .nothingToServe(let configured): return "529 \(configured)"
            }
        }
    }

    @Test(arguments: [
        // backend/model comes first, even before a rule of that name and for models not listed
        ("one/alpha", "one>alpha"), ("TWO/delta", "two>delta"), ("one/unlisted", "one>unlisted"),
        ("one/gamma", "one>gamma"), ("two/qwen3", "two>qwen3:latest"), ("one/auto", "one>alpha"),
        // then other names of what is there, before any rule
        ("claude-local-beta", "one>beta two>Beta"), ("Claude-Local-QWEN3", "two>qwen3:latest"),
        ("claude-local-one/gamma", "one>gamma"), ("claude-local-two/delta", "two>delta"),
        ("claude-local-one/unlisted", "one>unlisted"), ("anthropic/delta", "two>delta"),
        ("anthropic/two/qwen3", "two>qwen3:latest"), ("beta[1m]", "one>beta two>Beta"),
        ("alpha[1M]", "one>alpha"), ("one/alpha[1m]", "one>alpha"), ("claude-local-delta[1m]", "two>delta"),
        ("claude-local-haiku", "two>delta"), ("claude-local-", "one>alpha two>qwen3:latest"),
        ("claude-opus[1m]", "one>alpha two>qwen3:latest"), ("[1m]", "404 beta"),
        // then rules, the first match
        ("small", "one>beta"), ("claude-3-5-haiku-latest", "two>delta"), ("CLAUDE-Haiku", "two>delta"),
        ("claude-sonnet-4", "two>qwen3:latest"), ("alpha", "two>delta"),
        ("claude-opus", "one>alpha two>qwen3:latest"),
        // then listed names, on all that list them, in order of priority
        ("beta", "one>beta two>Beta"), ("BETA", "one>beta two>Beta"), ("qwen3", "two>qwen3:latest"),
        // then names of Anthropic's models
        ("anthropic.opus", "one>alpha two>qwen3:latest"),
        ("anthropic/claude-x", "one>alpha two>qwen3:latest"),
        // then nothing
        ("gama", "404 beta"), ("detla", "404 delta"), ("zzzzzzzzzzzzz", "404 alpha"), ("", "404 beta"),
        ("one/", "404 beta"), ("gone", "404 beta"), ("/", "404 beta"), ("nobody/alpha", "404 alpha"),
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
        let picture = BackendPicture(backends: [
            Self.backend("a", model, priority: 50), Self.backend("b", model, priority: 200, healthy: false),
            Self.backend("c", model, priority: 100), Self.backend("d", model, priority: 100),
            Self.backend("e", nil, priority: 999),
        ])
        #expect(Self.told("m", picture) == "c>m d>m a>m b>m")
        #expect(Self.told("claude", picture) == "c>m d>m a>m b>m")
        let last = BackendPicture(backends: [Self.backend("a", model, healthy: false)])
        #expect(Self.told("m", last) == "a>m")
    }

    @Test("at most four backends are tried")
    func candidates() {
        let picture = BackendPicture(backends: (0..<9).map { Self.backend("b\($0)", [ModelFacts(id: "m")]) })
        #expect(Self.told("m", picture) == "b0>m b1>m b2>m b3>m")
        #expect(Self.told("claude", picture) == "b0>m b1>m b2>m b3>m")
    }

    @Test("before a backend has told its models")
    func unknown() {
        let silent = BackendPicture(backends: [
            Self.backend("one", nil, healthy: false), Self.backend("two", nil),
        ])
        #expect(Self.told("claude-opus", silent) == "529 true")
        #expect(Self.told("nonsense", silent) == "529 true")
        #expect(Self.told("one/alpha", silent) == "one>alpha")
        #expect(Self.told("one/auto", silent) == "529 true")
        // What a rule names may well be there.
        #expect(Self.told("gone", silent) == "two>omega one>omega")
        #expect(Self.told("claude", BackendPicture(backends: [])) == "529 false")
    }

    @Test func demo() {
        let demo = BackendPicture(backends: [], isDemo: true)
        for name in ["demo", "Demo", "demo/demo", "claude-opus", "anthropic"] {
            #expect(Self.told(name, demo, []) == "demo>demo")
        }
        for name in ["qwen3", "one/alpha", ""] { #expect(Self.told(name, demo, []) == "404 demo") }
        #expect(Self.told("demo", Self.picture) == "404 beta")
    }

    @Test func toldToClients() {
        let unknown = RoutingFailure.unknownModel(String(repeating: "x", count: 500), nearest: "alpha")
            .clientError
        #expect(unknown.status == 404 && unknown.kind == .notFound && unknown.shouldRetry == false)
        #expect(unknown.message.count < 200 && unknown.message.hasSuffix("; the nearest is alpha"))
        let nothing = RoutingFailure.nothingToServe(isConfigured: true).clientError
        #expect(nothing.status == 529 && nothing.kind == .overloaded && nothing.retryAfter == 5)
    }
}

@Suite struct BackendHealthTests {
    static let start = Instant(nanoseconds: 1_000_000_000_000)

    @Test("failures are avoided for a doubling, bounded time; one success forgets them")
    func passive() {
        var health = BackendHealth()
        #expect(health.isHealthy(at: Self.start))
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
            health.failed(at: Self.start)
            #expect(!health.isHealthy(at: Self.start.advanced(by: .milliseconds(seconds * 1000 - 1))))
            #expect(health.isHealthy(at: Self.start.advanced(by: .seconds(seconds))))
        }
        health.succeeded()
        #expect(health.isHealthy(at: Self.start))
        #expect(health.failures == 0)
        health.failed(at: Self.start)
        #expect(health.isHealthy(at: Self.start.advanced(by: .seconds(1))))
    }

    @Test func persistent() {
        var health = BackendHealth()
        for _ in 0..<4 { health.failed(at: Self.start) }
        #expect(!health.isPersistent)
        health.failed(at: Self.start)
        #expect(health.isPersistent)
        health.succeeded()
        #expect(!health.isPersistent)
    }

    @Test("no number of failures overflows")
    func many() {
        var health = BackendHealth()
        for _ in 0..<5000 { health.failed(at: Instant(nanoseconds: .max - 1)) }
        #expect(!health.isHealthy(at: Instant(nanoseconds: .max - 1)))
    }

    @Test func probes() {
        var health = BackendHealth()
        health.probed(.down(error: "refused"))
        #expect(!health.isHealthy(at: Self.start))
        health.probed(.up)
        #expect(health.isHealthy(at: Self.start))
        health.failed(at: Self.start)
        health.probed(.up)
        #expect(health.isHealthy(at: Self.start))
        health.probed(.down(error: "refused"))
        health.succeeded()
        #expect(health.isHealthy(at: Self.start) && health.probe == .up)
    }
}
