// What became of a request at a backend, as the service has to know it: for health, for what is learnt of its
// speed, for fairness and for the counts.

public struct AttemptReport: Sendable, Equatable {
    public enum Verdict: Sendable, Equatable {
        /// An answer, whole or as far as the client wanted it; also a refusal that is the request's own fault.
        case well
        /// It never got there: withdrawn while it waited, or not sent.
        case notSent
        /// No connection, or the kept one was dead.
        case unreachable
        /// The connection broke before the answer was whole.
        case broken
        /// An answer that says that the backend cannot: its status.
        case failed(status: UInt16)
        /// No first byte in time.
        case firstByteTimeout
        /// Silent in the middle of an answer for too long.
        case stalled
        /// It answers, and wants to be left alone: for so many seconds, 0 = it does not say.
        case busy(rest: UInt16)
        /// The model is being loaded.
        case loading
        /// It has no such model.
        case modelMissing
    }

    public var verdict: Verdict
    /// From sending to the first byte of an answer; 0 = there was none. Microseconds.
    public var firstByte: UInt64 = 0
    /// From sending to the end. Microseconds.
    public var duration: UInt64 = 0
    public var inputTokens: UInt32 = 0
    /// Of these, as the backend reports them, read from its cache; nil where it does not say.
    public var cachedTokens: UInt32?
    public var outputTokens: UInt32 = 0
    /// The client has its answer, or is gone: no other backend is asked.
    public var isLast = true
    /// The client's answer is an error.
    public var isFailure = false

    public init(_ verdict: Verdict) { self.verdict = verdict }
}

/// What workers tell of their exchanges without waiting for an answer; several in one message.
public enum ExchangeNotice: Sendable, Equatable {
    /// Sent to the only candidate without having asked.
    case began(ticket: UInt64, AdmissionQuestion)
    /// The first byte of an answer, where the grant was a trial.
    case answered(ticket: UInt64)
    /// The end of what was granted or begun; also withdraws a question not answered yet.
    case ended(ticket: UInt64, AttemptReport)
    /// An exchange that was refused before any backend was chosen.
    case refused(client: String)

    /// In one message at most.
    public static let maximum = 64
}
