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
    /// Which of its models it offers.
    let filter: ModelFilter
    /// Nil until the supervisor has named it.
    var number: BackendNumber?

    /// What it turned out to be, and to speak when that is not what its type says.
    private(set) var foundType: Configuration.BackendType?
    private(set) var foundDialect: Dialect?
    /// How to speak to it: follows from what was configured and from what it turned out to be.
    @Boxed private(set) var profile: Profile
    /// Nil until its first list has come.
    private(set) var models: ListedModels?
    /// The parts of a list that is not whole yet.
    private var parts: [ModelFacts] = []
    /// How it fares.
    private(set) var condition: Condition
    /// Its models that fare otherwise than the rest.
    private var closedModels: Set<ModelDigest> = []
    /// Prompts that it did not read whole, by the model's name: the smallest.
    var promptCuts: [String: PromptTruncation] = [:]
    /// When it was last found away.
    private(set) var seenDownAt: WallTime?
    /// The model that its own `auto` gave last, here or in another worker, and when.
    var lastAutomatic: (model: String, at: WallTime)?
    /// Exchanges that have found it away, and none has met it since: a restart may be over before the next check.
    private var misses = 0
    /// Its checks have found it away, and no exchange has met it since.
    private var isAway = false
    /// It is not asked to count tokens before.
    var countsAfter = Instant(nanoseconds: 0)

    struct Condition: Equatable {
        var state = BackendState.unknown
        var isOpen: Bool
        var isLost = false
        /// The last check's; "" = it was good.
        var reason = ""
    }

    init(_ settings: Configuration.Backend, key: SecretValue?, isDiscovered: Bool = false) {
        self.settings = settings
        self.key = key
        self.isDiscovered = isDiscovered
        identity = BackendIdentity(name: settings.name, url: settings.url, key: key)
        filter = ModelFilter(settings.models)
        condition = Condition(isOpen: settings.maxConcurrent == nil)
        profile = .openaiCompatible
        profile = chosenProfile
    }

    var name: String { settings.name }
    /// Without trailing slash and `/v1`.
    var url: String { settings.url }

    /// The type to speak to it as.
    var type: Configuration.BackendType {
        settings.type(found: foundType)
    }

    var isDown: Bool { condition.state == .down }

    /// There is nothing more to wait for: it has told what it has, or that it is away.
    var isSettled: Bool { models != nil || isDown }

    private var chosenProfile: Profile { Profile(settings, found: foundType, speaking: foundDialect) }

    // MARK: News

    /// Takes a part of what it is and has; true when that is whole now.
    mutating func take(_ part: ListingPart) -> Bool {
        if part.isFirst { parts = [] }
        parts += part.models.prefix(ListingPart.maximumModels - parts.count)
        guard part.isLast else { return false }
        foundType = Configuration.BackendType(rawValue: part.type)
        foundDialect = Dialect(rawValue: part.dialect)
        profile = chosenProfile
        let whole = ListedModels(parts)
        parts = []
        if models != whole { models = whole }
        return true
    }

    mutating func take(_ new: BackendCondition) {
        let wasDown = isDown
        condition = Condition(
            state: new.state, isOpen: new.isOpen, isLost: new.isLost, reason: new.reason)
        if isDown { seenDownAt = .now() }
        isAway = isDown && (isAway || !wasDown)
        if wasDown, !isDown { misses = 0 }
    }

    mutating func take(_ model: ModelDigest, isOpen: Bool) {
        if isOpen {
            closedModels.remove(model)
        } else if closedModels.count < ListingPart.maximumModels {
            closedModels.insert(model)
        }
    }

    /// Nothing is wrong with it or with this model, and nothing is counted there.
    func isOpen(_ model: String) -> Bool {
        condition.isOpen && (closedModels.isEmpty || !closedModels.contains(ModelDigest(of: model)))
    }

    /// As many exchanges in a row as say that it is not just starting.
    private static let manyMisses = 5

    /// It has been away for so long that waiting for it makes no sense.
    var isGone: Bool { condition.isLost || misses >= Self.manyMisses }

    /// An exchange has found it away.
    mutating func missed() {
        seenDownAt = .now()
        misses = min(misses + 1, Self.manyMisses)
    }

    /// An exchange has met it.
    /// - Returns: when it was last found away, if it was: it has returned.
    mutating func met() -> WallTime? {
        guard misses > 0 || isAway else { return nil }
        misses = 0
        isAway = false
        return seenDownAt
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

    func facts() -> BackendFacts {
        var facts = BackendFacts(name: name, priority: settings.priority, models: models)
        facts.filter = filter
        facts.isDown = isDown
        facts.isLost = condition.isLost
        facts.lastAutomatic = lastAutomatic?.model
        return facts
    }
}

extension Configuration.Backend {
    /// The type to speak to it as.
    func type(found: Configuration.BackendType?) -> Configuration.BackendType {
        type == .auto ? found ?? .openaiCompatible : type
    }
}

extension Profile {
    /// How to speak to a backend, by what was configured and what it turned out to be.
    init(
        _ settings: Configuration.Backend, found: Configuration.BackendType?, speaking foundDialect: Dialect?
    ) {
        let profile = Profile.named(settings.type(found: found).rawValue) ?? .openaiCompatible
        // The configuration's words are the dialects' own; `auto` is none.
        let configured = Dialect(rawValue: settings.dialect.rawValue)
        if let dialect = configured ?? foundDialect ?? profile.ownDialect {
            self = profile.speaking(dialect)
        } else {
            self = profile
        }
    }
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
        let facts = models?.model(called: route.model)
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
