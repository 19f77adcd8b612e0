// The seam between the worker (sockets, time, routing) and the pure translation: what one exchange
// passes through, in this order. Nothing here knows a socket or a clock.
//
//   body bytes ── MessagesRequest(parsing:) ──▶ ClientRequest, the canonical request
//   ClientRequest + UpstreamTarget ── converted(for:) ──▶ UpstreamCall (wire bytes + omissions + ReplyPlan)
//   upstream bytes ── ClientReply ──▶ client bytes, and exactly one terminal Outcome

/// An error for the client, in Anthropic's shape. Before the first byte it is a status and a JSON body,
/// afterwards an SSE `error` event.
public struct ClientError: Error, Sendable, Equatable {
    public enum Kind: String, Sendable {
        case invalidRequest = "invalid_request_error"
        case authentication = "authentication_error"
        case billing = "billing_error"
        case permission = "permission_error"
        case notFound = "not_found_error"
        case conflict = "conflict_error"
        case requestTooLarge = "request_too_large"
        case rateLimit = "rate_limit_error"
        case timeout = "timeout_error"
        case api = "api_error"
        case overloaded = "overloaded_error"
    }

    public var status: Int
    public var kind: Kind
    public var message: String
    /// `details.error_code`: the API's name of a case that clients tell apart.
    public var code: String?
    /// `retry-after`, whole seconds.
    public var retryAfter: Int?
    /// `x-should-retry`.
    public var shouldRetry: Bool?
    /// The `error` object as a backend that speaks the client's API wrote it, JSON text on one
    /// line; nil = `kind` and
    /// `message` say it all.
    public var verbatim: [UInt8]?
    /// OpenAI's `param`: which field of the request is meant.
    public var chatParameter: String?
    /// OpenAI's `code`, where the kind alone does not say it.
    public var chatCode: String?
    /// What of the message the journal may keep: our own words. Nil = it is another's.
    public var noted: String?
    /// The message begins with "The backend", whose name is still to be put in.
    var isAboutBackend = false

    /// - Parameters:
    ///   - retryAfter: brought to 1…60: clients give a turn up at once for more.
    ///   - shouldRetry: nil = what the kind stands for.
    public init(
        status: Int, kind: Kind, message: String, retryAfter: Int? = nil, shouldRetry: Bool? = nil
    ) {
        self.status = status
        self.kind = kind
        self.message = message
        self.retryAfter = retryAfter.map { min(max($0, 1), Self.longestRetry) }
        self.shouldRetry = shouldRetry ?? (kind.isFinal ? false : nil)
    }

    /// Seconds in `retry-after` at most.
    static let longestRetry = 60
}

extension ClientError.Kind {
    /// The same request will fail again, whenever it is sent: said to clients that would try for minutes.
    public var isFinal: Bool {
        switch self {
        case .invalidRequest, .authentication, .billing, .permission, .notFound, .requestTooLarge: true
        case .conflict, .rateLimit, .timeout, .api, .overloaded: false
        }
    }
}

/// Something of the request that the backend's dialect could not carry. Never lost silently.
public struct Omission: Sendable, Equatable {
    /// Path in the request, such as `top_k` or `tools[3]`.
    public var path: String
    public var reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// Where a request goes: what the converter must know of the backend and the model.
public struct UpstreamTarget: Sendable {
    /// The model's name as the backend knows it.
    public var model: String
    public var profile: Profile
    /// The backend's context window for this model in tokens, when known.
    public var contextWindow: Int?
    /// Reasoning in `<think>` tags of the text.
    public var thinkTags: ThinkTagMode
    /// Tool calls that come as text are recovered; nil = as its type says.
    public var textCalls: Bool?
    /// Rounds that failed for a malformed input are left out of the history, and inputs in it mended.
    public var healsHistory = false
    /// Several calls of one answer are told one after the other.
    public var sequentialCalls = false
    /// What this model of this backend was found not to take.
    public var lacking: Set<Feature> = []
    /// Tokens that it gives in one answer at most, when known.
    public var outputLimit: Int?
    /// What is done about earlier turns without their reasoning, where this request was refused for them.
    public var reasoningRemedy: ReasoningRemedy?
    /// How this model's counts of tokens compare with our estimates.
    public var tokenRatio = TokenRatio.unknown
    /// How long Ollama keeps the model in memory after the answer; nil = as it is set there.
    public var keepAlive: KeepAlive?
    /// The window that Ollama has the model loaded with now, when known; it need not be what is asked for.
    public var loadedWindow: Int?
    /// A prompt that this model of this backend was sent and did not read whole.
    public var promptCut: PromptCut?
    /// For errors.
    public var backend = BackendIdentity()
    /// Tokens of this prompt as the backend itself has counted them; nil = not asked.
    public var countedPrompt: Int?
    /// No stream is asked for, whatever the client reads: the backend had nothing to say in one.
    public var asksWhole = false

