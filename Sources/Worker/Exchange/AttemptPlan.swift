// What one attempt will do, decided before anything is done: where the reply comes from, how it is
// translated, when the client must hear something. Pure; effects begin with `Attempt.run`.

internal import EventLoop
internal import Shared
internal import Translation
internal import Upstream

struct AttemptPlan: ~Copyable {
    /// Where the reply comes from.
    enum Source {
        case backend(Int, UpstreamRequest)
        case demo(Demo)
    }

    /// What is different for each answer, and the same in all attempts at it.
    struct Identity {
        var message: String
        var request: String
        /// When the reply was begun, in seconds since 1970.
        var created: Int
    }

    let source: Source
    var reply: ClientReply
    let timing: ExchangeTiming
    /// The client reads a stream.
    let isStreaming: Bool

    /// - Parameters:
    ///   - begun: when the whole request was here.
    ///   - opening: what the client has seen already.
    ///   - lastSent: when that was.
    init(
        _ message: ClientRequest, _ call: UpstreamCall, to destination: Destination, begun: Instant,
        opening: ReplyOpening, lastSent: Instant?, _ identity: Identity, _ timeouts: Configuration.Timeouts
    ) {
        isStreaming = message.stream
        timing = ExchangeTiming(
            begun: begun, holdStatus: destination.holdStatus ?? timeouts.holdStatus, lastSent: lastSent)
        reply = ClientReply(
            to: message, call, messageID: identity.message, requestID: identity.request,
            created: identity.created, opening: opening)
        switch destination {
        case .demo(let request):
            source = .demo(
                Demo(
                    answering: request, inputTokens: message.estimatedInputTokens,
                    callID: "toolu_" + identity.message.suffix(RequestIdentity.length)))
        case .backend(let access):
            source = .backend(access.index, access.request(for: call, timeouts))
        }
    }
}
