// Asking the same backend once more, as its refusal said that it could be asked. Pure. No failover: the
// backend is well, and the client has seen nothing yet. What was refused is remembered only once the backend
// has answered what it was asked instead; what was about this request's own history is never remembered.

internal import Translation

struct FeatureRetry {
    /// Rounds in one exchange at most, over all backends that it tries.
    static let limit = 4

    /// What the present backend refused, beyond what was known of it.
    struct Verdicts: Equatable {
        /// In the order of its refusals.
        var withheld: [Feature] = []
        /// Of them those whose words leave no doubt.
        var plain: Set<Feature> = []
        var outputLimit: Int?

        var isEmpty: Bool { withheld.isEmpty && outputLimit == nil }
    }

    private(set) var verdicts = Verdicts()
    /// For this request only.
    private var outputRoom: Int?
    private var remedy: ReasoningRemedy?
    /// What any backend of this exchange was asked without, for the journal.
    private(set) var all: [String] = []
    /// Which conversation the refusals were about.
    private(set) var conversation = 0

    /// Whether to ask again, without what was refused.
    mutating func shouldRetry(without refusal: Refusal, of conversation: Int) -> Bool {
        guard all.count < Self.limit else { return false }
        self.conversation = conversation
        switch refusal {
        case .feature(let feature, let isPlain):
            guard !verdicts.withheld.contains(feature) else { return false }
            verdicts.withheld.append(feature)
            if isPlain { verdicts.plain.insert(feature) }
            all.append(feature.rawValue)
        case .outputLimit(let tokens):
            // Once: a backend that refuses its own number did not mean it.
            guard verdicts.outputLimit == nil else { return false }
            verdicts.outputLimit = tokens
            all.append("max_tokens>\(tokens)")
        case .outputRoom(let tokens):
            guard outputRoom == nil else { return false }
            outputRoom = tokens
            all.append("max_tokens>\(tokens)")
        case .reasoningMissing(let next):
            guard remedy != next else { return false }
            remedy = next
            all.append(next == .filled ? "missing_reasoning" : Feature.thinking.rawValue)
        }
        return true
    }

    var isAmended: Bool { !verdicts.isEmpty || outputRoom != nil || remedy != nil }

    /// The target as the present backend is to be asked.
    func amend(_ target: inout UpstreamTarget) {
        guard isAmended else { return }
        target.lacking.formUnion(verdicts.withheld)
        let limits = [target.outputLimit, verdicts.outputLimit, outputRoom].compactMap(\.self)
        target.outputLimit = limits.min()
        target.reasoningRemedy = remedy
    }

    /// Another backend's model may take what this one does not.
    mutating func reset() {
        verdicts = Verdicts()
        outputRoom = nil
        remedy = nil
    }
}
