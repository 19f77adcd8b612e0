// What a failing backend means for the client: status, kind, words, whether and when to try again. Pure.

import JSON

enum UpstreamFailure {
    /// Seconds to wait for a backend that is starting or busy.
    private static let busyDelay = 5

    /// An answer with an error status, or an answer of 200 that is no answer.
    /// - Parameters:
    ///   - model: as the client named it.
    ///   - path: what was asked for below the backend's URL.
    static func answer(
        head: UpstreamHead, body: [UInt8], model: String, path: StaticString = "/v1/chat/completions"
    ) -> ClientError {
        let said = FailureText(body: body)
        guard (300...399).contains(head.status) else {
            let status = (400...599).contains(head.status) ? head.status : 502
            return error(status: status, said, head, model, path)
        }
        return .backend(
            502, .api, "redirects elsewhere (\(head.status)): its `url` must be the final address.",
            shouldRetry: false)
    }

    /// An answer of 200 that is a page or a text: something else listens there, or stands in front of it.
    /// - Parameter place: host and port that were asked.
    static func page(_ body: some Collection<UInt8>, at place: String) -> ClientError {
        let line = FailureText.openingLine(body)
        let isPage = body.first { !Ascii.isSpace($0) } == UInt8(ascii: "<")
        let what: ErrorWords = isPage ? "a web page" : "text"
        let words: ErrorWords = line.isEmpty ? what : "\(what) (\(Excerpt.shown(line)))"
        let advice: ErrorWords = place.isEmpty ? "check its `url`." : "check that its API is at \(place)."
        return .backend(502, .api, "answered with \(words) instead of JSON; \(advice)", shouldRetry: false)
    }

    /// The error in a body or frame that came with status 200; nil if there is none in it.
    static func inside(_ root: JSONNode) -> ClientError? {
        if root.isObject {
            guard root["choices"]?.first == nil || root["error"] != nil else { return nil }
            if let failure = status(root["base_resp"]) { return failure }
            let isNamed = root["error"] != nil || root["object"]?.stringEquals("error") == true
            guard
                isNamed || root["detail"] != nil || root["type"]?.stringEquals("error") == true
                    || saysOnlyThat(root)
            else { return nil }
        }
        return FailureText(json: root).map { named($0) }
    }

    /// A message beside a code or `success: false`, and nothing of an answer.
    private static func saysOnlyThat(_ root: JSONNode) -> Bool {
        guard root["choices"] == nil, root["usage"] == nil else { return false }
        let isFailure = root["code"] != nil || root["status_code"] != nil || root["success"]?.bool == false
        return root["errors"]?.first != nil || isFailure && root["message"]?.isString == true
    }

    /// MiniMax puts a code of its own into an answer of 200; 0 is none.
    private static func status(_ node: JSONNode?) -> ClientError? {
        guard let node, let code = OpenAIUsage.integer(node["status_code"]), code != 0 else { return nil }
        var said = FailureText(body: [])
        said.message = node["status_msg"]?.string ?? "status_code \(code)"
        let status =
            switch code {
            case 1002, 1039, 1041, 2045: 429
            case 1004, 2049: 401
            case 1008, 2056: 402
            case 1001: 504
            case 1026, 1027, 1042, 1043, 2013: 400
            default: 500
            }
        return error(status: status, said, UpstreamHead(status: 200, contentType: ""))
    }

    /// The text with calls that the backend could not read: Groq shows it (`tool_use_failed`).
    static func unparsedCalls(_ root: JSONNode) -> JSONText? {
        guard let text = root["error"]?["failed_generation"], text.isString, !text.stringRange.isEmpty else {
            return nil
        }
        return JSONText(escaped: text.stringRaw, hasLoneSurrogate: text.hasLoneSurrogate)
    }

    /// An event that is an error by its name, whatever its data.
    static func named(data: ArraySlice<UInt8>) -> ClientError { named(FailureText(body: Array(data))) }

    static func named(_ said: FailureText) -> ClientError {
        error(status: said.status ?? status(of: said), said, UpstreamHead(status: 200, contentType: ""))
    }

    /// How the transport ended before anything was said to the client.
    static func transport(_ end: UpstreamEnd, hadBytes: Bool) -> ClientError {
        switch end {
        case .complete:
            .backend(502, .api, "closed the stream early.")
        case .broken(let detail) where hadBytes:
            .backend(502, .api, sentence("broke the connection", detail))
        case .broken(let detail), .unreachable(let detail):
            .backend(529, .overloaded, sentence("cannot be reached", detail), retryAfter: busyDelay)
        case .misconfigured(let detail):
            .backend(502, .api, sentence("cannot be used as configured", detail), shouldRetry: false)
        case .timedOut(let limit):
            .backend(504, .timeout, "did not answer in time (\(limit)).")
        case .stopped: .stopping
        }
    }

    private static func sentence(_ words: ErrorWords, _ detail: String) -> ErrorWords {
        detail.isEmpty ? words + "." : "\(words): \(Excerpt.said(detail))."
    }

    // MARK: by status

