// Errors of a backend that speaks the client's own API: its status and words pass, but for what concerns the
// gateway's key and the words on which clients compact. What is not in that API's shape is told as in
// translation. Pure.

import JSON

/// - Parameter Client: the API that client and backend speak.
enum PassthroughFailure<Client: ClientDialect> {
    /// An answer with an error status, or an answer of 200 that is no answer.
    /// - Parameter model: as the client named it.
    static func answer(head: UpstreamHead, body: [UInt8], model: String) -> ClientError {
        if (400...599).contains(head.status), let root = (try? JSONDocument(parsing: body))?.root,
            var error = passed(root, status: head.status)
        {
            // Its own words decide when to try again; nothing is made up beside them.
            error.retryAfter = RetryAfter.seconds(
                header: head.retryAfter, reset: head.rateLimitReset, message: "", now: head.receivedAt)
            if let shouldRetry = head.shouldRetry { error.shouldRetry = shouldRetry }
            return error
        }
        var error = UpstreamFailure.answer(head: head, body: body, model: model, path: Client.path)
        if error.shouldRetry == nil { error.shouldRetry = head.shouldRetry }
        return error
    }

    /// The error in a frame or body that came with status 200; nil if there is none in it.
    static func inside(_ root: JSONNode) -> ClientError? {
        let isError = root["error"] != nil || root["type"]?.stringEquals("error") == true
        guard isError || root["type"] == nil else { return nil }
        return passed(root, status: nil) ?? UpstreamFailure.inside(root)
    }

    /// An event that is an error by its name.
    static func named(data: ArraySlice<UInt8>) -> ClientError {
        let root = (try? JSONDocument(parsing: Array(data)))?.root
        return root.flatMap { passed($0, status: nil) } ?? UpstreamFailure.named(data: data)
    }

    /// An error in the shape of the client's API; nil for others, and for those that are not the client's.
    /// - Parameter status: nil = what the error's type stands for.
    private static func passed(_ root: JSONNode, status: Int?) -> ClientError? {
        guard let node = root["error"], node.isObject, let message = node["message"]?.string,
            !message.isEmpty,
            var error = Client.error(node, in: root, message: message, status: status),
            error.status != 401, error.status != 403
        else { return nil }
        if error.status >= 500, let said = FailureText(json: root), said.refusesPictures { return nil }
        if let overflow = Client.hiddenOverflow(error, node, message: message) {
            return overflow.error(original: message)
        }
        guard Client.isWhole(node) else { return error }
        var object: [UInt8] = []
        object.append(raw: node)
        // It may stand on one line of an event.
        var line: [UInt8] = []
        line.append(oneLine: object)
        error.verbatim = line
        return error
    }
}

extension ClientError.Kind {
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
