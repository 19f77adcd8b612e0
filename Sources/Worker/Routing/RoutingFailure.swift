// Why a request goes nowhere. What its client is told of that is not decided here.

internal import Shared

public enum RoutingFailure: Error, Sendable, Equatable {
    /// Backends are known, and none has this model.
    case unknownModel(String, Hint)
    /// No backend has told its models yet, or there is none.
    case nothingToServe(isConfigured: Bool)
    /// These backends answer and have no model to offer.
    case noModels([String])
    /// None of these backends has answered for a long time.
    case lost([String])

    /// What may have been meant by an unknown name.
    public enum Hint: Sendable, Equatable {
        case nearest(String)
        /// The first names that are known, and whether there are more.
        case some([String], more: Bool)
    }

    /// Names that are compared with an unknown one.
    private static let comparedNames = 512
    /// Names that are told instead.
    private static let listedNames = 5

    static func unknownModel(_ name: String, known: [String]) -> RoutingFailure {
        if let nearest = nearest(to: name, among: known.prefix(comparedNames)) {
            return .unknownModel(name, .nearest(nearest))
        }
        var names: [String] = []
        for id in known where !names.contains(id) {
            guard names.count < listedNames else { return .unknownModel(name, .some(names, more: true)) }
            names.append(id)
        }
        return .unknownModel(name, .some(names, more: false))
    }

    /// Near enough to be meant: at most a third of the asked name's letters are other ones.
    private static func nearest(to name: String, among known: some Sequence<String>) -> String? {
        let asked = ModelName.folded(name)
        let limit = asked.utf8.count / 3
        var best: (name: String, edits: Int)?
        for id in known {
            let candidate = ModelName.folded(id)
            guard abs(candidate.utf8.count - asked.utf8.count) <= limit,
                let edits = Nearest.distance(asked, candidate), edits <= limit
            else { continue }
            if let best, best.edits <= edits { continue }
            best = (id, edits)
        }
        return best?.name
    }

    /// No backend has a model.
    static func nothing(in picture: BackendSnapshot) -> RoutingFailure {
        let backends = picture.backends
        // One that has not told its models yet may have any.
        guard !backends.isEmpty, !backends.contains(where: { $0.models == nil && !$0.isLost }) else {
            return .nothingToServe(isConfigured: !backends.isEmpty)
        }
        let empty = backends.filter { $0.models != nil && !$0.isLost }
        return empty.isEmpty ? .lost(backends.map(\.name)) : .noModels(empty.map(\.name))
    }
}
