// A failure as OpenAI's clients read it: their words for kinds and codes, and their statuses where the two
// APIs differ. Clients of that API choose the exception by the status and look at `code` for what they can
// mend.

import JSON

extension ChatDialect {
    static func error(of failure: Failure) -> ClientError {
        let terms = failure.terms
        let object = failure.object(for: .chat)
        let (type, code) = words(terms)
        var error = ClientError(
            .chat, terms, status: status(terms.status, isOwn: object != nil), type: type)
        error.object = object
        error.code = code
        switch failure {
        case .request(.malformed(let complaint)):
            error.parameter = complaint.parameter
            error.code = complaint.code ?? code
        case .request(.unknownPath), .request(.futureEndpoint): error.code = "unknown_url"
        // Clients of this API send it in another field.
        case .request(.invalidKey): error.message = "Incorrect API key provided, or none."
        case .request(.promptTooLong(let tokens, let window)):
            error.become(ContextOverflow(input: tokens, limit: window))
        case .upstream(let fault):
            if case .promptTooLong(let overflow) = fault.cause { error.become(overflow) }
        case .request, .routing, .gateway: break
        }
        return error
    }

    /// OpenAI knows neither 529 nor 402.
    /// - Parameter isOwn: the backend's own object goes with it, and so does its status.
    private static func status(_ status: Int, isOwn: Bool) -> Int {
        switch status {
        case 529: 503
        case 402 where !isOwn: 429
        default: status
        }
    }

    private static func words(_ terms: FailureTerms) -> (type: String, code: String?) {
        switch terms.kind {
        case .invalidRequest: ("invalid_request_error", terms.status == 405 ? "method_not_supported" : nil)
        case .authentication: ("invalid_request_error", "invalid_api_key")
        case .billing: ("insufficient_quota", "insufficient_quota")
        case .permission: ("invalid_request_error", "permission_denied")
        case .notFound: ("invalid_request_error", "model_not_found")
        case .conflict: ("invalid_request_error", "conflict")
        case .requestTooLarge: ("invalid_request_error", "request_too_large")
        case .rateLimit: ("requests", "rate_limit_exceeded")
        case .timeout: ("server_error", "timeout")
        case .api: ("server_error", nil)
        case .overloaded: ("server_error", "server_overloaded")
        }
    }
}

extension ClientError {
    /// `{"message","type","param","code"}`
    func appendChatObject(to out: inout [UInt8]) {
        if let object { return out.append(contentsOf: object) }
        out.append(ascii: "{\"message\":")
        out.appendJSON(message)
        out.append(ascii: ",\"type\":")
        out.appendJSON(type)
        for (name, value) in [("param", parameter), ("code", code)] {
            out.append(contentsOf: ",\"\(name)\":".utf8)
            if let value { out.appendJSON(value) } else { out.append(ascii: "null") }
        }
        out.append(UInt8(ascii: "}"))
    }

    /// The words and the code by which OpenAI's clients know that a prompt is too long.
    fileprivate mutating func become(_ overflow: ContextOverflow) {
        message = overflow.chatMessage(original: message)
        type = "invalid_request_error"
        parameter = "messages"
        code = "context_length_exceeded"
    }
}

extension ContextOverflow {
    fileprivate func chatMessage(original: String) -> String {
        guard let limit else {
            return
                "This model's maximum context length is exceeded. Please reduce the length of the messages. "
                + "(\(original))"
        }
        guard let input else {
            return "This model's maximum context length is \(limit) tokens. "
                + "Please reduce the length of the messages."
        }
        guard let output, input < limit else {
            return
                "This model's maximum context length is \(limit) tokens. However, your messages resulted in "
                + "\(input) tokens. Please reduce the length of the messages."
        }
        return "This model's maximum context length is \(limit) tokens. However, you requested "
            + "\(input &+ output) tokens (\(input) in the messages, \(output) in the completion). "
            + "Please reduce the length of the messages or completion."
    }
}
