// One backend in the registry: what was configured or discovered, what is known of it, how it fares.

internal import EventLoop
internal import Routing
internal import Shared
internal import Translation
internal import Upstream

struct BackendEntry {
    /// As configured; of a discovered backend, its name, its URL and its rank.
    @Boxed private(set) var settings: Configuration.Backend
    /// For errors.
    let identity: BackendIdentity
    let key: SecretValue?
    let isDiscovered: Bool

    /// What it turned out to be.
    var foundType: Configuration.BackendType? { didSet { profile = chosenProfile } }
    /// What it turned out to speak, when that is not what its type says.
    var foundDialect: Dialect? { didSet { profile = chosenProfile } }
    /// How to speak to it: follows from what was configured and from what it turned out to be.
    @Boxed private(set) var profile: Profile
    private(set) var models: [ModelFacts]?
    /// What `num_ctx` was decided on, by the model's name.
    private var windows: [String: Int] = [:]
    /// Prompts that it did not read whole, by the model's name: the smallest.
    var promptCuts: [String: PromptTruncation] = [:]
    var health = BackendHealth()
    /// When it was last found away.
    var seenDownAt: WallTime?
    /// Since when every probe has found it away; nil when the last one met it.
    var downSince: Instant?
    /// The model that `auto` gave last, here or in another worker.
    var lastAutomatic: String?
    /// An exchange has found it away, and nobody has met it since: a restart may be over before the next
    /// probe.
    var wasMissed = false
    /// It is not asked to count tokens before.
    var countsAfter = Instant(nanoseconds: 0)

    init(_ settings: Configuration.Backend, key: SecretValue?, isDiscovered: Bool = false) {
        self.settings = settings
        self.key = key
        self.isDiscovered = isDiscovered
        identity = BackendIdentity(name: settings.name, url: settings.url, key: key)
        profile = .openaiCompatible
        profile = chosenProfile
    }

    var name: String { settings.name }
    /// Without trailing slash and `/v1`.
    var url: String { settings.url }

    /// The type to speak to it as.
    var type: Configuration.BackendType {
        settings.type == .auto ? foundType ?? .openaiCompatible : settings.type
    }

    var isDown: Bool {
        if case .down = health.probe { true } else { false }
    }

    private var chosenProfile: Profile {
        let profile = Profile.named(type.rawValue) ?? .openaiCompatible
        // The configuration's words are the dialects' own; `auto` is none.
        let configured = Dialect(rawValue: settings.dialect.rawValue)
        guard let dialect = configured ?? foundDialect ?? profile.ownDialect else { return profile }
        return profile.speaking(dialect)
    }

    /// Takes what the backend says of its models.
    /// - Parameter told: the window that another worker has decided on, by the model's name.
    /// - Returns: windows that the other workers would not come to by themselves, by the model's name.
    @discardableResult
    mutating func list(_ new: [ModelFacts], told: (String) -> Int? = { _ in nil }) -> [String: Int] {
        guard profile.asksWindow else {
            models = new
            return [:]
        }
        var decided: [String: Int] = [:]
        var news: [String: Int] = [:]
        models = new.map { model in
            var model = model
            let known = told(model.id)
            let window = OllamaWindow.decided(
                settings.contextWindow, model, before: known ?? windows[model.id])
            if OllamaWindow.isFirm(model) {
                decided[model.id] = window
                if window != known ?? OllamaWindow.usual(settings.contextWindow, model) {
                    news[model.id] = window
                }
            }
            model.contextWindow = window
            return model
        }
        windows = decided
        return news
    }

    /// Another worker has decided so: two windows for one model would load it anew with every request.
    mutating func adopt(window: Int, of model: String) {
        guard profile.asksWindow, settings.contextWindow == .auto,
            let index = models?.firstIndex(where: { $0.id == model })
        else { return }
        windows[model] = window
        models?[index].contextWindow = window
    }

    /// Models of which such a prompt is remembered.
    private static let cutsLimit = 256

    /// Remembers the smallest prompt of a model that was cut.
    mutating func remember(_ cut: PromptTruncation, of model: String) {
        if let known = promptCuts[model], known.estimated <= cut.estimated { return }
        if promptCuts.count >= Self.cutsLimit { promptCuts = [:] }
        promptCuts[model] = cut
    }

    /// The window of a model that the backend does not list.
    private var unlistedWindow: Int? {
        guard profile.asksWindow, case .tokens(let count) = settings.contextWindow else { return nil }
        return count
    }

    /// After this time without an answer a backend is not "just starting" any more.
    static let lostAfter = Duration.seconds(60)

    func facts(at now: Instant) -> BackendFacts {
        let isLost = downSince.map { $0.advanced(by: Self.lostAfter) <= now } ?? false
        return BackendFacts(
            name: name, priority: settings.priority, models: models,
            isHealthy: health.isHealthy(at: MonotonicInstant(now)),
            isLost: isLost, lastAutomatic: lastAutomatic)
    }
}

extension MonotonicInstant {
    /// The same moment, as the parts take it that see no event loop.
    init(_ instant: Instant) { self.init(nanoseconds: instant.nanoseconds) }
}

extension BackendIdentity {
    init(name: String, url: String, key: SecretValue?) {
        var place = url[...]
        if let scheme = url.firstRange(of: "://") { place = url[scheme.upperBound...] }
        self.init(
            name: name, place: String(place.prefix { $0 != "/" }),
            secret: key?.revealed { BackendSecret(Array($0.utf8)) } ?? BackendSecret([]))
    }
}

/// What an exchange needs of the backend it goes to.
struct BackendAccess: Sendable {
    /// In the registry; with configured backends, that of the configuration.
    let index: Int
    /// As configured, or as discovered.
    @Boxed private(set) var settings: Configuration.Backend
    var target: UpstreamTarget
    /// Credentials; nothing else.
    let headers: [UpstreamRequest.Header]

    init(
        index: Int, settings: Boxed<Configuration.Backend>, target: UpstreamTarget,
        headers: [UpstreamRequest.Header]
    ) {
        self.index = index
        _settings = settings
        self.target = target
        self.headers = headers
    }

    var name: String { settings.name }
    /// Without trailing slash and `/v1`.
    var url: String { settings.url }
}

extension BackendEntry {
    func access(_ index: Int, _ route: Route, _ observations: ObservationCache, at now: WallTime)
        -> BackendAccess
    {
        var target = UpstreamTarget(
            model: route.model, profile: $profile,
            contextWindow: route.contextWindow ?? unlistedWindow, settings: settings.conversion)
        let place = ModelKey(backend: BackendID(name), model: route.model)
        let facts = models?.first { $0.id == route.model }
        target.lacking = observations.lacking(place, at: now).union(facts?.lacking(for: profile) ?? [])
        target.outputLimit = observations.outputLimit(place, at: now)
        if let listed = facts?.outputLimit { target.outputLimit = min(listed, target.outputLimit ?? listed) }
        target.loadedWindow = facts?.loadedWindow
        target.promptTruncation = promptCuts[route.model]
        target.tokenRatio = observations.tokenRatio(place)
        target.backend = identity
        return BackendAccess(
            index: index, settings: $settings, target: target,
            headers: key.map { [.init(key: $0, in: profile.keyField)] } ?? [])
    }
}

extension UpstreamRequest.Header {
    /// The backend's own key, as its API wants it.
    init(key: SecretValue, in field: KeyField) {
        self =
            switch field {
            case .bearer: key.revealed { .init("authorization", "Bearer \($0)") }
            case .named(let name): key.revealed { .init(name, $0) }
            }
    }
}
