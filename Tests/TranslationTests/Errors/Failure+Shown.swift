// What clients of the Messages API are told of a failure, in short; and what the journal keeps of it.

@testable import Translation

extension Failure {
    var status: Int { terms.status }
    var kind: ErrorKind { terms.kind }
    var message: String { terms.words.told }
    var noted: String? { entry.reason }
    var retryAfter: Int? { terms.retryAfter }
    var shouldRetry: Bool? { terms.shouldRetry }
}
