// What the transport says of an answer: its head, and how it ended. Translation sees no socket and no clock.

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
