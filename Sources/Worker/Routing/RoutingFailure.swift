// Why a request goes nowhere, and what its client is told.

internal import Translation

enum RoutingFailure: Error, Sendable, Equatable {
    /// Backends are known, and none has this model.
    case unknownModel(String, nearest: String?)
    /// No backend has told its models yet, or there is none.
    case nothingToServe(isConfigured: Bool)

    /// Longest part of a requested name that is repeated to the client, in characters.
    private static let shownName = 120
    /// A backend may be starting: clients ask again after this many seconds.
    private static let retrySeconds = 5

    var clientError: ClientError {
        switch self {
        case .unknownModel(let name, let nearest):
            let hint = nearest.map { "; the nearest is \($0)" } ?? ""
            return ClientError(
                status: 404, kind: .notFound,
                message: "model: \(name.prefix(Self.shownName)) is not known\(hint)",
                shouldRetry: false)
        case .nothingToServe(let isConfigured):
            let message =
                isConfigured
                ? "no backend is answering now; it may be starting"
                : "no backend is answering on its usual port; start one or configure it"
            return ClientError(
                status: 529, kind: .overloaded, message: message, retryAfter: Self.retrySeconds)
        }
    }
}
