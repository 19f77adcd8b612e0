// Classes of errors, by the names that the Messages API gives them; the journal uses them too.

public enum ErrorKind: String, Sendable {
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

extension ErrorKind {
    /// The same request will fail again, whenever it is sent: said to clients that would try for minutes.
    var isFinal: Bool {
        switch self {
        case .invalidRequest, .authentication, .billing, .permission, .notFound, .requestTooLarge: true
        case .conflict, .rateLimit, .timeout, .api, .overloaded: false
        }
    }

    /// The status that the API gives errors of this kind.
    var status: Int {
        switch self {
        case .invalidRequest: 400
        case .authentication: 401
        case .billing: 402
        case .permission: 403
        case .notFound: 404
        case .conflict: 409
        case .requestTooLarge: 413
        case .rateLimit: 429
        case .api: 500
        case .timeout: 504
        case .overloaded: 529
        }
    }

    /// The kind of an error with this status.
    init(status: Int) {
        switch status {
        case 401: self = .authentication
        case 402: self = .billing
        case 403: self = .permission
        case 404: self = .notFound
        case 409: self = .conflict
        case 413: self = .requestTooLarge
        case 429: self = .rateLimit
        case 408, 504: self = .timeout
        case 503, 529: self = .overloaded
        case 500...: self = .api
        default: self = .invalidRequest
        }
    }
}
