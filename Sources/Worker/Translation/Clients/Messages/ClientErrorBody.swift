// An error as clients of the Messages API read it, in a response body or in a stream.

import JSON

extension ClientError {
    /// `{"type","message","details"}`
    func appendObject(to out: inout [UInt8]) {
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
