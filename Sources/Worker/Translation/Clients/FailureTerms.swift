// What is said of a failure wherever it is said: to clients of any API, and in the journal. The one place
// where a cause becomes a status and a sentence; what an API says differently stands in its own folder.

struct FailureTerms {
    /// Among HTTP's, and 529 for what is busy. An API without 529 has another one.
    let status: Int
    let kind: ErrorKind
    /// For the client and for the journal.
    let words: ErrorWords
    /// `retry-after`, whole seconds.
    let retryAfter: Int?
    /// `x-should-retry`; nil = the client decides.
    let shouldRetry: Bool?

    /// - Parameters:
    ///   - retryAfter: brought to 1…60: clients give a turn up at once for more.
    ///   - shouldRetry: nil = what the kind stands for.
    init(
        _ status: Int, _ kind: ErrorKind, _ words: ErrorWords, retryAfter: Int? = nil,
        shouldRetry: Bool? = nil
    ) {
        self.status = status
        self.kind = kind
        self.words = words
        self.retryAfter = retryAfter.map { min(max($0, 1), Self.longestRetry) }
        self.shouldRetry = shouldRetry ?? (kind.isFinal ? false : nil)
    }

    /// The same with what a backend of the client's API said about trying again.
    private init(_ terms: FailureTerms, _ advice: RetryAdvice) {
        status = terms.status
        kind = terms.kind
        words = terms.words
        retryAfter = advice.prevails ? advice.after : terms.retryAfter
        shouldRetry =
            advice.prevails ? advice.again ?? terms.shouldRetry : terms.shouldRetry ?? advice.again
    }

    /// Seconds in `retry-after` at most.
    static let longestRetry = 60
}

extension Failure {
    var terms: FailureTerms {
        switch self {
        case .request(let fault): FailureTerms(fault)
        case .upstream(let fault): FailureTerms(fault)
        case .routing(let fault): FailureTerms(fault)
        case .gateway(let fault): FailureTerms(fault)
        }
    }

    /// For the journal: `529 overloaded_error`, and why, in words of our own: nothing of a client's or a
    /// backend's text. No reason where the first says it all.
    public var entry: (error: String, reason: String?) {
        let terms = terms
        let reason: String? =
            switch self {
            case .gateway(.stopping), .gateway(.noRoom), .gateway(.noStatus): nil
            case .request, .upstream, .routing, .gateway: terms.words.noted
            }
        return ("\(terms.status) \(terms.kind.rawValue)", reason)
    }
}

// MARK: Faults of the request

extension FailureTerms {
    fileprivate init(_ fault: RequestFault) {
        switch fault {
        case .framing(let status, let words):
            self.init(status, status == 413 ? .requestTooLarge : .invalidRequest, words)
        case .late(let part):
            self.init(408, .timeout, "The request's \(part.rawValue) did not come in time.")
        case .bodyTooLarge(let limit):
            self.init(413, .requestTooLarge, "The request body exceeds \(limit) bytes.")
        case .bodyEncoded: self.init(400, .invalidRequest, "Send the body without Content-Encoding.")
        case .invalidKey: self.init(401, .authentication, "invalid x-api-key")
        case .foreignHost:
            self.init(
                403, .permission,
                "This host name is not accepted here; add it to `hosts` in the configuration.")
        case .fromWebPage:
            self.init(
                403, .permission,
                "Requests from web pages are not accepted; a page's host can be named in `hosts`.")
        case .unknownPath(let path): self.init(404, .notFound, "Not found: \(path).")
        case .futureEndpoint(let name):
            self.init(404, .notFound, "\(name) is not supported in this version.")
        case .localOnly(let name):
            self.init(403, .permission, "\(name) answers only to clients on this machine.")
        case .wrongMethod(let path, let allowed):
            self.init(405, .invalidRequest, "Method not allowed: \(path) takes \(allowed).")
        case .unlistedModel(let name): self.init(404, .notFound, "model: \(name)")
        case .malformed(let complaint): self.init(400, .invalidRequest, complaint.words)
        case .promptTooLong(let tokens, let window):
            self.init(400, .invalidRequest, "prompt is too long: \(tokens) tokens > \(window) maximum")
        case .unsupported(let words): self.init(400, .invalidRequest, words)
        }
    }
}

// MARK: Faults of the gateway

extension FailureTerms {
    fileprivate init(_ fault: GatewayFault) {
        switch fault {
        case .stopping:
            // Another instance needs a moment to start.
            self.init(
                529, .overloaded, "The gateway is being stopped; try again.", retryAfter: 2,
                shouldRetry: true)
        case .notReady: self.init(529, .overloaded, "No backend is available yet.", retryAfter: 1)
        case .noRoom(let seconds):
            self.init(
                529, .overloaded, "Too many large requests are being handled at once; try again soon.",
                retryAfter: seconds, shouldRetry: true)
        case .queueFull(let waiting, let seconds):
            self.init(
                529, .overloaded,
                "The queue is full: \(waiting) requests wait for a backend; try again soon.",
                retryAfter: seconds, shouldRetry: true)
        case .waitedTooLong(let seconds):
            self.init(
                529, .overloaded, "No backend had a free place in time; try again later.",
                retryAfter: seconds, shouldRetry: true)
        case .resting(let seconds):
            self.init(
                529, .overloaded, "All backends for this model have asked to be left alone for a while.",
                retryAfter: seconds, shouldRetry: true)
        case .noStatus: self.init(500, .api, "The status did not come in time; try again.")
        }
    }
}

