// What a client is told when its request goes nowhere.

internal import Routing
internal import Translation

extension RoutingFailure {
    /// Longest part of a requested name that is repeated to the client, in characters.
    private static let shownName = 120
    /// A backend may be starting: clients ask again after this many seconds.
    private static let retrySeconds = 5

    var clientError: ClientError {
        switch self {
        case .unknownModel(let name, let hint):
            let name = String(name.prefix(Self.shownName))
            return ClientError(404, .notFound, "model: \(name) is not known; \(Self.words(hint)).")
        case .nothingToServe(let isConfigured):
            return ClientError(
                529, .overloaded,
                isConfigured
                    ? "No backend is answering now; it may be starting."
                    : "No backend is answering on its usual port; start one or configure it.",
                retryAfter: Self.retrySeconds)
        case .noModels(let backends):
            let example = backends.first ?? "backend"
            return ClientError(
                404, .notFound,
                "model: \(Self.subject(backends)) but \(backends.count == 1 ? "lists" : "list") no models; load one there, or ask for `\(example)/MODEL`."
            )
        case .lost(let backends):
            return ClientError(
                502, .api, "No backend has answered for some time: \(Self.list(backends)).",
                shouldRetry: false)
        }
    }

    private static func words(_ hint: Hint) -> String {
        switch hint {
        case .nearest(let name): "the nearest is \(name)"
        case .some(let names, let more):
            "\(more ? "some of those available are" : names.count == 1 ? "available is" : "available are") \(list(names))"
        }
    }

    private static func subject(_ backends: [String]) -> String {
        backends.count == 1
            ? "the backend \(list(backends)) answers" : "the backends \(list(backends)) answer"
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(listedNames).joined(separator: ", ")
        return names.count > listedNames ? shown + ", …" : shown
    }
}
