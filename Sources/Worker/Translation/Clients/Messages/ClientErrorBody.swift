// An error as the client reads it, in a response body or in a stream: the same bytes, in its API's shape.

import JSON

extension ClientError {
    /// `{"type":"error","error":{…},"request_id":…}`; for OpenAI clients `{"error":{…}}`.
    public func body(requestID: String, door: ClientAPI = .messages) -> [UInt8] {
        var out: [UInt8] = []
        switch door {
        case .messages:
            out.append(ascii: "{\"type\":\"error\",\"error\":")
            appendObject(to: &out)
            out.append(ascii: ",\"request_id\":")
            out.appendJSON(requestID)
        case .chat:
            out.append(ascii: "{\"error\":")
            appendChatObject(to: &out)
        }
        out.append(UInt8(ascii: "}"))
        return out
    }

    private func appendObject(to out: inout [UInt8]) {
        if let verbatim { return out.append(contentsOf: verbatim) }
        out.append(ascii: "{\"type\":")
        out.appendJSON(kind.rawValue)
        out.append(ascii: ",\"message\":")
        out.appendJSON(message)
        if let code {
            out.append(ascii: ",\"details\":{\"error_code\":")
            out.appendJSON(code)
            out.append(UInt8(ascii: "}"))
        }
        out.append(UInt8(ascii: "}"))
    }

    static func compressed(_ head: UpstreamHead) -> ClientError {
        .backend(
            502, .api,
            "sent an answer that is compressed (\(Excerpt.shown(head.contentEncoding))), which was not asked for.",
            shouldRetry: false)
    }

    static let answerTooLarge = ClientError.backend(
        502, .api, "sent an answer larger than this gateway reads.", shouldRetry: false)

    /// Not quoted: half an answer belongs in no error message.
    static let answerUnreadable = ClientError.backend(502, .api, "sent an answer that cannot be read.")
}
