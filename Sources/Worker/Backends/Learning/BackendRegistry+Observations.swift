// The registry learns: from exchanges of this worker, and from what the others tell. What is news is told
// on, once, and shows in the report.

internal import EventLoop
internal import Routing
internal import Shared
internal import Translation

extension BackendRegistry: BackendNewsReceiver {
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

    /// Takes what a backend says of its models; what the others would decide otherwise, they are told.
    func list(_ models: [ModelFacts], _ index: Int) {
        let name = entries[index].name
        let news = entries[index].list(models) { [observations] model in
            observations.window(.init(backend: BackendID(name), model: model))
        }
        for (model, window) in news.sorted(by: { $0.key < $1.key }) {
            guard
                let observation = observations.learn(
                    .init(backend: BackendID(name), model: model), window: window, at: .now())
            else { continue }
            environment.learnt(observation)
        }
    }

    /// A request goes this way. What `auto` has given it goes on giving, in all workers.
    func gave(_ route: Route) {
        guard route.isAutomatic, case .backend(let index) = route.destination,
            entries.indices.contains(index), entries[index].lastAutomatic != route.model
        else { return }
        entries[index].lastAutomatic = route.model
        let observation = ModelObservation(
            .init(backend: BackendID(entries[index].name), model: route.model), .chosen, learntAt: .now())
        if observations.take(observation, at: .now()) { tell(observation) }
    }

    /// Another worker has learnt it.
    func learnt(_ observation: ModelObservation) {
        guard observations.take(observation, at: .now()) else { return }
        if observation.fact == .chosen,
            let index = entries.firstIndex(where: { $0.name == observation.key.backend.name })
        {
            entries[index].lastAutomatic = observation.key.model
        }
        if case .window(let tokens) = observation.fact,
            let index = entries.firstIndex(where: { $0.name == observation.key.backend.name })
        {
            entries[index].adopt(window: Int(tokens), of: observation.key.model)
        }
        refreshReport()
    }

    /// Another worker has seen the backend return.
    func capabilitiesInvalidated(of backend: BackendID, before moment: WallTime) {
        if observations.forgetVerdicts(of: backend, before: moment, at: .now()) { refreshReport() }
    }

    /// It was away and is back, perhaps updated or with other options: what it refused before is asked again.
    func returned(_ entry: BackendEntry) {
        if let index = entries.firstIndex(where: { $0.name == entry.name }) {
            pauseCounting(index, for: .zero)
        }
        guard let moment = entry.seenDownAt else { return }
        if observations.forgetVerdicts(of: BackendID(entry.name), before: moment, at: .now()) {
            refreshReport()
        }
        if let index = entries.firstIndex(where: { $0.name == entry.name }) {
            entries[index].promptCuts = [:]
        }
        environment.forgot(BackendID(entry.name), moment)
    }

    private func place(_ index: Int, _ model: String) -> ModelKey? {
        entries.indices.contains(index) ? .init(backend: BackendID(entries[index].name), model: model) : nil
    }

    private func tell(_ observation: ModelObservation) {
        environment.learnt(observation)
        refreshReport()
    }
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