// MARK: No backend

extension FailureTerms {
    /// Longest part of a requested name that is repeated to the client, in characters.
    private static let shownName = 120
    /// Names of backends that are told.
    private static let listedNames = 5
    /// Seconds to wait for a backend that may be starting.
    private static let startDelay = 5

    fileprivate init(_ fault: RoutingFault) {
        switch fault {
        case .unknownModel(let name, let hint):
            let name = String(name.prefix(Self.shownName))
            self.init(404, .notFound, "model: \(name) is not known; \(Self.words(hint)).")
        case .nothingToServe(let isConfigured):
            self.init(
                529, .overloaded,
                isConfigured
                    ? "No backend is answering now; it may be starting."
                    : "No backend is answering on its usual port; start one or configure it.",
                retryAfter: Self.startDelay)
        case .noModels(let backends):
            let example = backends.first ?? "backend"
            self.init(
                404, .notFound,
                "model: \(Self.subject(backends)) but \(backends.count == 1 ? "lists" : "list") no models; load one there, or ask for `\(example)/MODEL`."
            )
        case .lost(let backends):
            self.init(
                502, .api, "No backend has answered for some time: \(Self.list(backends)).",
                shouldRetry: false)
        }
    }

    private static func words(_ hint: RoutingFault.Hint) -> String {
        switch hint {
        case .nearest(let name): "the nearest is \(name)"
        case .some(let names, let more):
            "\(more ? "some of those available are" : names.count == 1 ? "available is" : "available are") \(list(names))"
        }
    }

    private static func subject(_ backends: [String]) -> String {
        backends.count == 1
            ? "the backend \(list(backends)) answers" : "the backends \(list(backends)) answer"
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(listedNames).joined(separator: ", ")
        return names.count > listedNames ? shown + ", …" : shown
    }
}

// MARK: Faults of a backend

extension FailureTerms {
    /// Seconds to wait for a backend that cannot be reached now.
    private static let restartDelay = 5
    /// Seconds to wait for a model that was unloaded.
    private static let reloadDelay = 1

    fileprivate init(_ fault: UpstreamFault) {
        let terms =
            fault.passed.map { FailureTerms($0.status, $0.kind, fault.whatItSaid) }
            ?? FailureTerms(own: fault)
        self = fault.advice.map { FailureTerms(terms, $0) } ?? terms
    }

    private init(own fault: UpstreamFault) {
        func did(_ words: ErrorWords) -> ErrorWords { "\(fault.subject) \(words)" }
        let status = fault.status ?? 200
        switch fault.cause {
        // A backend that is away once may be restarting; one that has been away for long is a fault, for
        // which nobody should wait.
        case .unreachable(let detail, isPersistent: false):
            self.init(
                529, .overloaded, did(Self.sentence("cannot be reached", detail)),
                retryAfter: Self.restartDelay)
        case .unreachable(let detail, isPersistent: true):
            self.init(502, .api, did(Self.sentence("cannot be reached", detail)), shouldRetry: false)
        case .misconfigured(let detail):
            self.init(
                502, .api, did(Self.sentence("cannot be used as configured", detail)), shouldRetry: false)
        case .brokenConnection(let detail):
            self.init(502, .api, did(Self.sentence("broke the connection", detail)))
        case .closedEarly: self.init(502, .api, did("closed the stream early."))
        case .timedOut(let limit): self.init(504, .timeout, did("did not answer in time (\(limit))."))
        case .redirects:
            self.init(
                502, .api, did("redirects elsewhere (\(status)): its `url` must be the final address."),
                shouldRetry: false)
        case .notAnAPI(let answer): self.init(502, .api, did(Self.words(answer)), shouldRetry: false)
        case .unusable(let flaw):
            self.init(502, .api, did(Self.words(flaw)), shouldRetry: flaw.isLasting ? false : nil)
        case .unloaded:
            self.init(
                529, .overloaded, did("unloaded the model."), retryAfter: Self.reloadDelay,
                shouldRetry: true)
        case .generationFailed(let reason):
            self.init(
                502, .api,
                ErrorWords(
                    told: "the backend stopped with finish_reason \"\(reason)\"",
                    noted: fault.answered.noted))
        case .unparsedOutput: self.init(500, .api, fault.whatItSaid, shouldRetry: true)
        case .refusedCredentials:
            self.init(
                502, .api,
                did("rejected the gateway's credentials: check its key in the configuration."),
                shouldRetry: false)
        case .notSignedIn:
            self.init(
                502, .api, did("is not signed in to Ollama for this model: run `ollama signin` there."),
                shouldRetry: false)
        case .billing: self.init(402, .billing, fault.whatItSaid)
        case .rateLimited(let seconds): self.init(429, .rateLimit, fault.whatItSaid, retryAfter: seconds)
        case .overloaded(let seconds):
            self.init(529, .overloaded, fault.whatItSaid, retryAfter: seconds, shouldRetry: true)
        case .modelMissing(let model?):
            let said = fault.said.isEmpty ? "The backend answered with status \(status)." : fault.said
            self.init(404, .notFound, "model: \(model) (\(Excerpt.whole(said)))")
        case .modelMissing(nil): self.init(404, .notFound, fault.whatItSaid)
        case .endpointMissing(let path):
            self.init(502, .api, did("has no \(path) (404)."), shouldRetry: false)
        case .refusedForm:
            let said = fault.said.isEmpty ? "The backend answered with status \(status)." : fault.said
            self.init(
                500, .api, did("refused the request (\(status)): \(Excerpt.said(said))."),
                shouldRetry: false)
        case .promptTooLong(let overflow):
            self.init(400, .invalidRequest, Self.words(overflow, fault.said))
        case .imagesUnsupported, .requestRejected: self.init(400, .invalidRequest, fault.whatItSaid)
        case .requestTooLarge: self.init(413, .requestTooLarge, fault.whatItSaid)
        case .conflict: self.init(409, .conflict, fault.whatItSaid)
        case .deadlineExceeded: self.init(504, .timeout, fault.whatItSaid)
        case .outOfMemory: self.init(500, .api, fault.whatItSaid, shouldRetry: false)
        case .failed where status == 500: self.init(500, .api, fault.whatItSaid)
        case .failed:
            let line = fault.firstLine
            self.init(
                502, .api,
                line.isEmpty
                    ? fault.answered : did("answered with status \(status): \(Excerpt.said(line)).")
            )
        }
    }

