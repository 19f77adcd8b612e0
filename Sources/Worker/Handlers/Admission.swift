// From a request's head to the endpoint that answers it, or to the refusal. Nothing of a body is read
// for those who may not come in.

internal import EventLoop
internal import HTTP
internal import Shared
internal import Translation

enum Admission {
    case endpoint(Endpoint)
    /// Why, and fields that belong to the answer (`allow`).
    case refused(Failure, [ResponseHead.Field])
}

extension AccessRules {
    /// The one place where a head becomes an endpoint.
    /// - Parameter port: of the listener; asked for only where a page of this host claims to call.
    func admit(_ head: RequestHead, scope: ListenerScope, port: () -> Int? = { nil }) -> Admission {
        if let failure = refusesHost(head, scope: scope) { return .refused(failure, []) }
        // A browser's preflight: pages of other origins have no business here.
        if head.method == .options { return .refused(.request(.fromWebPage), []) }
        if let failure = refusesPage(head, scope: scope, port: port) { return .refused(failure, []) }
        let path = head.path
        switch Routes.decide(head.method, path: path, anthropicVersion: head.hasField("anthropic-version")) {
        case .endpoint(let endpoint):
            if endpoint == .status, !Self.isLocal(head, scope) {
                return .refused(.request(.localOnly("GET /status")), [])
            }
            if endpoint.needsKey, let failure = refusesKey(head) { return .refused(failure, []) }
            if endpoint.hasBody, let failure = Self.refusesEncoding(head) { return .refused(failure, []) }
            return .endpoint(endpoint)
        case .wrongMethod(let allow):
            return .refused(
                .request(.wrongMethod(path: ExchangeRecord.short(path), allowed: allow)),
                [.init("allow", allow)])
        case .notInThisVersion(let what): return .refused(.request(.futureEndpoint(what)), [])
        case .notFound: return .refused(.request(.unknownPath(ExchangeRecord.short(path))), [])
        }
    }

    /// On this machine, and not by way of a proxy on it: whoever gets in there sees what all clients do.
    static func isLocal(_ head: RequestHead, _ scope: ListenerScope) -> Bool {
        let isForwarded =
            head.hasField("forwarded") || head.hasField("via") || head.hasField("x-real-ip")
            || head.hasField("x-forwarded-for") || head.hasField("x-forwarded-host")
            || head.hasField("x-forwarded-proto")
        switch scope {
        case .unix: return true
        case .loopback: return !isForwarded && (head.authority.map(namesLoopback) ?? true)
        case .network: return false
        }
    }

    /// Compressed bodies are not decoded; the client is told instead of being misread.
    private static func refusesEncoding(_ head: RequestHead) -> Failure? {
        guard let encoding = head.fieldText("content-encoding"), encoding.lowercased() != "identity",
            !encoding.isEmpty
        else { return nil }
        return .request(.bodyEncoded)
    }
}

extension Endpoint {
    /// Probes of liveness and start-up come without credentials.
    var needsKey: Bool {
        switch self {
        case .exchange, .countTokens, .models, .model: true
        case .hello, .greeting, .health, .ready, .status, .telemetry: false
        }
    }

    var hasBody: Bool {
        switch self {
        case .exchange, .countTokens: true
        case .models, .model, .hello, .greeting, .health, .ready, .status, .telemetry: false
        }
    }
}
