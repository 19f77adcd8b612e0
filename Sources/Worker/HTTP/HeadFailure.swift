// What can be wrong with a request before anyone looked at its meaning, and the status it deserves.
// The peer's framing is not to be trusted after any of these: the connection is closed with the answer.

/// Why a request's head or body framing was refused. RFC 9112 unless said otherwise.
public enum FramingFailure: Error, Sendable, Equatable, CaseIterable {
    case requestLine
    case requestTarget
    case requestLineTooLong
    case version
    case fieldName
    case fieldValue
    case blankBeforeColon
    case foldedField
    case bareLineFeed
    case bareCarriageReturn
    case headTooLarge
    case tooManyFields
    case contentLength
    case repeatedContentLength
    case lengthAndChunked
    case transferEncoding
    case transferEncodingOpen
    case chunkedInHTTP10
    case host
    case expectation
    case chunkSize
    case chunkEnd
    case chunkExtension
    case chunkExtensionTooLong
    case trailer
    case trailerTooLarge
    case bodyTooLarge

    /// The status of the answer.
    public var status: Int {
        switch self {
        case .requestLineTooLong: 414
        case .version: 505
        case .headTooLarge, .tooManyFields, .trailerTooLarge: 431
        case .transferEncoding: 501
        case .expectation: 417
        case .bodyTooLarge: 413
        default: 400
        }
    }

    /// For the client, in plain words.
    public var message: String {
        switch self {
        case .requestLine: "The request line is not `METHOD TARGET HTTP/1.1`."
        case .requestTarget: "The request target is not a path or an http URL."
        case .requestLineTooLong: "The request line is too long."
        case .version: "Only HTTP/1.1 and HTTP/1.0 are spoken here."
        case .fieldName: "A header field's name holds a character that is not allowed there."
        case .fieldValue: "A header field's value holds a control character."
        case .blankBeforeColon: "A header field has a blank before its colon."
        case .foldedField: "A header field is folded over several lines."
        case .bareLineFeed: "A line of the head ends in LF without CR."
        case .bareCarriageReturn: "A line of the head holds a CR without LF."
        case .headTooLarge: "The request's header fields are too large."
        case .tooManyFields: "The request has too many header fields."
        case .contentLength: "Content-Length is not a number."
        case .repeatedContentLength: "Content-Length is given more than once."
        case .lengthAndChunked: "Content-Length and Transfer-Encoding exclude each other."
        case .transferEncoding: "Transfer-Encoding other than `chunked` is not supported."
        case .transferEncodingOpen: "Transfer-Encoding does not end in `chunked`."
        case .chunkedInHTTP10: "Transfer-Encoding does not exist in HTTP/1.0."
        case .host: "Exactly one valid Host field is needed."
        case .expectation: "Only `Expect: 100-continue` can be met."
        case .chunkSize: "A chunk's size is not a hexadecimal number."
        case .chunkEnd: "A chunk is not followed by CRLF."
        case .chunkExtension: "A chunk's extension is malformed."
        case .chunkExtensionTooLong: "The chunk extensions are too long."
        case .trailer: "The trailer section is malformed."
        case .trailerTooLarge: "The trailer section is too large."
        case .bodyTooLarge: "The request body is too large."
        }
    }
}
