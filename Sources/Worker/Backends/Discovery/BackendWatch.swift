// What the prober makes of one backend's answers over time: what to tell, and when to ask again. Pure; the time
// is given.

internal import EventLoop
internal import Routing
internal import Shared
internal import Translation

struct BackendWatch {
    /// What is told of one round.
    struct News: Equatable {
        /// What it is and has; nil when that was told before.
        var listing: [ListingPart]?
        var check: CheckResult
        /// It is back: since this moment at the latest it was away.
        var awayAt: WallTime?
        /// It turned out to cut long prompts without a word.
        var beginsToCut = false
    }

    private let number: BackendNumber
    private let settings: Configuration.Backend
    private let health: Configuration.Health
    private var type: Configuration.BackendType?
    private var dialect: Dialect?
    private var models: ListedModels?
    /// Whether that was told by this worker.
    private var isTold = false
    /// The last round's; nil before.
    private var isGood: Bool?
    /// Rounds in a row with the same result.
    private var streak = 0
    private var seenDownAt: WallTime?

    /// - Parameter entry: what this worker was told of it until now, perhaps by another prober.
    init(_ entry: BackendEntry, _ number: BackendNumber, _ health: Configuration.Health) {
        self.number = number
        self.health = health
        settings = entry.settings
        type = entry.foundType
        dialect = entry.foundDialect
        models = entry.models
        seenDownAt = entry.seenDownAt
        if entry.isDown {
            isGood = false
        } else if entry.models != nil {
            isGood = true
        }
    }

    /// Who it is, is asked again only after it was away: something else may listen there now.
    var typeToAsk: Configuration.BackendType {
        if settings.dialect == .ollama { return .ollama }
        guard settings.type == .auto else { return settings.type }
        return isGood == true ? type ?? .auto : .auto
    }

    /// - Parameter dialect: what an unknown server turned out to speak, if it was asked who it is.
    mutating func take(_ finding: ProbeFinding, speaking dialect: Dialect?, at now: WallTime) -> News {
        let wasGood = isGood
        let wasUnknown = typeToAsk == .auto
        switch finding {
        case .up(let type, let found):
            let cutBefore = models != nil && profile.cutsPrompts
            note(true)
            let told = (self.type, self.dialect, models)
            self.type = type
            if wasUnknown { self.dialect = dialect }
            let listed = windows(found)
            // Usually nothing has changed, and lists may be long.
            if models?.all != listed { models = ListedModels(listed) }
            let isNews = !isTold || told != (self.type, self.dialect, models)
            isTold = true
            return News(
                listing: isNews ? parts : nil, check: .good,
                awayAt: wasGood == false ? seenDownAt ?? now : nil,
                beginsToCut: profile.cutsPrompts && !cutBefore)
        case .down(let reason), .unrecognised(let reason):
            note(false)
            seenDownAt = now
            return News(check: .bad(reason: reason.cut(to: CheckResult.longestReason)))
        }
    }

    private mutating func note(_ good: Bool) {
        streak = isGood == good ? min(streak + 1, 1000) : 1
        isGood = good
    }

    private var profile: Profile { Profile(settings, found: type, speaking: dialect) }

    /// What the service counts is certain: more rounds of the same result would change nothing.
    private var isCertain: Bool { streak >= (isGood == true ? health.rise : health.fall) }

    /// Until the next round.
    /// - Parameter hasMore: it was not asked about all of its models.
    func pace(hasMore: Bool) -> Duration {
        if hasMore || !isCertain { return ProbePace.doubt }
        guard isGood == true else { return min(health.interval, ProbePace.absent) }
        return settings.type(found: type).isHosted ? max(health.interval, ProbePace.remote) : health.interval
    }

    /// The windows that Ollama is asked for are decided here, once for all workers, and stay as they are: two
    /// windows for one model would load it anew with every request.
    private func windows(_ found: [ModelFacts]) -> [ModelFacts] {
        guard profile.asksWindow else { return found }
        return found.map { model in
            var model = model
            let before = models?.model(called: model.id).flatMap {
                OllamaWindow.isFirm($0) ? $0.contextWindow : nil
            }
            model.contextWindow = OllamaWindow.decided(settings.contextWindow, model, before: before)
            return model
        }
    }

    private var parts: [ListingPart] {
        let all = (models?.all ?? []).prefix(ListingPart.maximumModels)
        let starts = all.isEmpty ? [0] : Array(stride(from: 0, to: all.count, by: ListingPart.models))
        let type = settings.type == .auto ? type?.rawValue ?? "" : ""
        let dialect = settings.dialect == .auto ? dialect?.rawValue ?? "" : ""
        return starts.map { start in
            let models = all.dropFirst(start).prefix(ListingPart.models)
            return ListingPart(
                number, type: type, dialect: dialect, isFirst: start == 0,
                isLast: start + models.count == all.count, models: Array(models))
        }
    }
}

extension String {
    /// At most so many bytes, and no torn character.
    func cut(to bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: bytes)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
