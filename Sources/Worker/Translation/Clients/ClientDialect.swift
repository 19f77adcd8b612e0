// What differs between the APIs that clients speak, beside their requests: errors, and the names of things.
// One conformer per API, in its folder.

import JSON

protocol ClientDialect {
    /// Where a backend that speaks this API takes requests.
    static var path: StaticString { get }
    /// The dialect of backends whose bytes may pass to clients of this API.
    static var passthrough: Dialect { get }
    /// Of the id of a reply.
    static var replyIDPrefix: String { get }

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

    /// The dialect of backends whose bytes may pass to clients of this API.
    public var passthrough: Dialect { dialect.passthrough }
    /// Of the id of a reply.
    public var replyIDPrefix: String { dialect.replyIDPrefix }
}
