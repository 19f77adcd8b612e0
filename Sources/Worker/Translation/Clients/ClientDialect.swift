// What differs between the APIs that clients speak: how a request is read, errors, and the names of things.
// One conformer per API, in its folder. The one place that chooses between them.

public import JSON

protocol ClientDialect {
    /// Where requests go, here and at a backend that speaks this API. It begins with `/v1/`.
    static var path: StaticString { get }
    /// The dialect of backends whose bytes may pass to clients of this API; nil = there is none.
    static var passthrough: Dialect? { get }
    /// Of the id of a reply.
    static var replyIDPrefix: String { get }
    /// The field of a response's head in which clients look for the request's id, beside `request-id`.
    static var requestIDField: String? { get }

    /// - Parameter head: what of the request's head belongs to the Messages API.
    /// - Throws: 400 in the words of this API, with the place of what is wrong.
    static func parse(_ body: RequestBody, head: MessagesHead) throws(Failure) -> any ParsedRequest
    /// What a request comes down to, for answers that no model gives.
    static func outline(of root: JSONNode) -> RequestOutline

    // Errors for the client.

    /// What clients of this API are told of it.
    static func error(of failure: Failure) -> ClientError
    static func body(of error: ClientError, requestID: String) -> [UInt8]
    /// An error in a stream: an event up to its data, which are those of `body`.
    static var errorOpening: StaticString { get }

    // Errors of a backend that speaks this API.

    /// An error in the shape of this API; nil for others.
    /// - Parameters:
    ///   - node: the member `error` of `root`.
    ///   - status: nil = what the error's type stands for.
    static func error(_ node: JSONNode, in root: JSONNode, message: String, status: Int?) -> UpstreamFault?
    /// A full context that clients of this API would not take this error for.
    static func hiddenOverflow(_ node: JSONNode, message: String, status: Int) -> ContextOverflow?
    /// Whether clients can be shown the object as the backend wrote it.
    static func isWhole(_ node: JSONNode) -> Bool
}

extension ClientDialect {
    static var requestIDField: String? { nil }

    static func append(eventOf failure: Failure, requestID: String, to out: inout [UInt8]) {
        out.append(ascii: errorOpening)
        out.append(contentsOf: body(of: error(of: failure), requestID: requestID))
        out.append(ascii: "\n\n")
    }
}

extension ClientAPI {
    var dialect: any ClientDialect.Type {
        switch self {
        case .messages: MessagesDialect.self
        case .chat: ChatDialect.self
        }
    }

    /// Strings, and not generic: each request's path is compared with them.
    private static let paths = allCases.map { (path: $0.dialect.path.description, api: $0) }

    /// The API whose requests go to this path.
    public init?(path: String) {
        guard let found = Self.paths.first(where: { $0.path == path }) else { return nil }
        self = found.api
    }

    /// Where requests go, below `/v1`.
    public var endpoint: Substring { dialect.path.description.dropFirst("/v1".count) }
    /// The dialect of backends whose bytes may pass to clients of this API; nil = there is none.
    public var passthrough: Dialect? { dialect.passthrough }
    /// Of the id of a reply.
    public var replyIDPrefix: String { dialect.replyIDPrefix }
    /// The field of a response's head in which clients look for the request's id, beside `request-id`.
    public var requestIDField: String? { dialect.requestIDField }

    /// What a request comes down to, for answers that no model gives.
    public func outline(of root: JSONNode) -> RequestOutline { dialect.outline(of: root) }
}
