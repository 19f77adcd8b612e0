// Errors of a backend that speaks the client's own API: its status and words pass, but for what concerns the
// gateway's key and the words on which clients compact. What is not in that API's shape is told as in
// translation. Pure.

import JSON

enum PassthroughFailure {
    /// An answer with an error status, or an answer of 200 that is no answer.
    /// - Parameter model: as the client named it.
    static func answer(head: UpstreamHead, body: [UInt8], model: String, door: ClientAPI) -> ClientError {
        if (400...599).contains(head.status), let root = (try? JSONDocument(parsing: body))?.root,
            var error = passed(root, status: head.status, door)
        {
            // Its own words decide when to try again; nothing is made up beside them.
            error.retryAfter = RetryAfter.seconds(
                header: head.retryAfter, reset: head.rateLimitReset, message: "", now: head.receivedAt)
            if let shouldRetry = head.shouldRetry { error.shouldRetry = shouldRetry }
            return error
        }
        var error = UpstreamFailure.answer(head: head, body: body, model: model, path: door.path)
        if error.shouldRetry == nil { error.shouldRetry = head.shouldRetry }
        return error
    }

    /// The error in a frame or body that came with status 200; nil if there is none in it.
    static func inside(_ root: JSONNode, door: ClientAPI) -> ClientError? {
        let isError = root["error"] != nil || root["type"]?.stringEquals("error") == true
        guard isError || root["type"] == nil else { return nil }
        return passed(root, status: nil, door) ?? UpstreamFailure.inside(root)
    }

    /// An event that is an error by its name.
    static func named(data: ArraySlice<UInt8>, door: ClientAPI) -> ClientError {
        let root = (try? JSONDocument(parsing: Array(data)))?.root
        return root.flatMap { passed($0, status: nil, door) } ?? UpstreamFailure.named(data: data)
    }

    /// An error in the shape of the client's API; nil for others, and for those that are not the client's.
    /// - Parameter status: nil = what the error's type stands for.
    private static func passed(_ root: JSONNode, status: Int?, _ door: ClientAPI) -> ClientError? {
        guard let node = root["error"], node.isObject, let message = node["message"]?.string, !message.isEmpty
        else {
            return nil
        }
        var error: ClientError
        switch door {
        case .messages:
            guard root["type"]?.stringEquals("error") == true,
                let kind = (node["type"]?.string).flatMap(ClientError.Kind.init(rawValue:))
            else { return nil }
            let status = status ?? kind.status
            error = .said(status, kind, message, by: status)
        case .chat:
            if let status = status ?? number(node["code"]) {
                error = .said(status, .init(status: status), message, by: status)
            } else {
                // Told as in translation; with its own words, its own object too.
                guard let told = UpstreamFailure.inside(root), told.message == message else { return nil }
                error = told
            }
        }
        guard error.status != 401, error.status != 403 else { return nil }
        if error.status >= 500, let said = FailureText(json: root), said.refusesPictures { return nil }
        if door == .messages, error.status < 500, !isUnderstood(message),
            let overflow = ContextOverflow(text: message)
        {
            return overflow.error(original: message)
        }
        if door == .chat {
            // Clients of this API look at the code: a full context has one, whatever the backend calls it.
            if node["code"]?.stringEquals("context_length_exceeded") != true,
                let overflow = ContextOverflow(
                    text: message, code: node["code"]?.string ?? "", type: node["type"]?.string ?? "")
            {
                return overflow.error(original: message)
            }
            guard node["type"]?.isString == true else { return error }
        }
        var object: [UInt8] = []
        object.append(raw: node)
        // It may stand on one line of an event: line ends are only white space in JSON.
        error.verbatim = object.filter { $0 != Ascii.lineFeed && $0 != Ascii.carriageReturn }
        return error
    }

    private static func number(_ node: JSONNode?) -> Int? {
        node?.int.flatMap { (400...599).contains($0) ? $0 : nil }
    }

    /// Words on which clients compact, or ask for less.
    private static func isUnderstood(_ message: String) -> Bool {
        let words = message.lowercased()
        return [
            "prompt is too long", "input is too long for requested model",
            "capability_rejected: prompt_too_long",
            "exceed context limit",
        ].contains { words.contains($0) }
    }
}

extension ClientAPI {
    /// Where a backend that speaks this API takes requests.
    var path: StaticString {
        switch self {
        case .messages: "/v1/messages"
        case .chat: "/v1/chat/completions"
        }
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