    public init(model: String, profile: Profile, contextWindow: Int? = nil, thinkTags: ThinkTagMode = .auto) {
        self.model = model
        self.profile = profile
        self.contextWindow = contextWindow
        self.thinkTags = thinkTags
    }
}

/// A way to ask once more, when a backend wants the reasoning of all earlier turns back and some have none: they
/// were another model's, or were asked for without thinking.
public enum ReasoningRemedy: Sendable, Hashable {
    /// All turns carry the property, those without reasoning nothing in it.
    case filled
    /// This one request is asked for without thinking.
    case thinkingOff
}

extension UpstreamTarget {
    /// Whether the backend is asked for a stream.
    /// - Parameter wanted: the client reads one.
    func streams(_ wanted: Bool) -> Bool { !asksWhole && (wanted || profile.alwaysStreams) }
}

/// Ollama's `keep_alive`.
public enum KeepAlive: Sendable, Equatable {
    /// Whole seconds; negative = for ever.
    case seconds(Int)
    /// In the notation of Go, such as `10m`.
    case time(String)
}

public enum ThinkTagMode: Sendable {
    /// A tag at the very start of the answer opens reasoning.
    case auto
    /// Answers begin inside the reasoning; everything up to the closing tag is reasoning.
    case implicit
    case off
}

/// A request in the backend's words.
public struct UpstreamCall: Sendable {
    /// Below the backend's URL, such as `/v1/chat/completions`.
    public var path: String
    public var body: [UInt8]
    public var omissions: [Omission]
    /// What was put right in the history, by name and number.
    public var repairs: [String] = []
    /// What the reply's translation must know of the request.
    public var plan: ReplyPlan
    /// How many tokens the prompt probably has.
    public var estimate = PromptEstimate()
    /// Beside the credentials and `content-type`.
    public var headers: [Header] = []

    public struct Header: Sendable, Equatable {
        public var name: String
        public var value: String
    }

    public init(path: String, body: [UInt8], omissions: [Omission], plan: ReplyPlan) {
        self.path = path
        self.body = body
        self.omissions = omissions
        self.plan = plan
    }
}

/// What of the upstream answer's head decides.
public struct UpstreamHead: Sendable {
    public var status: Int
    /// Lower-cased media type without parameters, or "".
    public var contentType: String
    /// Lower-cased `content-encoding`, or "".
    public var contentEncoding = ""
    public var retryAfter: String?
    /// `x-ratelimit-reset-requests` or `x-ratelimit-reset-tokens`, such as `6m0s`.
    public var rateLimitReset: String?
    /// `x-should-retry`.
    public var shouldRetry: Bool?
    /// When the head came, in seconds since 1970; 0 if unknown. Dates in `retry-after` count from here.
    public var receivedAt: Int

    public init(
        status: Int, contentType: String, retryAfter: String? = nil, rateLimitReset: String? = nil,
        shouldRetry: Bool? = nil, receivedAt: Int = 0
    ) {
        self.status = status
        self.contentType = contentType
        self.retryAfter = retryAfter
        self.rateLimitReset = rateLimitReset
        self.shouldRetry = shouldRetry
        self.receivedAt = receivedAt
    }

    /// The body is said to be events or lines.
    var isStream: Bool { contentType == "text/event-stream" || contentType == "application/x-ndjson" }

    /// Whether the body is what it is, and not compressed.
    var isReadable: Bool { contentEncoding.isEmpty || contentEncoding == "identity" }
}

/// How the upstream's answer ended, as the transport saw it.
public enum UpstreamEnd: Sendable, Equatable {
    /// The body ended as its framing said.
    case complete
    /// The connection broke (reset, short body); `detail` for the journal.
    case broken(detail: String)
    /// No connection: refused, or reset before any byte.
    case unreachable(detail: String)
    /// Name resolution or TLS failed; retrying will not help soon.
    case misconfigured(detail: String)
    /// A limit of ours passed: connect, first byte, idle.
    case timedOut(limit: String)
    /// The service is being stopped, and waits no longer.
    case stopped
}

/// The one terminal outcome of an exchange.
public enum Outcome: Sendable, Equatable {
    case completed
    /// The upstream ended without saying that it was done.
    case truncated
    case upstreamFailed(ClientError)
    case cancelled
    case timedOut(ClientError)

    /// The same with the error as it was told.
    func with(_ error: ClientError) -> Outcome {
        switch self {
        case .upstreamFailed: .upstreamFailed(error)
        case .timedOut: .timedOut(error)
        case .completed, .truncated, .cancelled: self
        }
    }
}

/// Token counts, Anthropic's meaning: `input` excludes what came from the cache.
public struct Usage: Sendable, Equatable {
    public var input = 0
    public var output = 0
    public var cacheRead = 0
    public var cacheCreation = 0
    public var thinking: Int?

    public init() {}
}
