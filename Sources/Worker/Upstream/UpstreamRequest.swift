// What goes to a backend and what is known of its answer: plain values, no libcurl.

public import EventLoop

/// One request to a backend. `http` and `https` only; redirects are not followed, the environment's proxy
/// variables are not obeyed, certificates are verified.
public struct UpstreamRequest: Sendable {
    public enum Method: Sendable, Equatable {
        case get
        case post(body: [UInt8])
    }

    public struct Header: Sendable, Equatable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Absolute, as RFC 3986 says; sent without normalising its path.
    public var url: String
    public var method: Method
    /// Sent as they are, beside Host, Content-Length and `Accept-Encoding: identity`.
    public var headers: [Header]
    public var limits: TransferLimits

    public init(
        url: String, method: Method, headers: [Header] = [], limits: TransferLimits = TransferLimits()
    ) {
        self.url = url
        self.method = method
        self.headers = headers
        self.limits = limits
    }
}

/// The limits of one transfer. There is none on its total time.
public struct TransferLimits: Sendable, Equatable {
    /// From the start until the connection stands, name resolution and TLS included.
    public var connect: Duration
    /// From the start until the first byte of the answer's body (or its end).
    public var firstByte: Duration
    /// Between two bytes after that; time during which the receiver did not take bytes does not count.
    public var idle: Duration

    public init(
        connect: Duration = .seconds(5), firstByte: Duration = .seconds(15 * 60),
        idle: Duration = .seconds(5 * 60)
    ) {
        self.connect = connect
        self.firstByte = firstByte
        self.idle = idle
    }
}

/// What of the answer's head decides. Informational answers (1xx) are not heads.
public struct TransferHead: Sendable, Equatable {
    public var status: Int
    /// Lower-cased media type without parameters, or "".
    public var contentType: String
    /// Lower-cased `content-encoding`, or "".
    public var contentEncoding = ""
    public var retryAfter: String?
    /// `x-ratelimit-reset-requests` or `x-ratelimit-reset-tokens`, whichever came first.
    public var rateLimitReset: String?
    /// `x-should-retry`: what the backend advises its clients.
    public var shouldRetry: Bool?
    /// `request-id` or `x-request-id`: how the backend calls this exchange; at most `HeadReader.longestID`
    /// bytes.
    public var requestID: String?

    public init(
        status: Int, contentType: String, retryAfter: String? = nil, rateLimitReset: String? = nil,
        shouldRetry: Bool? = nil, requestID: String? = nil
    ) {
        self.status = status
        self.contentType = contentType
        self.retryAfter = retryAfter
        self.rateLimitReset = rateLimitReset
        self.shouldRetry = shouldRetry
        self.requestID = requestID
    }
}

/// How a transfer ended. Details are for the journal: words of libcurl and the system, never content.
public enum TransferEnd: Sendable, Equatable {
    /// The body ended as its framing said (RFC 9112 section 6.3).
    case complete
    /// The answer had begun and broke off, or was not HTTP.
    case broken(detail: String)
    /// No connection, or it was closed before any byte of an answer.
    case unreachable(detail: String)
    /// URL, name resolution or TLS: trying again will not help soon.
    case misconfigured(detail: String)
    /// One of `TransferLimits` has passed.
    case timedOut(Limit)
    case cancelled

    public enum Limit: String, Sendable {
        case connect
        case firstByte = "first_byte"
        case idle
    }
}

/// When what happened to a transfer.
public struct TransferTimes: Sendable, Equatable {
    public var started: Instant
    /// The connection stood (at once on a kept one) and the request began to go out.
    public var connected: Instant?
    /// First byte of the answer's head.
    public var firstByte: Instant?
    /// Latest byte of the answer.
    public var lastByte: Instant?
    /// Latest byte of the answer's body.
    public var lastBodyByte: Instant?
}
