// What follows from each cause: what clients are told, whether another backend may be tried.

import EventLoop
import HTTP
import Shared
import Testing

@testable import Translation
@testable import Worker

struct CauseTableTests {
    private typealias Cause = UpstreamFault.Cause

    /// Every cause, with the status that brings it.
    private static let causes: [(Cause, status: Int?)] = [
        (.unreachable(detail: "refused", isPersistent: false), nil),
        (.unreachable(detail: "refused", isPersistent: true), nil), (.misconfigured(detail: "TLS"), nil),
        (.brokenConnection(detail: "reset"), nil), (.closedEarly, nil), (.timedOut(limit: "idle"), nil),
        (.redirects, 307), (.notAnAPI(.init(isPage: true, line: "", place: "")), 200),
        (.unusable(.compressed("br")), 200), (.unusable(.tooLarge), 200),
        (.unusable(.toolCallsTooLarge), 200), (.unusable(.document), 200), (.unusable(.event), 200),
        (.unusable(.arguments(tool: "t")), 200), (.unusable(.noChoices), 200), (.unloaded, 200),
        (.generationFailed(reason: "error"), 200), (.unparsedOutput, 500), (.refusedCredentials, 401),
        (.notSignedIn, 401), (.billing, 402), (.rateLimited(retryAfter: nil), 429),
        (.rateLimited(retryAfter: 90), 429), (.overloaded(retryAfter: 7), 503), (.modelMissing("m"), 404),
        (.modelMissing(nil), 404), (.endpointMissing("/v1/x"), 404), (.refusedForm, 405),
        (.promptTooLong(ContextOverflow(input: 9, limit: 5)), 400), (.imagesUnsupported, 500),
        (.requestRejected, 422), (.requestTooLarge, 413), (.conflict, 409), (.deadlineExceeded, 504),
        (.outOfMemory, 500), (.failed, 500), (.failed, 502),
    ]

    /// Cause: kind; status for the Messages API and for OpenAI's; `retry-after`; `x-should-retry`; whether
    /// the next backend may be tried.
    private static let expected = """
        unreachable: overloaded_error 529 503 5 - next broken reset
        unreachable for long: api_error 502 502 - false next broken reset
        misconfigured: api_error 502 502 - false next broken reset
        brokenConnection: api_error 502 502 - - next broken cut
        closedEarly: api_error 502 502 - - next broken cut
        timedOut: timeout_error 504 504 - - next stalled stall
        redirects 307: api_error 502 502 - false next failed(status: 307) status_307
        notAnAPI 200: api_error 502 502 - false next failed(status: 200) status_200
        unusable compressed 200: api_error 502 502 - false next failed(status: 200) status_200
        unusable tooLarge 200: api_error 502 502 - false next well status_200
        unusable toolCallsTooLarge 200: api_error 502 502 - false next well status_200
        unusable document 200: api_error 502 502 - - next failed(status: 200) status_200
        unusable event 200: api_error 502 502 - - next failed(status: 200) status_200
        unusable arguments 200: api_error 502 502 - - next well status_200
        unusable noChoices 200: api_error 502 502 - - next failed(status: 200) status_200
        unloaded 200: overloaded_error 529 503 1 true next loading loading
        generationFailed 200: api_error 502 502 - - next failed(status: 200) status_200
        unparsedOutput 500: api_error 500 500 - true next well status_500
        refusedCredentials 401: api_error 502 502 - false next failed(status: 401) status_401
        notSignedIn 401: api_error 502 502 - false next failed(status: 401) status_401
        billing 402: billing_error 402 429 - false final failed(status: 402) status_402
        rateLimited 429: rate_limit_error 429 429 - - next busy(rest: 0) status_429
        rateLimited 429: rate_limit_error 429 429 60 - next busy(rest: 90) status_429
        overloaded 503: overloaded_error 529 503 7 true next busy(rest: 7) status_503
        modelMissing 404: not_found_error 404 404 - false next modelMissing status_404
        modelMissing 404: not_found_error 404 404 - false next modelMissing status_404
        endpointMissing 404: api_error 502 502 - false next failed(status: 404) status_404
        refusedForm 405: api_error 500 500 - false next failed(status: 405) status_405
        promptTooLong 400: invalid_request_error 400 400 - false final well status_400
        imagesUnsupported 500: invalid_request_error 400 400 - false final well status_500
        requestRejected 422: invalid_request_error 400 400 - false final well status_422
        requestTooLarge 413: request_too_large 413 413 - false final well status_413
        conflict 409: conflict_error 409 409 - - final well status_409
        deadlineExceeded 504: timeout_error 504 504 - - final failed(status: 504) status_504
        outOfMemory 500: api_error 500 500 - false next failed(status: 500) status_500
        failed 500: api_error 500 500 - - next failed(status: 500) status_500
        failed 502: api_error 502 502 - - next failed(status: 502) status_502
        """

