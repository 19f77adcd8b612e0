// What this worker knows of backends' models beyond what they say of themselves: found out by exchanges,
// its own and those of the other workers. Pure; the time is given. How long verdicts hold says `Verdict`.

internal import EventLoop
internal import Shared
internal import Translation

struct ObservationCache: Sendable {
    /// A ratio is told to the others when it differs from the last one told by more than this part.
    static let worthTelling = 20

    private(set) var book = ObservationStore()
    /// Ratios that have moved since they were told, too little to be told again.
    private var drafts: [ModelKey: TokenRatio] = [:]
    private var suspicions = Suspicions()

    /// Features that are not to be asked of this model.
    func lacking(_ place: ModelKey, at now: WallTime) -> Set<Feature> {
        var features: Set<Feature> = []
        for observation in book.observations(of: place) {
            guard case .lacks(let name, let times) = observation.fact, let feature = Feature(rawValue: name),
                Verdict.holds(times, since: observation.learntAt, at: now)
            else { continue }
            features.insert(feature)
        }
        return features
    }

    /// Features that were refused once, asked for again, and taken.
    func taken(_ place: ModelKey) -> Set<Feature> {
        var features: Set<Feature> = []
        for case .lacks(let name, times: 0) in book.observations(of: place).map(\.fact) {
            if let feature = Feature(rawValue: name) { features.insert(feature) }
        }
        return features
    }

    /// Tokens that this model gives in one answer at most, as it said itself.
    func outputLimit(_ place: ModelKey, at now: WallTime) -> Int? {
        for observation in book.observations(of: place) {
            if case .output(let tokens, let times) = observation.fact,
                Verdict.holds(times, since: observation.learntAt, at: now)
            {
                return Int(tokens)
            }
        }
        return nil
    }

    func tokenRatio(_ place: ModelKey) -> TokenRatio {
        drafts[place] ?? told(place) ?? .unknown
    }

    /// Nil as long as nothing was learnt.
    func told(_ place: ModelKey) -> TokenRatio? {
        for observation in book.observations(of: place) {
            if case .tokens(let count) = observation.fact { return TokenRatio(perThousand: Int(count)) }
        }
        return nil
    }

    // MARK: Learning

    /// A request was refused the feature and answered without it.
    /// - Parameters:
    ///   - isPlain: its words leave no doubt; else another conversation has to be refused the same.
    ///   - conversation: which one it was of.
    /// - Returns: the observation to tell the others; nil when they know, or when it is not sure yet.
    mutating func learn(
        _ place: ModelKey, lacks feature: Feature, isPlain: Bool, of conversation: Int,
        at now: WallTime
    ) -> ModelObservation? {
        guard !lacking(place, at: now).contains(feature) else { return nil }
        let before = book.observations(of: place).lazy.compactMap { observation in
            if case .lacks(feature.rawValue, let times) = observation.fact { times } else { nil }
        }.first
        // What was sure once is not doubted when it is refused again.
        guard
            isPlain || (before ?? 0) > 0
                || suspicions.confirms(place, feature, conversation: conversation)
        else { return nil }
        let times = min((before ?? 0) &+ 1, Self.mostTimes)
        let observation = ModelObservation(
            place, .lacks(feature.rawValue, times: times), learntAt: now)
        return take(observation, at: now) ? observation : nil
    }

    /// The model said how many tokens it gives in one answer, and answered a request for that many.
    mutating func learn(_ place: ModelKey, outputLimit limit: Int, at now: WallTime)
        -> ModelObservation?
    {
        guard outputLimit(place, at: now) != limit, let tokens = UInt32(exactly: limit) else { return nil }
        var times: UInt8 = 0
        for case .output(tokens, let before) in book.observations(of: place).map(\.fact) { times = before }
        let observation = ModelObservation(
            place, .output(tokens: tokens, times: min(times &+ 1, Self.mostTimes)), learntAt: now)
        return take(observation, at: now) ? observation : nil
    }

    /// A request that asked for these features, and for so many tokens, was answered: what was refused once
    /// and asked for again is taken now.
    /// - Returns: observations to tell the others.
    mutating func learn(
        _ place: ModelKey, takes features: Set<Feature>, tokens: Int, at now: WallTime
    )
        -> [ModelObservation]
    {
        let news = book.observations(of: place).compactMap { observation -> ModelObservation.Fact? in
            switch observation.fact {
            case .lacks(let name, let times) where times > 0:
                Feature(rawValue: name).map(features.contains) == true ? .lacks(name, times: 0) : nil
            case .output(let limit, let times) where times > 0 && tokens > limit:
                .output(tokens: limit, times: 0)
            case .lacks, .output, .tokens, .chosen, .automatic: nil
            }
        }
        return news.map { ModelObservation(place, $0, learntAt: now) }.filter { take($0, at: now) }
    }

    /// Beyond it lifetimes do not grow.
    private static let mostTimes: UInt8 = 100

    /// A prompt of `estimated` tokens, by the bare estimate, was counted by the backend itself.
    /// - Returns: the observation to tell the others; nil when it would tell them little.
    mutating func learn(
        _ place: ModelKey, reported: Int, estimated: Int, at now: WallTime
    ) -> ModelObservation? {
        let before = tokenRatio(place)
        let ratio = before.observing(reported: reported, estimated: estimated)
        let known = told(place)
        guard ratio != before || known == nil else { return nil }
        // A prompt too small to teach anything leaves nothing to remember either.
        guard estimated >= TokenRatio.leastEstimate else { return nil }
        let old = (known ?? .unknown).perThousand
        guard known == nil || abs(ratio.perThousand - old) * Self.worthTelling > old else {
            if drafts.count >= ObservationStore.capacity { drafts = [:] }
            drafts[place] = ratio
            return nil
        }
        let observation = ModelObservation(
            place, .tokens(perThousand: UInt32(ratio.perThousand)), learntAt: now)
        return take(observation, at: now) ? observation : nil
    }

    /// True when it was news.
    mutating func take(_ observation: ModelObservation, at now: WallTime) -> Bool {
        guard book.take(observation, at: now) else { return false }
        if case .tokens = observation.fact { drafts[observation.key] = nil }
        return true
    }

    mutating func forgetVerdicts(of backend: BackendID, before moment: WallTime, at now: WallTime) {
        book.forgetRefusals(of: backend, before: moment, at: now)
    }
}
