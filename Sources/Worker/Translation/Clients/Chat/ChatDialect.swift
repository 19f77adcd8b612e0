// Errors as OpenAI's clients read them, and as backends write them that speak its API.

import JSON

enum ChatDialect: ClientDialect {
    static var path: StaticString { "/v1/chat/completions" }
    static var passthrough: Dialect { .openAI }
    static var replyIDPrefix: String { "chatcmpl-" }

    /// OpenAI knows neither 529 nor 402.
    static func status(of error: ClientError) -> Int {
        guard error.verbatim == nil || error.status == 529 else { return error.status }
        switch error.status {
        case 529: return 503
        case 402: return 429
        default: return error.status
        }
    }

    static func body(of error: ClientError, requestID: String) -> [UInt8] {
        var out: [UInt8] = []
        out.append(ascii: "{\"error\":")
        error.appendChatObject(to: &out)
        out.append(UInt8(ascii: "}"))
        return out
    }

    static var errorOpening: StaticString { "data: " }

    static func error(_ node: JSONNode, in root: JSONNode, message: String, status: Int?) -> ClientError? {
        if let status = status ?? Self.status(node["code"]) {
            return .said(status, .init(status: status), message, by: status)
        }
        // Told as in translation; with its own words, its own object too.
        guard let told = UpstreamFailure.inside(root), told.message == message else { return nil }
        return told
    }

    private static func status(_ code: JSONNode?) -> Int? {
        code?.int.flatMap { (400...599).contains($0) ? $0 : nil }
    }

    /// Clients of this API look at the code: a full context has one, whatever the backend calls it.
    static func hiddenOverflow(_ error: ClientError, _ node: JSONNode, message: String) -> ContextOverflow? {
        guard node["code"]?.stringEquals("context_length_exceeded") != true else { return nil }
        return ContextOverflow(
            text: message, code: node["code"]?.string ?? "", type: node["type"]?.string ?? "")
    }

    static func isWhole(_ node: JSONNode) -> Bool { node["type"]?.isString == true }
}
