// From a request's head to the endpoint that answers it, or to the refusal. Nothing of a body is read
// for those who may not come in.

internal import EventLoop
internal import HTTP
internal import Shared
internal import Translation

enum Admission {
    case endpoint(Endpoint)
    /// The error, and fields that belong to it (`allow`).
    case refused(ClientError, [ResponseHead.Field])
}

extension AccessRules {
    /// The one place where a head becomes an endpoint.
    /// - Parameter port: of the listener; asked for only where a page of this host claims to call.
    func admit(_ head: RequestHead, scope: ListenerScope, port: () -> Int? = { nil }) -> Admission {
        if let error = refusesHost(head, scope: scope) { return .refused(error, []) }
        // A browser's preflight: pages of other origins have no business here.
        if head.method == .options { return .refused(.fromWebPage, []) }
        if let error = refusesPage(head, scope: scope, port: port) { return .refused(error, []) }
        let path = head.path
        switch Routes.decide(head.method, path: path, anthropicVersion: head.hasField("anthropic-version")) {
        case .endpoint(let endpoint):
            if endpoint.needsKey, let error = refusesKey(head) { return .refused(error, []) }
            if endpoint.hasBody, let error = Self.refusesEncoding(head) { return .refused(error, []) }
            return .endpoint(endpoint)
        case .wrongMethod(let allow):
            let error = ClientError(
                405, .invalidRequest, "Method not allowed: \(ExchangeRecord.short(path)) takes \(allow).")
            return .refused(error, [.init("allow", allow)])
        case .notInThisVersion(let what):
            var error = ClientError(404, .notFound, "\(what) is not supported in this version.")
            error.chatCode = "unknown_url"
            return .refused(error, [])
        case .notFound:
            var error = ClientError(404, .notFound, "Not found: \(ExchangeRecord.short(path)).")
            error.chatCode = "unknown_url"
            return .refused(error, [])
        }
    }

    /// Compressed bodies are not decoded; the client is told instead of being misread.
    private static func refusesEncoding(_ head: RequestHead) -> ClientError? {
        guard let encoding = head.fieldText("content-encoding"), encoding.lowercased() != "identity",
            !encoding.isEmpty
        else { return nil }
        var error = ClientError(400, .invalidRequest, "Send the body without Content-Encoding.")
        error.code = "request_body_encoding_unsupported"
        return error
    }
}

extension Endpoint {
    /// Probes of liveness and start-up come without credentials.
    var needsKey: Bool {
        switch self {
        case .messages, .chat, .countTokens, .models, .model: true
        case .hello, .greeting, .health, .ready, .telemetry: false
        }
    }

    var hasBody: Bool {
        switch self {
        case .messages, .chat, .countTokens: true
        case .models, .model, .hello, .greeting, .health, .ready, .telemetry: false
        }
    }
}
