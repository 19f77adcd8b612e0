// What an ended attempt says of its backend: to the service (`AttemptReport.Verdict`), and in one word to the
// journal. Pure.

internal import Shared
internal import Translation

/// How far the transport came.
struct AttemptCircumstances {
    /// The connection stood.
    var wasConnected = false
    /// The head of an answer came.
    var hasHead = false
}

extension AttemptReport.Verdict {
    init(_ outcome: Outcome, _ seen: AttemptCircumstances) {
        switch outcome {
        case .completed: self = .well
        case .truncated: self = .broken
        // A client that does not wait for the first byte says nothing of the backend.
        case .cancelled: self = seen.hasHead ? .well : .notSent
        case .upstreamFailed(let failure), .timedOut(let failure): self.init(failure, seen)
        }
    }

    init(_ failure: Failure, _ seen: AttemptCircumstances) {
        switch failure {
        case .upstream(let fault): self.init(fault, seen)
        case .gateway: self = seen.hasHead ? .well : .notSent
        case .request, .routing: self = .well
        }
    }

    private init(_ fault: UpstreamFault, _ seen: AttemptCircumstances) {
        switch fault.cause {
        case .unreachable, .misconfigured: self = seen.wasConnected ? .broken : .unreachable
        case .brokenConnection, .closedEarly: self = .broken
        case .timedOut(let limit): self = limit == "idle" ? .stalled : .firstByteTimeout
        case .overloaded where fault.isLoading: self = .loading
        case .rateLimited, .overloaded: self = .busy(rest: UInt16(clamping: max(fault.rest ?? 0, 0)))
        case .unloaded: self = .loading
        case .modelMissing: self = .modelMissing
        case .redirects, .notAnAPI, .refusedCredentials, .notSignedIn, .billing, .endpointMissing,
            .refusedForm, .deadlineExceeded, .outOfMemory, .failed, .generationFailed:
            self = .failed(status: Self.status(fault, else: 500))
        case .unusable(let flaw):
            // What its model made of the request is no fault of the backend.
            self = flaw.isModels ? .well : .failed(status: Self.status(fault, else: 200))
        case .unparsedOutput, .promptTooLong, .imagesUnsupported, .requestRejected, .requestTooLarge,
            .conflict:
            self = .well
        }
    }

    /// How long the backend will answer no better, if it is well otherwise.
    var rest: Duration? {
        switch self {
        case .busy(let seconds): .seconds(max(seconds, 1))
        case .loading: .seconds(1)
        default: nil
        }
    }

    private static func status(_ fault: UpstreamFault, else other: UInt16) -> UInt16 {
        fault.status.map { UInt16(clamping: $0) } ?? other
    }
}

extension Outcome {
    /// Why a backend failed, in one of the journal's words; nil = it did not, or it is no backend's doing.
    func causeWord(_ seen: AttemptCircumstances) -> String? {
        switch self {
        case .completed, .cancelled: nil
        case .truncated: seen.hasHead ? "cut" : "reset"
        case .upstreamFailed(let failure), .timedOut(let failure): failure.causeWord(seen)
        }
    }
}

extension Failure {
    /// Why a backend failed, in one of the journal's words; nil = it is no backend's doing.
    func causeWord(_ seen: AttemptCircumstances) -> String? {
        if case .gateway(.stopping) = self { return "stopped" }
        guard case .upstream(let fault) = self else { return nil }
        switch fault.cause {
        case .unreachable, .misconfigured: return seen.wasConnected ? "reset" : "refused"
        case .brokenConnection: return seen.hasHead ? "cut" : "reset"
        case .closedEarly: return "cut"
        case .timedOut(let limit): return limit == "idle" ? "stall" : limit
        case .unloaded: return "loading"
        case .overloaded where fault.isLoading: return "loading"
        default: return fault.status.map { "status_\($0)" }
        }
    }
}
