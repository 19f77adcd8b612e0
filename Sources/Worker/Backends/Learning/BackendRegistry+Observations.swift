// The registry learns: from exchanges of this worker, and from what the others tell. What is news is told on,
// once.

internal import EventLoop
internal import Routing
internal import Shared
internal import Translation

extension BackendRegistry {
    /// The backend has answered what it was asked after it had refused this for this model.
    func learn(_ index: Int, _ model: String, _ verdicts: FeatureRetry.Verdicts, of conversation: Int) {
        for feature in verdicts.withheld {
            let isPlain = verdicts.plain.contains(feature)
            learn(index, model, lacks: feature, isPlain: isPlain, of: conversation)
        }
        guard let limit = verdicts.outputLimit, let place = place(index, model),
            let observation = observations.learn(place, outputLimit: limit, at: .now())
        else { return }
        log.notice(
            .outputLimited,
            [
                "backend": LogValue(place.backend.name), "model": LogValue(place.model),
                "output_limit": LogValue(limit),
            ])
        tell(observation)
    }

    /// The backend refused this feature for this model, and took the request without it.
    func learn(
        _ index: Int, _ model: String, lacks feature: Feature, isPlain: Bool = true, of conversation: Int = 0
    ) {
        guard let place = place(index, model),
            let observation = observations.learn(
                place, lacks: feature, isPlain: isPlain, of: conversation, at: .now())
        else { return }
        log.notice(
            .featureLacking,
            [
                "backend": LogValue(place.backend.name), "model": LogValue(place.model),
                "feature": LogValue(feature.rawValue),
                "consequence": LogValue(feature.whenLacking),
            ])
        tell(observation)
    }

    /// The backend has answered it: what it had refused before, it takes now.
    func learn(answered prompt: SentPrompt) {
        guard let place = place(prompt.index, prompt.model) else { return }
        let news = observations.learn(place, takes: prompt.features, tokens: prompt.maxTokens, at: .now())
        for observation in news { tell(observation) }
    }

    /// The backend itself has counted the tokens of a prompt.
    func learn(_ prompt: SentPrompt, reported: Int) {
        guard let place = place(prompt.index, prompt.model),
            let text = prompt.estimate.countOfText(
                in: reported, contextWindow: prompt.contextWindow),
            let observation = observations.learn(
                place, reported: text, estimated: prompt.estimate.text, at: .now())
        else { return }
        tell(observation)
    }

    /// The backend read only a part of a prompt, and said nothing: prompts of that size are refused from now
    /// on, as it should have done.
    func learn(_ index: Int, _ model: String, cut: PromptTruncation) {
        guard entries.indices.contains(index) else { return }
        log.notice(
            .promptTruncation,
            [
                "backend": LogValue(entries[index].name), "model": LogValue(model),
                "estimated_tokens": LogValue(cut.estimated), "evaluated_tokens": LogValue(cut.evaluated),
            ])
        entries[index].remember(cut, of: model)
    }

    /// A request goes this way. What `auto` has given it goes on giving, in all workers.
    func gave(_ route: Route) {
        guard let automatic = route.automatic, case .backend(let index) = route.destination,
            entries.indices.contains(index)
        else { return }
        let key = ModelKey(backend: BackendID(entries[index].name), model: route.model)
        let fact: ModelObservation.Fact
        switch automatic {
        case .service:
            let last = lastAutomatic?.model
            guard last.map(ModelName.folded) != ModelName.folded(route.model) else { return }
            fact = .automatic
        case .backend:
            guard entries[index].lastAutomatic?.model != route.model else { return }
            fact = .chosen
        }
        let observation = ModelObservation(key, fact, learntAt: .now())
        if take(observation) { tell(observation) }
    }

    /// True when it was news.
    @discardableResult
    func take(_ observation: ModelObservation) -> Bool {
        guard observations.take(observation, at: .now()) else { return false }
        let (model, moment) = (observation.key.model, observation.learntAt)
        // Of several that were told crosswise all workers take the same: the newest.
        switch observation.fact {
        case .automatic:
            if lastAutomatic.map({ $0.at.nanoseconds <= moment.nanoseconds }) ?? true {
                lastAutomatic = (model, moment)
                changed()
            }
        case .chosen:
            guard let index = entries.firstIndex(where: { $0.name == observation.key.backend.name }) else {
                break
            }
            if entries[index].lastAutomatic.map({ $0.at.nanoseconds <= moment.nanoseconds }) ?? true {
                entries[index].lastAutomatic = (model, moment)
                changed()
            }
        case .lacks, .output, .tokens: break
        }
        return true
    }

    /// It was away at that moment and is back, perhaps updated or with other options: what it refused before is
    /// asked again.
    func returned(_ index: Int, awayAt moment: WallTime) {
        guard entries.indices.contains(index) else { return }
        pauseCounting(index, for: .zero)
        entries[index].promptCuts = [:]
        let backend = BackendID(entries[index].name)
        observations.forgetVerdicts(of: backend, before: moment, at: .now())
        environment.forgot(backend, moment)
    }

    private func place(_ index: Int, _ model: String) -> ModelKey? {
        entries.indices.contains(index) ? .init(backend: BackendID(entries[index].name), model: model) : nil
    }

    private func tell(_ observation: ModelObservation) { environment.learnt(observation) }
}

/// A prompt that was sent to a backend, and how many tokens we think it has.
struct SentPrompt: Sendable {
    let index: Int
    let model: String
    let contextWindow: Int?
    let estimate: PromptEstimate
    /// What it asks for that a model may not take.
    var features: Set<Feature> = []
    var maxTokens = 0

    init(_ access: BackendAccess, _ call: UpstreamCall) {
        self.init(access, call.estimate)
        features = call.plan.features
        maxTokens = call.plan.maxTokens
    }

    init(_ access: BackendAccess, _ estimate: PromptEstimate) {
        index = access.index
        model = access.target.model
        contextWindow = access.target.contextWindow
        self.estimate = estimate
    }
}

extension LogEvent {
    static let promptTruncation = LogEvent(
        "backend read only a part of a prompt; prompts of its size are refused from now on",
        id: "3b0c7f3b0a4e4a0f9d0e5b7a61c2d948")
    static let outputLimited = LogEvent(
        "model gives fewer tokens than it was asked for; no more are asked of it from now on",
        id: "6e1f7a4b0d5c4c1f8f6b9a2d3e70c815")
    static let featureLacking = LogEvent(
        "model does not take a feature; it is asked without from now on",
        id: "d1c8c3a51f6b4b0c9a3de7c0b25f8e64")
}
