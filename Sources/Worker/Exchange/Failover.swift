// Whether a failed attempt may be repeated with another backend, and whose words the client gets when none
// succeeds. Pure. The client must not have seen anything of an answer, and the failure must be the backend's
// state, not the request's fault: an overflow or a refusal that another backend would repeat in worse words has
// to reach the client as it is.

internal import HTTP
internal import Translation

/// A backend that failed before the client had seen anything, with what would be told and remembered of it.
struct FailedAttempt {
    let failure: Failure
    let outcome: Outcome
    let fields: [ResponseHead.Field]
    let record: ExchangeRecord

    init(
        _ failure: Failure, _ outcome: Outcome, fields: [ResponseHead.Field], _ record: ExchangeRecord
    ) {
        self.failure = failure
        self.outcome = outcome.with(failure)
        self.fields = fields
        self.record = record
    }
}

enum Failover {
    static func mayTryNext(_ failure: Failure) -> Bool {
        guard case .upstream(let fault) = failure else { return false }
        switch fault.cause {
        case .unreachable, .misconfigured, .brokenConnection, .closedEarly: return true
        case .redirects, .notAnAPI, .unusable, .unloaded, .generationFailed, .unparsedOutput: return true
        case .refusedCredentials, .notSignedIn, .endpointMissing, .refusedForm, .outOfMemory, .failed:
            return true
        // Busy, or without this model: another backend may not be.
        case .rateLimited, .overloaded, .modelMissing: return true
        // It may hang. One that waited too long for something else has tried what could be done.
        case .timedOut: return true
        case .deadlineExceeded: return false
        case .billing, .promptTooLong, .imagesUnsupported, .requestRejected, .requestTooLarge, .conflict:
            return false
        }
    }

    /// Which of two failures tells the client more: the backend that answered, else the one preferred to the
    /// other. A backend that has been away for long says nothing of the one that was meant; one without the
    /// model says even less, for where the model is it may be had later.
    static func moreInformative(_ earlier: FailedAttempt, _ later: FailedAttempt) -> FailedAttempt {
        weight(later) > weight(earlier) ? later : earlier
    }

    /// Whether the service's refusal tells the client more than what failed before.
    static func says(more refusal: Failure?, than failed: FailedAttempt) -> Bool {
        refusal.map { weight($0) > weight(failed.failure) } ?? false
    }

    private static func weight(_ attempt: FailedAttempt) -> Int { weight(attempt.failure) }

    private static func weight(_ failure: Failure) -> Int {
        guard case .upstream(let fault) = failure else { return 2 }
        switch fault.cause {
        case .modelMissing: return 0
        case .unreachable, .misconfigured, .brokenConnection, .timedOut: return 1
        // It said something, if only that it cannot.
        default: return 3
        }
    }
}
