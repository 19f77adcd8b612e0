// A reply behind one type, whatever it is made of: asked a few times for each read of the backend's answer,
// never for an event.

/// What an exchange's owner does with a reply: bytes in, bytes out, one end. Its members are functions that
/// are made where the types of reader and writer are known: the compiler specialises each of them, and all
/// that it calls for an event. The witnesses of a generic class are not specialised, and a class for each
/// pair of dialect and API would have to be written.
final class ReplyMachine {
    let phase: () -> ReplyPhase
    let failure: () -> Failure?
    let refused: () -> Refusal?
    let saidNothing: () -> Bool
    let opening: () -> ReplyOpening
    let hasBegun: () -> Bool
    let hasStopped: () -> Bool
    let wantsMore: () -> Bool
    let usage: () -> Usage
    let reportedInput: () -> Int?
    let promptTruncation: () -> PromptTruncation?
    let repairs: () -> [String]

    let receiveHead: (UpstreamHead) -> Void
    let receiveBytes: (Span<UInt8>) -> Void
    let receiveDelta: (Delta) -> Void
    let end: (UpstreamEnd) -> Void
    let openEarly: () -> Void
    let ping: () -> Void
    let cancel: () -> Void
    let takeOutput: () -> [UInt8]

    init(_ reply: some Reply) {
        let place = ReplyPlace(reply)
        phase = { place.reply.body.phase }
        failure = { place.reply.body.failure }
        refused = { place.reply.refused }
        saidNothing = { place.reply.body.saidNothing }
        opening = { place.reply.opening }
        hasBegun = { place.reply.hasBegun }
        hasStopped = { place.reply.hasStopped }
        wantsMore = { place.reply.wantsMore }
        usage = { place.reply.usage }
        reportedInput = { place.reply.reportedInput }
        promptTruncation = { place.reply.promptTruncation }
        repairs = { place.reply.repairs }

        receiveHead = { place.reply.receive(head: $0) }
        receiveBytes = { place.reply.receive($0) }
        receiveDelta = { place.reply.receive($0) }
        end = { place.reply.end($0) }
        openEarly = { place.reply.openEarly() }
        ping = { place.reply.ping() }
        cancel = { place.reply.cancel() }
        takeOutput = { place.reply.takeOutput() }
    }
}

/// Keeps a reply in its place: nothing of it is moved to be looked at.
private final class ReplyPlace<Held: Reply> {
    // Reached through the one `ClientReply` that owns it: there is no access to check at run time.
    @exclusivity(unchecked) var reply: Held

    init(_ reply: Held) { self.reply = reply }
}
