// The table of what is served: path and method to endpoint. Pure. Paths are compared before anything is
// percent-decoded; the query is ignored.

internal import HTTP
internal import Translation

/// What a request asks for.
enum Endpoint: Sendable, Equatable {
    /// A model's answer, in this API.
    case exchange(ClientAPI)
    case countTokens
    case models(ModelsShape)
    case model(id: String, ModelsShape)
    /// `HEAD /`, `/api/hello`: start-up probes of clients.
    case hello
    /// `GET /`: somebody looks whether anything is here.
    case greeting
    case health
    case ready
    /// What `dragoman status --json` says.
    case status
    /// Telemetry that clients send on their own: taken and dropped.
    case telemetry

    /// Not what monitoring and clients ask all day by themselves.
    var isNoted: Bool {
        switch self {
        case .exchange, .countTokens, .models, .model: true
        case .hello, .greeting, .health, .ready, .status, .telemetry: false
        }
    }
}

/// Whose model list the client expects.
enum ModelsShape: Sendable, Equatable {
    case anthropic
    case openAI
}

enum RouteDecision: Sendable, Equatable {
    case endpoint(Endpoint)
    case wrongMethod(allow: String)
    case notInThisVersion(String)
    case notFound
}

enum Routes {
    /// Prefixes that people really type into a base URL, longest first, and the shape they imply.
    private static let prefixes: [(String, ModelsShape?)] = [
        ("/olla/anthropic", .anthropic), ("/olla/openai", .openAI), ("/anthropic", .anthropic),
    ]

    /// - Parameter anthropicVersion: whether the request carries an `anthropic-version` field.
    static func decide(_ method: Method, path: String, anthropicVersion: Bool) -> RouteDecision {
        // The paths that matter for speed.
        if let api = ClientAPI(path: path) { return post(method, .exchange(api)) }
        let (rest, prefixShape) = stripped(path)
        let shape = prefixShape ?? (anthropicVersion ? .anthropic : .openAI)
        switch rest {
        case "/v1/messages/count_tokens", "/messages/count_tokens": return post(method, .countTokens)
        case "/v1/models", "/models": return get(method, .models(shape))
        case "/api/hello", "/v1/api/hello": return get(method, .hello)
        case "", "/v1":
            return method == .head
                ? .endpoint(.hello)
                : method == .get ? .endpoint(.greeting) : .wrongMethod(allow: "GET, HEAD")
        case "/health": return get(method, .health)
        case "/ready": return get(method, .ready)
        case "/api/event_logging/batch": return post(method, .telemetry)
        case "/status": return get(method, .status)
        case "/metrics": return .notInThisVersion("GET /metrics")
        default:
            if let api = ClientAPI(path: String(rest))
                ?? ClientAPI.allCases.first(where: { $0.endpoint == rest })
            {
                return post(method, .exchange(api))
            }
            guard let id = modelID(rest) else { return .notFound }
            return get(method, .model(id: id, shape))
        }
    }

    /// First words of paths of OpenAI's API behind `/v1`, also of those that are not served.
    private static let openAIPaths: Set<Substring> = [
        "chat", "completions", "embeddings", "responses", "images", "audio", "moderations",
    ]

    /// The client API in whose format the errors of a request are written, whatever comes of it.
    static func clientAPI(_ path: String, anthropicVersion: Bool) -> ClientAPI {
        if let api = ClientAPI(path: path) { return api }
        let (rest, shape) = stripped(path)
        let word = firstWord(rest)
        if let api = ClientAPI.allCases.first(where: { firstWord($0.endpoint) == word }) { return api }
        if openAIPaths.contains(word) { return .chat }
        if let shape { return shape == .openAI ? .chat : .messages }
        return word == "models" && !anthropicVersion ? .chat : .messages
    }

    /// Behind `/v1`.
    private static func firstWord(_ path: Substring) -> Substring {
        path.split(separator: "/", maxSplits: 2).first { $0 != "v1" } ?? ""
    }

    /// One leading slash, no final one, known prefixes and a doubled `/v1` taken off.
    private static func stripped(_ path: String) -> (Substring, ModelsShape?) {
        var rest = Substring(path)
        while rest.hasPrefix("//") { rest = rest.dropFirst() }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        var shape: ModelsShape?
        for (prefix, implied) in prefixes where rest.hasPrefix(prefix) {
            let behind = rest.dropFirst(prefix.count)
            guard behind.isEmpty || behind.hasPrefix("/") else { continue }
            rest = behind
            shape = implied
            break
        }
        if rest.hasPrefix("/v1/v1/") || rest == "/v1/v1" { rest = rest.dropFirst(3) }
        return (rest, shape)
    }

    /// The id of `/v1/models/{id}`: split first, decoded then, so that `a%2Fb` and `a/b` are the same model.
    private static func modelID(_ rest: Substring) -> String? {
        for prefix in ["/v1/models/", "/models/"] where rest.hasPrefix(prefix) {
            let id = rest.dropFirst(prefix.count)
            return id.isEmpty ? nil : percentDecoded(id)
        }
        return nil
    }

    private static func post(_ method: Method, _ endpoint: Endpoint) -> RouteDecision {
        method == .post ? .endpoint(endpoint) : .wrongMethod(allow: "POST")
    }

    private static func get(_ method: Method, _ endpoint: Endpoint) -> RouteDecision {
        method == .get || method == .head ? .endpoint(endpoint) : .wrongMethod(allow: "GET, HEAD")
    }
}
