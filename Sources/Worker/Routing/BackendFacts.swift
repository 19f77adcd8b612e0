// What routing knows of the backends at one moment: plain values that the registry gathers.

public import Shared

/// One backend.
public struct BackendFacts: Sendable, Equatable {
    public var name: String
    public var priority: Int
    /// Its models as last seen, in its own order; nil before its first answer.
    public var models: [ModelFacts]?
    /// Answers as far as known, and is not being avoided.
    public var isHealthy: Bool
    /// Has not answered for so long that it is not just starting.
    public var isLost = false
    /// The model that `auto` gave last.
    public var lastAutomatic: String?

    public init(
        name: String, priority: Int, models: [ModelFacts]?, isHealthy: Bool, isLost: Bool = false,
        lastAutomatic: String? = nil
    ) {
        self.name = name
        self.priority = priority
        self.models = models
        self.isHealthy = isHealthy
        self.isLost = isLost
        self.lastAutomatic = lastAutomatic
    }

    /// What `auto` means here: what it gave last, while that is listed; at first the loaded model, else the
    /// first that can use tools, else the first. Whatever else is loaded meanwhile changes nothing, or two
    /// models would displace each other.
    public var automaticModel: ModelFacts? {
        guard let models else { return nil }
        if let lastAutomatic, let last = models.first(where: { $0.id == lastAutomatic }) { return last }
        let chat = models.filter(\.isChat)
        return chat.first { $0.isLoaded == true } ?? chat.first { $0.usesTools == true } ?? chat.first
            ?? models.first
    }

    /// The model of this name: as it stands, else without regard to case, else without Ollama's `:latest`.
    public func model(named name: String) -> ModelFacts? {
        guard let models else { return nil }
        if let exact = models.first(where: { $0.id == name }) { return exact }
        let folded = name.lowercased()
        return models.first { $0.id.lowercased() == folded }
            ?? models.first { $0.id.lowercased() == folded + ":latest" }
    }
}

/// All backends, in the order of the configuration, at one moment.
public struct BackendSnapshot: Sendable, Equatable {
    public var backends: [BackendFacts]
    /// The demo answers: nothing is configured and no real backend was ever seen.
    public var isDemo: Bool

    public init(backends: [BackendFacts], isDemo: Bool = false) {
        self.backends = backends
        self.isDemo = isDemo
    }

    /// Indexes in the order in which they are tried: healthy ones first, then by priority, then as in the
    /// file. Unhealthy ones are not left out: when nothing else is there, they are asked.
    public var order: [Int] {
        backends.indices.sorted { left, right in
            let (a, b) = (backends[left], backends[right])
            if a.isHealthy != b.isHealthy { return a.isHealthy }
            return a.priority == b.priority ? left < right : a.priority > b.priority
        }
    }
}