    private static func sentence(_ words: ErrorWords, _ detail: String) -> ErrorWords {
        detail.isEmpty ? words + "." : "\(words): \(Excerpt.said(detail))."
    }

    private static func words(_ answer: UpstreamFault.ForeignAnswer) -> ErrorWords {
        let what: ErrorWords = answer.isPage ? "a web page" : "text"
        let words: ErrorWords = answer.line.isEmpty ? what : "\(what) (\(Excerpt.shown(answer.line)))"
        let advice: ErrorWords =
            answer.place.isEmpty ? "check its `url`." : "check that its API is at \(answer.place)."
        return "answered with \(words) instead of JSON; \(advice)"
    }

    /// None of them quotes what came: half an answer belongs in no error message.
    private static func words(_ flaw: UpstreamFault.AnswerFlaw) -> ErrorWords {
        switch flaw {
        case .compressed(let encoding):
            "sent an answer that is compressed (\(Excerpt.shown(encoding))), which was not asked for."
        case .tooLarge: "sent an answer larger than this gateway reads."
        case .toolCallsTooLarge: "sent tool calls larger than this gateway holds."
        case .document: "sent an answer that cannot be read."
        case .event: "sent an event that cannot be read."
        case .arguments(let tool):
            "called the tool \(Excerpt.shown(tool)) with arguments that cannot be read."
        case .noChoices: "sent an answer without choices."
        }
    }

    /// Words on which clients compact their conversation. With input and output known and the input fitting,
    /// fewer output tokens would do, which has its own wording.
    private static func words(_ overflow: ContextOverflow, _ original: String) -> ErrorWords {
        // A prompt that would fit says nothing about what is too long.
        guard let input = overflow.input, let limit = overflow.limit,
            input >= limit || overflow.output != nil
        else {
            return
                "prompt is too long: capability_rejected: prompt_too_long: \(Excerpt.whole(original))"
        }
        if let output = overflow.output, input < limit {
            return
                "input length and `max_tokens` exceed context limit: \(input) + \(output) > \(limit), "
                + "decrease input length or `max_tokens` and try again"
        }
        return
            "prompt is too long: \(input) tokens > \(limit) maximum (capability_rejected: prompt_too_long)"
    }
}

extension UpstreamFault {
    fileprivate var subject: String { backend.isEmpty ? "The backend" : "The backend \(backend)" }

    fileprivate var answered: ErrorWords { "\(subject) answered with status \(status ?? 200)." }

    /// Its own words; the journal is told only that it had some. Where it had none, that it answered.
    fileprivate var whatItSaid: ErrorWords {
        if let ownWords { return ErrorWords(told: ownWords, noted: answered.noted) }
        // Clients take 413 with such words for a full context.
        guard case .requestTooLarge = cause, !said.isEmpty else { return answered }
        return ErrorWords(
            told: "\(subject) refused a request of this size.", noted: answered.noted)
    }
}

extension UpstreamFault.AnswerFlaw {
    /// The same request brings the same again.
    fileprivate var isLasting: Bool {
        switch self {
        case .compressed, .tooLarge, .toolCallsTooLarge: true
        case .document, .event, .arguments, .noChoices: false
        }
    }
}
