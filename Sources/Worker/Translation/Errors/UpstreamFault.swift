// How a backend failed: what it means, and what the backend itself said of it.

import JSON

public struct UpstreamFault: Sendable, Equatable {
    public var cause: Cause
    /// The status that it answered with, or that its error stands for; nil where it named no failure.
    public var status: Int?
    /// What it said, all of it and in its words; "" = nothing.
    var said: String
    /// Its name; "" = unknown.
    var backend = ""
    /// Not nil when it spoke of the error in the shape of a client's API.
    var passed: PassedError?
    var advice: RetryAdvice?

    init(_ cause: Cause, status: Int? = nil, said: String = "") {
        self.cause = cause
        self.status = status
        self.said = said
    }

    /// What decides about trying again, about another backend, and about what the client is told.
    public enum Cause: Sendable, Equatable {
        // The way to it. `detail` in words of libcurl and the system.

        /// No connection, or none that lived to bring a byte. `isPersistent` = it has been away for long.
        case unreachable(detail: String, isPersistent: Bool)
        /// Its name or its certificate is wrong: nothing that time mends.
        case misconfigured(detail: String)
        case brokenConnection(detail: String)
        /// The answer ended before it was whole.
        case closedEarly
        /// `limit` is the name of the limit of ours that has passed.
        case timedOut(limit: String)

        // What it sent is no answer.

        /// It sent the client elsewhere (3xx).
        case redirects
        /// A page or a text where JSON should be: something else listens there, or stands in front of it.
        case notAnAPI(ForeignAnswer)
        case unusable(AnswerFlaw)
        /// It unloaded the model while that was answering.
        case unloaded
        /// It says that the model stopped for this reason, which is a failure.
        case generationFailed(reason: String)
        /// It could not read what its own model wrote; the next try may be better.
        case unparsedOutput

        // It refused, or could not.

        /// The gateway's key for it.
        case refusedCredentials
        /// It has to be signed in to a service of its own.
        case notSignedIn
        /// It wants to be paid.
        case billing
        /// Seconds to wait, where it says them.
        case rateLimited(retryAfter: Int?)
        /// Busy or starting. Seconds to wait, where they are known.
        case overloaded(retryAfter: Int?)
        /// It does not have the model, given as the client named it where that is known.
        case modelMissing(String?)
        /// It has no such path.
        case endpointMissing(String)
        /// The request's method or type: not what it said.
        case refusedForm
        case promptTooLong(ContextOverflow)
        /// Its model sees no pictures, which it takes for a fault of its own.
        case imagesUnsupported
        /// Something else in the request.
        case requestRejected
        /// The request has too many bytes.
        case requestTooLarge
        case conflict
        /// It, or what stands in front of it, waited too long itself.
        case deadlineExceeded
        case outOfMemory
        /// Any other fault of its own.
        case failed
    }

    /// What answered that is no API.
    public struct ForeignAnswer: Sendable, Equatable {
        let isPage: Bool
        /// Its title or first line; "" = none.
        let line: String
        /// Host and port that were asked; "" = unknown.
        let place: String
    }

    /// What of an answer cannot be used.
    public enum AnswerFlaw: Sendable, Equatable {
        /// Compressed in this way, which was not asked for.
        case compressed(String)
        case tooLarge
        case toolCallsTooLarge
        case document
        /// Part of the answer is lost with it.
        case event
        /// The arguments of a call to this tool are none, and none are made up for it.
        case arguments(tool: String)
        case noChoices
    }
}

/// An error that a backend wrote in the shape of a client's API.
struct PassedError: Sendable, Equatable {
    let api: ClientAPI
    let status: Int
    let kind: ErrorKind
    /// The `error` object, JSON text on one line; nil = not to be shown as it is.
    var object: [UInt8]?
}

/// What a backend that speaks the client's API says of trying again.
struct RetryAdvice: Sendable, Equatable {
    /// Seconds, as it says them.
    var after: Int?
    /// `x-should-retry`.
    var again: Bool?
    /// Its error passes as it is, and no wait of ours stands beside it; else this counts only where the cause
    /// leaves it open.
    var prevails: Bool
}

extension UpstreamFault {
    /// An error in the shape of `api`.
    init(passed api: ClientAPI, status: Int, kind: ErrorKind, said: String) {
        self.init(Self.cause(kind, status, said), status: status, said: said)
        passed = PassedError(api: api, status: status, kind: kind)
    }

    private static func cause(_ kind: ErrorKind, _ status: Int, _ said: String) -> Cause {
        switch (kind, status) {
        case (.rateLimit, _): .rateLimited(retryAfter: nil)
        case (.notFound, _): .modelMissing(nil)
        case (_, 504): .deadlineExceeded
        case (_, 503), (_, 529): .overloaded(retryAfter: nil)
        case (_, 500...): .failed
        case (.invalidRequest, _), (.requestTooLarge, _):
            ContextOverflow(text: said).map { .promptTooLong($0) }
                ?? (status == 413 ? .requestTooLarge : .requestRejected)
        case (_, 402): .billing
        case (_, 408): .deadlineExceeded
        case (_, 409): .conflict
        default: .requestRejected
        }
    }

    /// What a client is told in the backend's words alone; nil where words of ours are needed.
    var ownWords: String? {
        guard passed == nil else { return said }
        switch cause {
        case .requestRejected, .billing, .conflict, .deadlineExceeded, .rateLimited, .modelMissing(nil):
            return said.isEmpty ? nil : said
        case .overloaded: return said.isEmpty ? nil : firstLine.isEmpty ? said : firstLine
        case .imagesUnsupported, .outOfMemory, .unparsedOutput: return firstLine
        case .failed: return status == 500 && !firstLine.isEmpty ? firstLine : nil
        case .requestTooLarge:
            // Clients take 413 with these words for a full context.
            return said.isEmpty || said.lowercased().contains("context window") ? nil : said
        case .unreachable, .misconfigured, .brokenConnection, .closedEarly, .timedOut, .redirects, .notAnAPI,
            .unusable, .unloaded, .generationFailed, .refusedCredentials, .notSignedIn, .modelMissing,
            .endpointMissing, .refusedForm, .promptTooLong:
            return nil
        }
    }

    /// What it said without stack traces and with its first line only: what servers say of their own faults
    /// is for their log.
    var firstLine: String {
        let lines = said.split(whereSeparator: \.isNewline)
        let isTrace = said.contains("Traceback (most recent call last)")
        let line = (isTrace ? lines.last : lines.first).map(String.init) ?? ""
        return String(line.prefix(500))
    }

    /// The status under which what it refused is looked for in what it said; nil = it refused nothing of the
    /// request that could be left out.
    var refusalStatus: Int? {
        if let passed { return passed.status }
        switch cause {
        case .requestRejected, .imagesUnsupported: return 400
        case .modelMissing: return 404
        case .refusedForm, .unparsedOutput, .outOfMemory: return 500
        case .failed: return status == 500 ? 500 : nil
        case .unreachable, .misconfigured, .brokenConnection, .closedEarly, .timedOut, .redirects, .notAnAPI,
            .unusable, .unloaded, .generationFailed, .refusedCredentials, .notSignedIn, .billing,
            .rateLimited, .overloaded, .endpointMissing, .promptTooLong, .requestTooLarge, .conflict,
            .deadlineExceeded:
            return nil
        }
    }
}
