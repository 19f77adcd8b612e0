// What routing knows of the backends at one moment: plain values that the registry gathers.

/// One model as its backend lists it.
public struct ModelFacts: Sendable, Equatable {
    /// The name that the backend knows it by.
    public var id: String
    /// The window in force, in tokens; nil when the backend does not say. Never the model's theoretical
    /// one where the backend cuts earlier.
    public var contextWindow: Int?
    /// Whether it is in memory now; nil when the backend does not say.
    public var isLoaded: Bool?
    /// nil = unknown.
    public var usesTools: Bool?
    public var seesImages: Bool?
    public var thinks: Bool?
    /// The window that the model could have at most, in tokens; of Ollama, where it is decided by the caller.
    public var limit: Int?
    /// The window that it is loaded with now, and the one that its Modelfile asks for. Of Ollama.
    public var loadedWindow: Int?
    public var presetWindow: Int?
    /// Tokens that it gives in one answer at most; nil when the backend does not say.
    public var outputLimit: Int?
    /// Ollama only passes requests on to another service.
    public var isRemote = false
    /// Seconds since 1970; nil when the backend does not say.
    public var created: Int?
    /// False for embedding, ranking and speech models, which `auto` passes over.
    public var isChat = true

    public init(id: String, contextWindow: Int? = nil, isLoaded: Bool? = nil, usesTools: Bool? = nil) {
        self.id = id
        self.contextWindow = contextWindow
        self.isLoaded = isLoaded
        self.usesTools = usesTools
    }
}

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
