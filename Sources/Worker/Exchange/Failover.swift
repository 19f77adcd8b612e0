// Whether a failed attempt may be repeated with the next backend. Pure. The client must not have seen a
// byte, and the failure must be the backend's state, not the request's fault: an overflow or a refusal
// that another backend would repeat in worse words has to reach the client as it is.

internal import HTTP
internal import Translation

/// A backend that failed before the client had seen anything, with what would be told and remembered of it.
struct FailedAttempt {
    let failure: ClientError
    let outcome: Outcome
    let isPersistent: Bool
    let fields: [ResponseHead.Field]
    let record: ExchangeRecord

    init(
        _ failure: ClientError, _ outcome: Outcome, isPersistent: Bool, fields: [ResponseHead.Field],
        _ record: ExchangeRecord
    ) {
        self.failure = failure
        self.outcome = outcome
        self.isPersistent = isPersistent
        self.fields = fields
        self.record = record
    }

    /// It said something, if only that it cannot.
    var hasAnswered: Bool { record.cause == nil }
}

enum Failover {
    static func mayTryNext(_ failure: ClientError, anythingSent: Bool) -> Bool {
        guard !anythingSent else { return false }
        switch failure.kind {
        // Busy, or without this model: another backend may not be.
        case .rateLimit, .notFound: return true
        default: break
        }
        // 504 has used up the whole first-byte limit already; a second wait of that length helps nobody.
        return failure.status >= 500 && failure.status != 504
    }

    /// Which of two failures tells the client more: the backend that answered, else the one preferred to the
    /// other. A backend that has been away for long says nothing of the one that was meant; one without the
    /// model says even less, for where the model is it may be had later.
    static func moreInformative(_ earlier: FailedAttempt, _ later: FailedAttempt) -> FailedAttempt {
        weight(later) > weight(earlier) ? later : earlier
    }

    private static func weight(_ attempt: FailedAttempt) -> Int {
        attempt.failure.kind == .notFound ? 0 : attempt.hasAnswered ? 2 : 1
    }

    /// What the client is told in the end: a backend that is away once may be restarting, one that has been
    /// away for long is a fault, for which nobody should wait.
    static func told(_ failure: ClientError, isPersistent: Bool) -> ClientError {
        guard isPersistent, failure.status == 529 else { return failure }
        var told = ClientError(status: 502, kind: .api, message: failure.message, shouldRetry: false)
        told.noted = failure.noted
        return told
    }
}