    @Test(
        "from the cause to the statuses, to trying again, to the next backend, to what the service and the journal are told"
    )
    func table() {
        let lines = Self.causes.map { cause, status in
            let failure = Failure.upstream(UpstreamFault(cause, status: status, said: "words"))
            let (messages, chat) = (failure.error(for: .messages), failure.error(for: .chat))
            #expect(messages.retryAfter == chat.retryAfter && messages.shouldRetry == chat.shouldRetry)
            let next = Failover.mayTryNext(failure)
            return "\(Self.name(cause))\(status.map { " \($0)" } ?? ""): \(messages.type)"
                + " \(messages.status) \(chat.status)"
                + " \(messages.retryAfter.map(String.init) ?? "-")"
                + " \(messages.shouldRetry.map(String.init) ?? "-") \(next ? "next" : "final")"
                + " \(AttemptReport.Verdict(failure, .init(wasConnected: true, hasHead: true)))"
                + " \(failure.causeWord(.init(wasConnected: true, hasHead: true)) ?? "-")"
        }
        #expect(lines.joined(separator: "\n") == Self.expected)
    }

    private static func name(_ cause: Cause) -> String {
        if case .unreachable(_, isPersistent: true) = cause { return "unreachable for long" }
        if case .unusable(let flaw) = cause { return "unusable \(word(flaw))" }
        return word(cause)
    }

    private static func word(_ value: some Sendable) -> String {
        String("\(value)".prefix { $0 != "(" })
    }

    @Test("a failure is one reference, and so is what holds it")
    func size() {
        #expect(MemoryLayout<Failure>.size == MemoryLayout<Int>.size)
        #expect(MemoryLayout<Outcome?>.size == MemoryLayout<Int>.size)
    }

    @Test("what is no backend's doing is no reason to try another")
    func others() {
        let failures: [Failure] = [
            .gateway(.stopping), .gateway(.notReady), .routing(.lost(["b"])), .request(.invalidKey),
        ]
        for failure in failures { #expect(!Failover.mayTryNext(failure)) }
    }
}

struct FailedAttemptTests {
    private static func attempt(_ fault: UpstreamFault) -> FailedAttempt {
        let failure = Failure.upstream(fault)
        return FailedAttempt(
            failure, .upstreamFailed(failure), fields: [],
            ExchangeRecord(requestID: "r", begun: Instant(nanoseconds: 0)))
    }

    private static let away = UpstreamFault.Cause.unreachable(detail: "", isPersistent: false)
    private static let busy = UpstreamFault.Cause.rateLimited(retryAfter: nil)

    @Test(
        "of several failed backends the first that answered is told, else the first; a missing model says least",
        arguments: [
            ([away, away, away], 0), ([away, .failed, away], 1), ([.failed, .failed], 0),
            ([away, away, .failed], 2), ([.modelMissing(nil), busy], 1), ([busy, .modelMissing(nil)], 0),
            ([.modelMissing(nil), away], 1), ([away, .modelMissing(nil)], 0),
            ([.modelMissing(nil), .modelMissing(nil)], 0), ([away, busy], 1),
            ([.modelMissing(nil), away, .failed], 2), ([away, .closedEarly], 1),
        ] as [([UpstreamFault.Cause], Int)])
    func moreInformative(causes: [UpstreamFault.Cause], expected: Int) {
        let attempts = causes.enumerated().map { index, cause in
            Self.attempt(UpstreamFault(cause, status: 500, said: "\(index)"))
        }
        let chosen = attempts.dropFirst().reduce(attempts[0]) { Failover.moreInformative($0, $1) }
        #expect(chosen.failure == attempts[expected].failure)
    }

    @Test("a backend that stays away becomes a fault; other failures stay what they are")
    func persistent() {
        let away = Failure.upstream(UpstreamFault(Self.away))
        let (once, long) = (away.error(for: .messages), away.persisting.error(for: .messages))
        #expect(once.status == 529 && long.status == 502 && long.message == once.message)
        let other = Failure.upstream(UpstreamFault(.requestRejected, status: 400, said: "no"))
        #expect(other.persisting == other)
    }
}
