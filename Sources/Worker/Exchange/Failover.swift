// Whether a failed attempt may be repeated with the next backend. Pure. The client must not have seen a
// byte, and the failure must be the backend's state, not the request's fault: an overflow or a refusal
// that another backend would repeat in worse words has to reach the client as it is.

internal import Translation

enum Failover {
    static func mayTryNext(_ failure: ClientError, anythingSent: Bool) -> Bool {
        guard !anythingSent else { return false }
        // 504 has used up the whole first-byte limit already; a second wait of that length helps nobody.
        return failure.status >= 500 && failure.status != 504
    }

    /// What the client is told in the end: a backend that is away once may be restarting, one that has been
    /// away for long is a fault.
    static func told(_ failure: ClientError, isPersistent: Bool) -> ClientError {
        guard isPersistent, failure.status == 529 else { return failure }
        return ClientError(status: 502, kind: .api, message: failure.message, retryAfter: failure.retryAfter)
    }
}
