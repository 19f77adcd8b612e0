// What exchanges teach of one backend's model, and what is kept of it: told by the worker that met it, kept
// by the supervisor for the workers to come, known to all. Pure. Holds: names and numbers only, never content;
// of one subject the newest lesson counts; a book never holds more than `capacity`.

/// One thing found out about a model of a backend.
public struct ModelObservation: Sendable, Equatable {
    /// What a lesson is about: a model behind a backend.
    public struct Place: Sendable, Hashable {
        /// The backend's name, configured or found; the same in all workers.
        public let backend: String
        /// As the backend knows it.
        public let model: String

        public init(backend: String, model: String) {
            self.backend = backend
            self.model = model
        }
    }

    public enum Fact: Sendable, Equatable {
        /// The model was refused this feature; its name stands in module Translation. `times` in a row: how long
        /// it is not asked for again grows with them; 0 = it was asked for again, and taken.
        case lacks(String, times: UInt8 = 1)
        /// Tokens that the model gives in one answer at most, with `times` as above.
        case output(tokens: UInt32, times: UInt8 = 1)
        /// Tokens that the backend counts for a thousand that we estimate.
        case tokens(perThousand: UInt32)
        /// The context window in tokens that the model is asked for, where it is not the usual one.
        case window(tokens: UInt32)
        /// `auto` has given this model of the backend.
        case chosen
    }

    public let place: Place
    public let fact: Fact
    /// CLOCK_MONOTONIC in nanoseconds, which all processes of the machine share.
    public let learntAt: UInt64

    public init(_ place: Place, _ fact: Fact, learntAt: UInt64) {
        self.place = place
        self.fact = fact
        self.learntAt = learntAt
    }

    /// Names of backends and models in bytes; what is longer is not remembered.
    public static let longestName = 256
    /// Names of features in bytes.
    public static let longestFeature = 64

    /// Whether it can be told to others.
    public var isTellable: Bool {
        guard place.backend.utf8.count <= Self.longestName, place.model.utf8.count <= Self.longestName else {
            return false
        }
        if case .lacks(let feature, _) = fact { return feature.utf8.count <= Self.longestFeature }
        return true
    }

    fileprivate func hasSubject(of other: ModelObservation) -> Bool {
        switch (fact, other.fact) {
        case (.lacks(let mine, _), .lacks(let others, _)): mine == others
        case (.tokens, .tokens), (.window, .window), (.output, .output), (.chosen, .chosen): true
        case (.lacks, _), (.tokens, _), (.window, _), (.output, _), (.chosen, _): false
        }
    }
}

/// Every lesson that is remembered.
public struct ObservationStore: Sendable {
    /// Lessons kept; beyond it the oldest is forgotten.
    public static let capacity = 1024

    private var pages: [ModelObservation.Place: [ModelObservation]] = [:]
    public private(set) var count = 0

    public init() {}

    /// In no order.
    public var places: some Sequence<ModelObservation.Place> { pages.keys }

    public func lessons(of place: ModelObservation.Place) -> [ModelObservation] { pages[place] ?? [] }

    /// The oldest first; lessons of one moment in the order of their names.
    public var all: [ModelObservation] {
        pages.values.joined().sorted(by: Self.isOlder)
    }

    /// Remembers it. False when what was known already says the same or is newer: there is nothing to tell.
    @discardableResult
    public mutating func take(_ lesson: ModelObservation) -> Bool {
        guard lesson.isTellable else { return false }
        if let index = pages[lesson.place]?.firstIndex(where: { $0.hasSubject(of: lesson) }) {
            guard let known = pages[lesson.place]?[index], known.learntAt <= lesson.learntAt,
                known != lesson
            else { return false }
            pages[lesson.place]?[index] = lesson
            return true
        }
        pages[lesson.place, default: []].append(lesson)
        count += 1
        if count > Self.capacity { dropOldest() }
        return true
    }

    private mutating func dropOldest() {
        guard let oldest = pages.values.joined().min(by: Self.isOlder) else { return }
        let kept = lessons(of: oldest.place).filter { $0 != oldest }
        count -= lessons(of: oldest.place).count - kept.count
        pages[oldest.place] = kept.isEmpty ? nil : kept
    }

    private static func isOlder(_ left: ModelObservation, _ right: ModelObservation) -> Bool {
        (left.learntAt, left.place.backend, left.place.model)
            < (right.learntAt, right.place.backend, right.place.model)
    }

    /// Forgets what the backend's models were found to refuse before that moment: it may have been started
    /// anew with other options. How a model counts tokens and what window it is asked for stays. True when there
    /// was such a lesson.
    @discardableResult
    public mutating func forgetVerdicts(of backend: String, before moment: UInt64) -> Bool {
        let before = count
        drop { lesson in
            switch lesson.fact {
            case .lacks, .output: break
            case .tokens, .window, .chosen: return false
            }
            return lesson.place.backend == backend && lesson.learntAt < moment
        }
        return count < before
    }

    private mutating func drop(where isDropped: (ModelObservation) -> Bool) {
        for (place, lessons) in pages {
            let kept = lessons.filter { !isDropped($0) }
            guard kept.count < lessons.count else { continue }
            count -= lessons.count - kept.count
            pages[place] = kept.isEmpty ? nil : kept
        }
    }
}
