// What a failing backend means: its answer, its words and the end of its connection to a cause. Pure.

import JSON

extension UpstreamFault {
    /// Seconds to wait for a backend that is starting or busy.
    static let busyDelay = 5

    /// An answer with an error status, or an answer of 200 that is no answer.
    /// - Parameters:
    ///   - model: as the client named it.
    ///   - path: what was asked for below the backend's URL.
    static func answer(
        head: UpstreamHead, body: [UInt8], model: String, path: StaticString = "/v1/chat/completions"
    ) -> UpstreamFault {
        let said = FailureText(body: body)
        guard (300...399).contains(head.status) else {
            let status = (400...599).contains(head.status) ? head.status : 502
            return fault(status: status, said, head, model, path)
        }
        return UpstreamFault(.redirects, status: head.status)
    }

    /// An answer of 200 that is a page or a text: something else listens there, or stands in front of it.
    /// - Parameter place: host and port that were asked.
    static func page(_ body: some Collection<UInt8>, at place: String) -> UpstreamFault {
        let isPage = body.first { !Ascii.isSpace($0) } == UInt8(ascii: "<")
        return UpstreamFault(
            .notAnAPI(.init(isPage: isPage, line: FailureText.openingLine(body), place: place)))
    }

    /// The error in a body or frame that came with status 200; nil if there is none in it.
    static func inside(_ root: JSONNode) -> UpstreamFault? {
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
    private static func status(_ node: JSONNode?) -> UpstreamFault? {
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
        return fault(status: status, said, UpstreamHead(status: 200, contentType: ""))
    }

    /// The text with calls that the backend could not read: Groq shows it (`tool_use_failed`).
    static func unparsedCalls(_ root: JSONNode) -> JSONText? {
        guard let text = root["error"]?["failed_generation"], text.isString, !text.stringRange.isEmpty else {
            return nil
        }
        return JSONText(escaped: text.stringRaw, hasLoneSurrogate: text.hasLoneSurrogate)
    }

    /// An event that is an error by its name, whatever its data.
    static func named(data: ArraySlice<UInt8>) -> UpstreamFault { named(FailureText(body: Array(data))) }

    static func named(_ said: FailureText) -> UpstreamFault {
        fault(status: said.status ?? status(of: said), said, UpstreamHead(status: 200, contentType: ""))
    }

    // MARK: by status

    private static func fault(
        status: Int, _ said: FailureText, _ head: UpstreamHead, _ model: String? = nil,
        _ path: StaticString = "/v1/chat/completions"
    ) -> UpstreamFault {
        UpstreamFault(cause(status, said, head, model, path), status: status, said: said.message)
    }

    private static func cause(
        _ status: Int, _ said: FailureText, _ head: UpstreamHead, _ model: String?, _ path: StaticString
    ) -> Cause {
        if ![401, 402, 403, 429].contains(status), let overflow = said.overflow {
            return .promptTooLong(overflow)
        }
        if status >= 500, said.refusesPictures { return .imagesUnsupported }
        switch status {
        case 400 where said.code == "model_not_found": return missing(said, model, path)
        case 401, 403: return .refusedCredentials
        case 402: return .billing
        case 404: return missing(said, model, path)
        case 405, 406, 415: return .refusedForm
        case 408, 504: return .deadlineExceeded
        case 409: return .conflict
        case 413: return .requestTooLarge
        case 429: return limited(said, head)
        case 503, 529: return busy(said, head)
        case 500, 502...599: return .failed
        default: return .requestRejected
        }
    }

    /// A model that is not there is the client's matter; a path that is not there is ours.
    private static func missing(
        _ said: FailureText, _ model: String?, _ path: StaticString
    ) -> Cause {
        let words = said.message.lowercased()
        // The latter is OpenRouter's: the model is there, but not for such a request.
        guard words.contains("model") || said.code.contains("model") || words.contains("no endpoints found")
        else { return .endpointMissing("\(path)") }
        return .modelMissing(model)
    }

    private static func limited(_ said: FailureText, _ head: UpstreamHead) -> Cause {
        guard said.code != "insufficient_quota", said.type != "insufficient_quota" else { return .billing }
        return .rateLimited(
            retryAfter: RetryAfter.seconds(
                header: head.retryAfter, reset: said.retryDelay ?? head.rateLimitReset,
                message: said.message, now: head.receivedAt))
    }

    private static func busy(_ said: FailureText, _ head: UpstreamHead) -> Cause {
        let seconds = RetryAfter.seconds(
            header: head.retryAfter, reset: said.retryDelay, message: said.message, now: head.receivedAt)
        return .overloaded(retryAfter: seconds ?? busyDelay)
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

extension Failure {
    /// How the transport ended before the answer was whole.
    /// - Parameter hadBytes: some of the answer had come.
    init(_ end: UpstreamEnd, hadBytes: Bool) {
        switch end {
        case .complete: self = .backend(.closedEarly)
        case .broken(let detail) where hadBytes: self = .backend(.brokenConnection(detail: detail))
        case .broken(let detail), .unreachable(let detail):
            self = .backend(.unreachable(detail: detail, isPersistent: false))
        case .misconfigured(let detail): self = .backend(.misconfigured(detail: detail))
        case .timedOut(let limit): self = .backend(.timedOut(limit: limit))
        case .stopped: self = .gateway(.stopping)
        }
    }
}

extension UpstreamEnd {
    /// What became of a reply that this ended before it was whole.
    func outcome(_ failure: Failure, hadBytes: Bool) -> Outcome {
        switch self {
        case .timedOut: .timedOut(failure)
        case .unreachable, .misconfigured, .stopped: .upstreamFailed(failure)
        case .broken where !hadBytes: .upstreamFailed(failure)
        case .broken, .complete: .truncated
        }
    }
}
