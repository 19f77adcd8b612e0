// Whether a prompt fits: where the estimate leaves it in doubt, the backend that would get it is asked for
// its own count, once in an exchange. A prompt that fits is sent; what is told of one that does not is exact.

internal import EventLoop
internal import JSON
internal import Shared
internal import Translation

@Loop
struct PromptCounts {
    /// What the backends asked so far have said, by index; nil = nothing.
    private var answers: [Int: Int?] = [:]

    func tokens(_ index: Int) -> Int? { answers[index] ?? nil }

    mutating func note(_ count: Int?, for index: Int) { answers[index] = .some(count) }

    /// Whether to ask this backend before it gets the request.
    func shouldAsk(_ message: ClientRequest, _ access: BackendAccess, _ registry: BackendRegistry) -> Bool {
        guard answers[access.index] == nil, CountQuestion.canBeAsked(of: access.target),
            let request = message.messages, request.isDoubtful(for: access.target)
        else { return false }
        return registry.counts(access.index)
    }
}

extension ExchangeContext {
    /// The tokens of a message as the backend counts them; nil when it does not say in time.
    func count(_ message: ClientRequest, _ access: BackendAccess) async -> Int? {
        guard let request = message.messages else { return nil }
        return await count(request, access, request.estimate(for: access.target))
    }
}
