// What routing knows of the backends at one moment: plain values that the registry gathers.

public import Shared

/// One backend.
public struct BackendFacts: Sendable, Equatable {
    public var name: String
    public var priority: Int
    /// Its models as last seen; nil before its first answer.
    public var models: ListedModels?
    /// What it may be asked for.
    public var filter = ModelFilter.all
    /// Its checks fail.
    public var isDown = false
    /// Has not answered for so long that it is not just starting.
    public var isLost = false
    /// The model that `auto` of this backend gave last.
    public var lastAutomatic: String?

    public init(name: String, priority: Int, models: ListedModels?) {
        self.name = name
        self.priority = priority
        self.models = models
    }

    /// The model of this name.
    public func model(named name: String) -> ModelFacts? { models?.model(named: name) }
}

/// All backends, in the order of the configuration, at one moment.
public struct BackendSnapshot: Sendable, Equatable {
    public let backends: [BackendFacts]
    /// The demo answers: nothing is configured and no real backend was ever seen.
    public let isDemo: Bool
    /// The model that `auto` gave last, wherever that was.
    public let lastAutomatic: String?
    /// Indexes by priority, then as in the file. How the backends fare changes nothing: what is to be done about
    /// that is decided for the whole service, not here.
    public let order: [Int]

    public init(backends: [BackendFacts], isDemo: Bool = false, lastAutomatic: String? = nil) {
        self.backends = backends
        self.isDemo = isDemo
        self.lastAutomatic = lastAutomatic
        order = backends.indices.sorted { left, right in
            let (a, b) = (backends[left].priority, backends[right].priority)
            return a == b ? left < right : a > b
        }
    }

    /// What `auto` means: what it gave last, while a backend lists that and is not down; else the usual model of
    /// the first one that is not down. Whatever else is loaded meanwhile changes nothing, or two models would
    /// displace each other. Nil when no backend has a model.
    public var automaticModel: String? {
        // When all are down, it is what they would give.
        automaticModel(of: order.filter { !backends[$0].isDown }) ?? automaticModel(of: order)
    }

    private func automaticModel(of indexes: [Int]) -> String? {
        if let lastAutomatic, indexes.contains(where: { backends[$0].model(named: lastAutomatic) != nil }) {
            return lastAutomatic
        }
        return indexes.lazy.compactMap { automaticModel(at: $0)?.id }.first
    }

    /// What `auto` means at this one backend: what it gave there last, else what it gives elsewhere, else the
    /// backend's usual model.
    public func automaticModel(at index: Int) -> ModelFacts? {
        let backend = backends[index]
        return backend.lastAutomatic.flatMap { backend.models?.model(called: $0) }
            ?? lastAutomatic.flatMap { backend.model(named: $0) } ?? backend.models?.usual
    }
}