    private static func error(
        status: Int, _ said: FailureText, _ head: UpstreamHead, _ model: String? = nil,
        _ path: StaticString = "/v1/chat/completions"
    ) -> ClientError {
        if ![401, 402, 403, 429].contains(status),
            let overflow = ContextOverflow(
                text: said.message, code: said.code, type: said.type, promptTokens: said.promptTokens,
                window: said.window)
        {
            return overflow.error(original: said.message)
        }
        if status >= 500, said.refusesPictures {
            return .said(400, .invalidRequest, said.firstLine, by: status)
        }
        let message = said.message.isEmpty ? "The backend answered with status \(status)." : said.message
        switch status {
        case 400 where said.code == "model_not_found": return notFound(said, message, model, path)
        case 401, 403:
            return .backend(
                502, .api, "rejected the gateway's credentials: check its key in the configuration.",
                shouldRetry: false)
        case 402: return billing(message, status)
        case 404: return notFound(said, message, model, path)
        case 405, 406, 415:
            return .backend(
                500, .api, "refused the request (\(status)): \(Excerpt.said(message)).", shouldRetry: false)
        case 408, 504: return .said(504, .timeout, message, by: status)
        case 409: return .said(409, .conflict, message, by: status)
        case 413: return .said(413, .requestTooLarge, withoutWindow(message), by: status)
        case 429: return limited(said, message, head)
        case 503, 529: return busy(said, message, head, status)
        case 500, 502...599: return broken(status, said)
        default: return .said(400, .invalidRequest, message, by: status)
        }
    }

    private static func billing(_ message: String, _ status: Int) -> ClientError {
        .said(402, .billing, message, by: status)
    }

    /// A model that is not there is the client's matter; a path that is not there is ours.
    private static func notFound(
        _ said: FailureText, _ message: String, _ model: String?, _ path: StaticString
    ) -> ClientError {
        let words = said.message.lowercased()
        // The latter is OpenRouter's: the model is there, but not for such a request.
        guard words.contains("model") || said.code.contains("model") || words.contains("no endpoints found")
        else {
            return .backend(502, .api, "has no \(path) (404).", shouldRetry: false)
        }
        return model.map { .noModel($0, message) } ?? .said(404, .notFound, message, by: 404)
    }

    private static func limited(_ said: FailureText, _ message: String, _ head: UpstreamHead) -> ClientError {
        guard said.code != "insufficient_quota", said.type != "insufficient_quota" else {
            return billing(message, 429)
        }
        return .said(
            429, .rateLimit, message, by: 429,
            retryAfter: RetryAfter.seconds(
                header: head.retryAfter, reset: said.retryDelay ?? head.rateLimitReset, message: message,
                now: head.receivedAt))
    }

    private static func busy(
        _ said: FailureText, _ message: String, _ head: UpstreamHead, _ status: Int
    ) -> ClientError {
        let seconds = RetryAfter.seconds(
            header: head.retryAfter, reset: said.retryDelay, message: message, now: head.receivedAt)
        return .said(
            529, .overloaded, said.firstLine.isEmpty ? message : said.firstLine, by: status,
            retryAfter: seconds ?? busyDelay, shouldRetry: true)
    }

    private static func broken(_ status: Int, _ said: FailureText) -> ClientError {
        let line = said.firstLine
        let isOwn = status == 500
        if isOwn, !line.isEmpty { return .said(500, .api, line, by: status) }
        return .backend(
            isOwn ? 500 : 502, .api,
            line.isEmpty
                ? "answered with status \(status)." : "answered with status \(status): \(Excerpt.said(line))."
        )
    }

    /// Clients take 413 with these words for a full context.
    private static func withoutWindow(_ message: String) -> String {
        message.lowercased().contains("context window")
            ? "The backend refused a request of this size." : message
    }

    /// A status for an error that names none.
    private static func status(of said: FailureText) -> Int {
        let words = (said.type + " " + said.code).lowercased()
        for (word, status) in statuses where words.contains(word) { return status }
        return 500
    }

    private static let statuses = [
        ("overloaded", 503), ("unavailable", 503), ("rate_limit", 429), ("insufficient_quota", 429),
        ("invalid_request", 400), ("badrequest", 400), ("bad_request", 400), ("tool_use_failed", 400),
        ("invalidparameter", 400), ("invalid_parameter", 400), ("throttling", 429),
        ("resource_exhausted", 429),
        ("authentication", 401),
        ("permission", 403), ("not_found", 404), ("notfound", 404), ("timeout", 504),
    ]
}

extension UpstreamEnd {
    /// What became of a reply that this ended before it was whole.
    func outcome(_ error: ClientError, hadBytes: Bool) -> Outcome {
        switch self {
        case .timedOut: .timedOut(error)
        case .unreachable, .misconfigured, .stopped: .upstreamFailed(error)
        case .broken where !hadBytes: .upstreamFailed(error)
        case .broken, .complete: .truncated
        }
    }
}

extension ClientError {
    /// The backend does not know its model; `said` in its words.
    static func noModel(_ model: String, _ said: String) -> ClientError {
        ClientError(404, .notFound, "model: \(model) (\(Excerpt.whole(said)))")
    }

    /// The service ends before the answer does; another instance needs a moment to start.
    public static let stopping = ClientError(
        status: 529, kind: .overloaded, message: "The gateway is being stopped; try again.", retryAfter: 2,
        shouldRetry: true)
}
