// What a client is told when its request fails, before it is written in the words of its API.

/// An error for the client, in Anthropic's shape. Before the first byte it is a status and a JSON body,
/// afterwards an SSE `error` event.
public struct ClientError: Error, Sendable, Equatable {
    public enum Kind: String, Sendable {
        case invalidRequest = "invalid_request_error"
        case authentication = "authentication_error"
        case billing = "billing_error"
        case permission = "permission_error"
        case notFound = "not_found_error"
        case conflict = "conflict_error"
        case requestTooLarge = "request_too_large"
        case rateLimit = "rate_limit_error"
        case timeout = "timeout_error"
        case api = "api_error"
        case overloaded = "overloaded_error"
    }

    public var status: Int
    public var kind: Kind
    public var message: String
    /// `details.error_code`: the API's name of a case that clients tell apart.
    public var code: String?
    /// `retry-after`, whole seconds.
    public var retryAfter: Int?
    /// `x-should-retry`.
    public var shouldRetry: Bool?
    /// The `error` object as a backend that speaks the client's API wrote it, JSON text on one
    /// line; nil = `kind` and
    /// `message` say it all.
    public var verbatim: [UInt8]?
    /// OpenAI's `param`: which field of the request is meant.
    public var chatParameter: String?
    /// OpenAI's `code`, where the kind alone does not say it.
    public var chatCode: String?
    /// What of the message the journal may keep: our own words. Nil = it is another's.
    public var noted: String?
    /// The message begins with "The backend", whose name is still to be put in.
    var isAboutBackend = false

    /// - Parameters:
    ///   - retryAfter: brought to 1…60: clients give a turn up at once for more.
    ///   - shouldRetry: nil = what the kind stands for.
    public init(
        status: Int, kind: Kind, message: String, retryAfter: Int? = nil, shouldRetry: Bool? = nil
    ) {
        self.status = status
        self.kind = kind
        self.message = message
        self.retryAfter = retryAfter.map { min(max($0, 1), Self.longestRetry) }
        self.shouldRetry = shouldRetry ?? (kind.isFinal ? false : nil)
    }

    /// Seconds in `retry-after` at most.
    static let longestRetry = 60
}

extension ClientError.Kind {
    /// The same request will fail again, whenever it is sent: said to clients that would try for minutes.
    public var isFinal: Bool {
        switch self {
        case .invalidRequest, .authentication, .billing, .permission, .notFound, .requestTooLarge: true
        case .conflict, .rateLimit, .timeout, .api, .overloaded: false
        }
    }
}
