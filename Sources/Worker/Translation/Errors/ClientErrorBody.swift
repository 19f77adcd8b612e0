// An error as the client reads it, in a response body or behind `event: error`: the same bytes.

import JSON

extension ClientError {
    /// `{"type":"error","error":{…},"request_id":…}`
    public func body(requestID: String) -> [UInt8] {
        var out: [UInt8] = []
        out.append(ascii: "{\"type\":\"error\",\"error\":{\"type\":")
        out.appendJSON(kind.rawValue)
        out.append(ascii: ",\"message\":")
        out.appendJSON(message)
        if let code {
            out.append(ascii: ",\"details\":{\"error_code\":")
            out.appendJSON(code)
            out.append(UInt8(ascii: "}"))
        }
        out.append(ascii: "},\"request_id\":")
        out.appendJSON(requestID)
        out.append(UInt8(ascii: "}"))
        return out
    }
}
