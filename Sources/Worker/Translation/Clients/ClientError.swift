// A failure as a client of one API reads it. Made of a `Failure` by that API's `ClientDialect`; nothing is
// decided on it. Before the first byte it is a status and a body, afterwards an event.

public struct ClientError: Sendable, Equatable {
    public let api: ClientAPI
    public let status: Int
    /// The API's word for the class of the error.
    public var type: String
    public var message: String
    /// Which field of the request is meant, where the API names it.
    var parameter: String?
    /// The API's name of a case that clients tell apart.
    var code: String?
    /// `retry-after`, whole seconds.
    public let retryAfter: Int?
    /// `x-should-retry`.
    public let shouldRetry: Bool?
    /// The `error` object as a backend that speaks this API wrote it, JSON text on one line; nil = what is
    /// above says it all.
    var object: [UInt8]?

    init(_ api: ClientAPI, _ terms: FailureTerms, status: Int, type: String) {
        self.api = api
        self.status = status
        self.type = type
        message = terms.words.told
        retryAfter = terms.retryAfter
        shouldRetry = terms.shouldRetry
    }

    /// The body of a response with this error: `{"type":"error","error":{…},"request_id":…}`; for OpenAI's
    /// clients `{"error":{…}}`.
    public func body(requestID: String) -> [UInt8] { api.dialect.body(of: self, requestID: requestID) }
}

extension Failure {
    /// What clients of this API are told.
    public func error(for api: ClientAPI) -> ClientError { api.dialect.error(of: self) }

    /// What ends a stream of this API in which nothing of an answer was said.
    public func event(for api: ClientAPI, requestID: String) -> [UInt8] {
        var event: [UInt8] = []
        api.dialect.append(eventOf: self, requestID: requestID, to: &event)
        return event
    }

    /// The error as a backend that speaks this API wrote it.
    func object(for api: ClientAPI) -> [UInt8]? {
        guard case .upstream(let fault) = self, let passed = fault.passed, passed.api == api else {
            return nil
        }
        return passed.object
    }
}
