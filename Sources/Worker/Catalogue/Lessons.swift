// What this worker knows of backends' models beyond what they say of themselves: found out by exchanges,
// its own and those of the other workers. Pure; the time is given. Verdicts end after `verdictLifetime`,
// for a server may be updated without being seen to go away.

internal import EventLoop
internal import Shared
internal import Translation

struct Lessons: Sendable {
    /// How long a feature that was refused is not asked for again.
    static let verdictLifetime = Duration.seconds(6 * 3600)
    /// A ratio is told to the others when it differs from the last one told by more than this part.
    static let worthTelling = 20

    private(set) var book = LessonBook()
    /// Ratios that have moved since they were told, too little to be told again.
    private var drafts: [Lesson.Place: TokenRatio] = [:]

    /// Features that are not to be asked of this model.
    func lacking(_ place: Lesson.Place, at now: Instant) -> Set<Feature> {
        var features: Set<Feature> = []
        for lesson in book.lessons(of: place) {
            guard case .lacks(let name) = lesson.fact, let feature = Feature(rawValue: name),
                now.nanoseconds(since: Instant(nanoseconds: lesson.learntAt))
                    < UInt64(Self.verdictLifetime.wholeNanoseconds)
            else { continue }
            features.insert(feature)
        }
        return features
    }

    func tokenRatio(_ place: Lesson.Place) -> TokenRatio { drafts[place] ?? told(place) ?? .unknown }

    /// Nil as long as nothing was learnt.
    func told(_ place: Lesson.Place) -> TokenRatio? {
        for lesson in book.lessons(of: place) {
            if case .tokens(let count) = lesson.fact { return TokenRatio(perThousand: Int(count)) }
        }
        return nil
    }

    /// The window that this model is asked for by all workers; nil = what each decides on alone.
    func window(_ place: Lesson.Place) -> Int? {
        for lesson in book.lessons(of: place) {
            if case .window(let tokens) = lesson.fact { return Int(tokens) }
        }
        return nil
    }

    /// Models of this backend of which something is known now, by name.
    func places(of backend: String, at now: Instant) -> [Lesson.Place] {
        book.places.filter { place in
            place.backend == backend && (told(place) != nil || !lacking(place, at: now).isEmpty)
        }.sorted { $0.model < $1.model }
    }

    // MARK: Learning

    /// The lesson to tell the others; nil when they know.
    mutating func learn(_ place: Lesson.Place, lacks feature: Feature, at now: Instant) -> Lesson? {
        guard !lacking(place, at: now).contains(feature) else { return nil }
        let lesson = Lesson(place, .lacks(feature.rawValue), learntAt: now.nanoseconds)
        return take(lesson) ? lesson : nil
    }

    /// The window that was decided on, which is not what the others know.
    mutating func learn(_ place: Lesson.Place, window: Int, at now: Instant) -> Lesson? {
        guard self.window(place) != window, let tokens = UInt32(exactly: window) else { return nil }
        let lesson = Lesson(place, .window(tokens: tokens), learntAt: now.nanoseconds)
        return take(lesson) ? lesson : nil
    }

    /// A prompt of `estimated` tokens, by the bare estimate, was counted by the backend itself.
    /// - Returns: the lesson to tell the others; nil when it would tell them little.
    mutating func learn(
        _ place: Lesson.Place, reported: Int, estimated: Int, at now: Instant
    ) -> Lesson? {
        let before = tokenRatio(place)
        let ratio = before.observing(reported: reported, estimated: estimated)
        let known = told(place)
        guard ratio != before || known == nil else { return nil }
        // A prompt too small to teach anything leaves nothing to remember either.
        guard estimated >= TokenRatio.leastEstimate else { return nil }
        let old = (known ?? .unknown).perThousand
        guard known == nil || abs(ratio.perThousand - old) * Self.worthTelling > old else {
            if drafts.count >= LessonBook.capacity { drafts = [:] }
            drafts[place] = ratio
            return nil
        }
        let lesson = Lesson(
            place, .tokens(perThousand: UInt32(ratio.perThousand)), learntAt: now.nanoseconds)
        return take(lesson) ? lesson : nil
    }

    /// True when it was news.
    mutating func take(_ lesson: Lesson) -> Bool {
        guard book.take(lesson) else { return false }
        if case .tokens = lesson.fact { drafts[lesson.place] = nil }
        return true
    }

    mutating func forgetVerdicts(of backend: String, before moment: UInt64) -> Bool {
        book.forgetVerdicts(of: backend, before: moment)
    }
}
