// How the backend in use is asked: once more where its refusal says how, whole where it had nothing to say in a
// stream, counted first where it is in doubt whether the prompt fits; and what its answers teach the registry.

internal import EventLoop
internal import Routing
internal import Translation

@Loop
final class Rounds {
    private let registry: BackendRegistry
    private var retry = FeatureRetry()
    /// It had nothing to say in a stream: it is asked for the whole answer.
    private var asksWhole = false
    private var counts = PromptCounts()
    /// What the backend's count of the prompt will be compared with.
    private var sentPrompt: SentPrompt?

    init(_ registry: BackendRegistry) { self.registry = registry }

    /// Another backend is asked from here on.
    func begin() {
        retry.reset()
        asksWhole = false
    }

    /// What any backend was asked without, for the journal.
    var withheld: [String] { retry.all }
    /// The request is asked otherwise than at first.
    var isAmended: Bool { retry.isAmended }

    /// As the backend is to be asked now.
    func amend(_ target: inout UpstreamTarget, of index: Int) {
        retry.amend(&target)
        target.asksWhole = asksWhole
        target.countedPrompt = counts.tokens(index)
    }

    func shouldCount(_ message: ClientRequest, _ access: BackendAccess) -> Bool {
        counts.shouldAsk(message, access, registry)
    }

    func note(_ count: Int?, of index: Int) { counts.note(count, for: index) }

    func sent(_ call: UpstreamCall, to access: BackendAccess) { sentPrompt = SentPrompt(access, call) }

    /// Whether the same backend is to be asked in another way.
    /// - Parameter isStreamed: it was asked for a stream.
    func asksAgain(after attempt: Attempt, isStreamed: Bool, of conversation: Int) -> Bool {
        if let refused = attempt.refused, retry.shouldRetry(without: refused, of: conversation) {
            return true
        }
        // Some servers fail inside their stream and say why only to those who ask without one.
        guard attempt.saidNothing, isStreamed, !asksWhole else { return false }
        asksWhole = true
        return true
    }

    // MARK: What was learnt

    /// The backend answers the request without what it had refused: the refusal is confirmed.
    func rememberVerdicts(at route: Route?) {
        guard let route, case .backend(let index) = route.destination else { return }
        registry.learn(index, route.model, retry.verdicts, of: retry.conversation)
    }

    func learn(from attempt: Attempt) {
        guard let sentPrompt else { return }
        registry.learn(answered: sentPrompt)
        // The count of a part says nothing of the whole.
        if let cut = attempt.promptTruncation {
            registry.learn(sentPrompt.index, sentPrompt.model, cut: cut)
        } else if let reported = attempt.reportedInput {
            registry.learn(sentPrompt, reported: reported)
        }
    }
}
