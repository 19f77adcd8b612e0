// What a backend's own description of a model already tells that it does not take, so that it need not refuse
// it first; and in words what a verdict means from then on.

internal import Routing
internal import Shared
internal import Translation

extension ModelFacts {
    /// What the description does not mention is not taken for missing: the first refusal shows it.
    func lacking(for profile: Profile) -> Set<Feature> {
        var features: Set<Feature> = []
        // Some servers bring tools to every model, whatever its template says.
        if usesTools == false, !profile.emulatesTools { features.insert(.tools) }
        if seesImages == false { features.insert(.images) }
        if thinks == false { features.insert(.thinking) }
        return features
    }
}

extension BackendRegistry {
    /// The models of the service with all that is known of them.
    var offer: ModelOffer {
        let now = WallTime.now()
        return ModelOffer(picture: picture) { [entries, observations] index, facts in
            let place = ModelKey(backend: BackendID(entries[index].name), model: facts.id)
            let profile = entries[index].profile
            var knowledge = ModelOffer.Knowledge()
            knowledge.lacking = observations.lacking(place, at: now)
            if !profile.vision { knowledge.lacking.insert(.images) }
            knowledge.taken = observations.taken(place)
            knowledge.outputLimit = observations.outputLimit(place, at: now)
            return knowledge
        }
    }
}

extension Feature {
    /// What becomes of requests that ask for it.
    var whenLacking: String {
        switch self {
        case .thinking: "requests say nothing of thinking"
        case .tools: "tools are left out, earlier calls are told as text"
        case .toolChoice: "a choice of tools is asked for in the prompt"
        case .parallelToolCalls: "only the first call of an answer is passed on"
        case .streamOptions: "usage is an estimate"
        case .structuredOutput: "schemas of answers stand in the prompt"
        case .images: "images become placeholders"
        case .schemaKeywords: "schemas are simplified"
        case .prefill: "requests that continue an answer are refused"
        case .effort: "thinking is asked for without a level"
        case .sampling: "sampling parameters and stop sequences are left out"
        case .maxTokens: "the length is asked for as max_completion_tokens"
        case .maxCompletionTokens: "the length is asked for as max_tokens"
        }
    }
}
