// A failure as clients of the Messages API read it, in a response body or in a stream.

import JSON

extension MessagesDialect {
    static func error(of failure: Failure) -> ClientError {
        let terms = failure.terms
        var error = ClientError(.messages, terms, status: terms.status, type: terms.kind.rawValue)
        error.object = failure.object(for: .messages)
        switch failure {
        case .request(.malformed(let complaint)): error.code = complaint.code
        case .request(.bodyEncoded): error.code = "request_body_encoding_unsupported"
        case .request, .upstream, .routing, .gateway: break
        }
        return error
    }
}

extension ClientError {
    /// `{"type","message","details"}`
    func appendObject(to out: inout [UInt8]) {
        if let object { return out.append(contentsOf: object) }
        out.append(ascii: "{\"type\":")
        out.appendJSON(type)
        out.append(ascii: ",\"message\":")
        out.appendJSON(message)
        if let code {
            out.append(ascii: ",\"details\":{\"error_code\":")
            out.appendJSON(code)
            out.append(UInt8(ascii: "}"))
        }
        out.append(UInt8(ascii: "}"))
    }
}
