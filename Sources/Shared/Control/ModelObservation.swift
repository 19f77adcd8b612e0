// What exchanges teach of one backend's model, and what is kept of it: told by the worker that met it, kept
// by the supervisor for the workers to come, known to all. Pure. Holds: names and numbers only, never
// content; of one subject the newest observation counts; a store never holds more than `capacity`.

/// A model behind a backend.
public struct ModelKey: Sendable, Hashable {
    /// Configured or found; the same in all workers.
    public let backend: BackendID
    /// As the backend knows it.
    public let model: String

    public init(backend: BackendID, model: String) {
        self.backend = backend
        self.model = model
    }
}

/// One thing found out about a model of a backend.
public struct ModelObservation: Sendable, Equatable {
    public enum Fact: Sendable, Equatable {
        /// The model was refused this feature; its name stands in module Translation. `times` in a row: how
        /// long it is not asked for again grows with them; 0 = it was asked for again, and taken.
        case lacks(String, times: UInt8 = 1)
        /// Tokens that the model gives in one answer at most, with `times` as above.
        case output(tokens: UInt32, times: UInt8 = 1)
        /// Tokens that the backend counts for a thousand that we estimate.
        case tokens(perThousand: UInt32)
        /// `auto` of this backend alone has given this model.
        case chosen
        /// `auto` of the whole service has given this model, here.
        case automatic
    }

    public let key: ModelKey
    public let fact: Fact
    public let learntAt: WallTime

    public init(_ key: ModelKey, _ fact: Fact, learntAt: WallTime) {
        self.key = key
        self.fact = fact
        self.learntAt = learntAt
    }

    /// Names of models in bytes; what is longer is not remembered.
    public static let longestName = 256
    /// Names of features in bytes.
    public static let longestFeature = 64

    /// Whether it can be told to others.
    public var isTellable: Bool {
        guard key.backend.name.utf8.count <= BackendID.longestName,
            key.model.utf8.count <= Self.longestName
        else { return false }
        if case .lacks(let feature, _) = fact { return feature.utf8.count <= Self.longestFeature }
        return true
    }

    fileprivate func hasSubject(of other: ModelObservation) -> Bool {
        switch (fact, other.fact) {
        case (.lacks(let mine, _), .lacks(let others, _)): mine == others
        case (.tokens, .tokens), (.output, .output), (.chosen, .chosen), (.automatic, .automatic): true
        case (.lacks, _), (.tokens, _), (.output, _), (.chosen, _), (.automatic, _): false
        }
    }
}

/// Every observation that is remembered. `now` is the reader's wall clock; see `WallTime` for what becomes of
/// observations that are ahead of it.
public struct ObservationStore: Sendable {
    /// Observations kept; beyond it the oldest is forgotten.
    public static let capacity = 1024

    private var pages: [ModelKey: [ModelObservation]] = [:]
    public private(set) var count = 0

    public init() {}

    /// In no order.
    public var keys: some Sequence<ModelKey> { pages.keys }

    public func observations(of key: ModelKey) -> [ModelObservation] { pages[key] ?? [] }

    /// The oldest first; those of one moment in the order of their names.
    public var all: [ModelObservation] {
        pages.values.joined().sorted {
            Self.order($0, $0.learntAt.nanoseconds) < Self.order($1, $1.learntAt.nanoseconds)
        }
    }

    /// Remembers it. False when what was known already says the same or is newer: there is nothing to tell.
    @discardableResult
    public mutating func take(_ observation: ModelObservation, at now: WallTime) -> Bool {
        guard observation.isTellable else { return false }
        let key = observation.key
        if let index = pages[key]?.firstIndex(where: { $0.hasSubject(of: observation) }) {
            guard let known = pages[key]?[index], known != observation,
                known.learntAt.rank(at: now) <= observation.learntAt.rank(at: now)
            else { return false }
            pages[key]?[index] = observation
            return true
        }
        pages[key, default: []].append(observation)
        count += 1
        if count > Self.capacity { dropOldest(at: now) }
        return true
    }

    /// Forgets what the backend's models were found to refuse before that moment: it may have been started
    /// anew with other options. How a model counts tokens and what `auto` gave stays. True when
    /// there was such an observation.
    @discardableResult
    public mutating func forgetRefusals(of backend: BackendID, before moment: WallTime, at now: WallTime)
        -> Bool
    {
        let before = count
        for (key, observations) in pages where key.backend == backend {
            keep(key, observations) { observation in
                switch observation.fact {
                case .tokens, .chosen, .automatic: true
                case .lacks, .output: observation.learntAt.rank(at: now) >= moment.nanoseconds
                }
            }
        }
        return count < before
    }

    private mutating func dropOldest(at now: WallTime) {
        let oldest = pages.values.joined().min {
            Self.order($0, $0.learntAt.rank(at: now)) < Self.order($1, $1.learntAt.rank(at: now))
        }
        guard let oldest else { return }
        keep(oldest.key, observations(of: oldest.key)) { $0 != oldest }
    }

    private mutating func keep(
        _ key: ModelKey, _ observations: [ModelObservation], where isKept: (ModelObservation) -> Bool
    ) {
        let kept = observations.filter(isKept)
        guard kept.count < observations.count else { return }
        count -= observations.count - kept.count
        pages[key] = kept.isEmpty ? nil : kept
    }

    private static func order(_ observation: ModelObservation, _ rank: UInt64) -> (UInt64, String, String) {
        (rank, observation.key.backend.name, observation.key.model)
    }
}
