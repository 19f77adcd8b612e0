// An error as OpenAI's clients read it: their words for kinds and codes, and their statuses where the two
// APIs differ. Clients of that API choose the exception by the status and look at `code` for what they can
// mend.

import JSON

extension ClientError {
    /// The client's key is missing or not one of ours.
    public static let invalidKey = ClientError(401, .authentication, "invalid x-api-key")

    /// `{"message","type","param","code"}`
    func appendChatObject(to out: inout [UInt8]) {
        if let verbatim { return out.append(contentsOf: verbatim) }
        let words = chatWords
        out.append(ascii: "{\"message\":")
        out.appendJSON(words.message)
        out.append(ascii: ",\"type\":")
        out.appendJSON(words.type)
        for (name, value) in [("param", words.parameter), ("code", words.code)] {
            out.append(contentsOf: ",\"\(name)\":".utf8)
            if let value { out.appendJSON(value) } else { out.append(ascii: "null") }
        }
        out.append(UInt8(ascii: "}"))
    }

    private struct ChatWords {
        var message: String
        var type: String
        var parameter: String?
        var code: String?
    }

    private var chatWords: ChatWords {
        if kind == .invalidRequest || kind == .requestTooLarge, let overflow = ContextOverflow(text: message)
        {
            return ChatWords(
                message: overflow.chatMessage(original: message), type: "invalid_request_error",
                parameter: "messages", code: "context_length_exceeded")
        }
        // Clients of this API send it in another field.
        let message = self == .invalidKey ? "Incorrect API key provided, or none." : message
        let (type, code): (String, String?) =
            switch kind {
            case .invalidRequest: ("invalid_request_error", status == 405 ? "method_not_supported" : nil)
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
        return ChatWords(message: message, type: type, parameter: chatParameter, code: chatCode ?? code)
    }
}

extension ContextOverflow {
    /// The sentence by which OpenAI's clients, too, know that a prompt is too long.
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
