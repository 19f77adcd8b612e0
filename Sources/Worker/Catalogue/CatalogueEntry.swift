// One backend in the catalogue: what was configured or discovered, what is known of it, how it fares.

internal import EventLoop
internal import Shared
internal import Translation
internal import Upstream

struct CatalogueEntry {
    let name: String
    /// Without trailing slash and `/v1`.
    let url: String
    let priority: Int
    /// As configured; `.auto` = found out by asking.
    let configuredType: Configuration.BackendType
    /// As configured; `.auto` = the type's own.
    let configuredDialect: Configuration.DialectSetting
    let key: SecretValue?
    let thinkTags: Configuration.ThinkTags
    let holdStatus: Duration?
    let maxConcurrent: Int?
    let isDiscovered: Bool

    /// What it turned out to be.
    var foundType: Configuration.BackendType?
    /// What it turned out to speak, when that is not what its type says.
    var foundDialect: Dialect?
    var models: [ModelFacts]?
    var health = BackendHealth()
    /// When a probe last found it away.
    var seenDownAt: Instant?

    init(_ backend: Configuration.Backend, key: SecretValue?) {
        name = backend.name
        url = backend.url
        priority = backend.priority
        configuredType = backend.type
        configuredDialect = backend.dialect
        self.key = key
        thinkTags = backend.thinkTags
        holdStatus = backend.holdStatus
        maxConcurrent = backend.maxConcurrent
        isDiscovered = false
    }

    init(discovered name: String, url: String, priority: Int) {
        self.name = name
        self.url = url
        self.priority = priority
        configuredType = .auto
        configuredDialect = .auto
        key = nil
        thinkTags = .auto
        holdStatus = nil
        maxConcurrent = nil
        isDiscovered = true
    }

    /// The type to speak to it as.
    var type: Configuration.BackendType {
        configuredType == .auto ? foundType ?? .openaiCompatible : configuredType
    }

    var isDown: Bool {
        if case .down = health.probe { true } else { false }
    }

    /// How to speak to it.
    var profile: Profile {
        var profile = Profile.named(type.rawValue) ?? .openaiCompatible
        if let dialect = Dialect(configuredDialect) ?? foundDialect { profile.dialect = dialect }
        return profile
    }

    func facts(at now: Instant) -> BackendFacts {
        BackendFacts(name: name, priority: priority, models: models, isHealthy: health.isHealthy(at: now))
    }
}

/// What an exchange needs of the backend it goes to.
struct BackendAccess: Sendable {
    /// In the catalogue; with configured backends, that of the configuration.
    let index: Int
    let name: String
    let url: String
    let target: UpstreamTarget
    /// Credentials; nothing else.
    let headers: [UpstreamRequest.Header]
    /// Overrides `timeouts.hold_status`.
    let holdStatus: Duration?
    /// Configured limit of requests in flight over the whole service.
    let maxConcurrent: Int?
}

extension CatalogueEntry {
    func access(_ index: Int, _ route: Route, _ lessons: Lessons, at now: Instant) -> BackendAccess {
        let tags: ThinkTagMode =
            switch thinkTags {
            case .auto: .auto
            case .implicit: .implicit
            case .off: .off
            }
        var target = UpstreamTarget(
            model: route.model, profile: profile, contextWindow: route.contextWindow, thinkTags: tags)
        let place = Lesson.Place(backend: name, model: route.model)
        target.lacking = lessons.lacking(place, at: now)
        target.tokenRatio = lessons.tokenRatio(place)
        return BackendAccess(
            index: index, name: name, url: url, target: target,
            headers: key.map { [.init(key: $0, for: type)] } ?? [],
            holdStatus: holdStatus, maxConcurrent: maxConcurrent)
    }
}

extension UpstreamRequest.Header {
    /// The backend's own key, as its API wants it.
    init(key: SecretValue, for type: Configuration.BackendType) {
        self =
            type == .anthropic
            ? key.revealed { .init("x-api-key", $0) }
            : key.revealed { .init("authorization", "Bearer \($0)") }
    }
}

extension Dialect {
    /// nil = the type's own.
    init?(_ setting: Configuration.DialectSetting) {
        switch setting {
        case .auto: return nil
        case .openai: self = .openAI
        case .ollama: self = .ollama
        case .anthropic: self = .anthropic
        }
    }
}
