// The life of one client connection: waiting, reading, answering, again or closing. One task each.
// Holds: what came is answered or closed; the slot is returned exactly once (Server.ended).

internal import EventLoop
internal import HTTP
internal import Shared
internal import Translation

/// One request.
@Loop
final class Request {
    let head: RequestHead
    /// When its head was here.
    let begun = Loop.now
    /// Given up as soon as it is not needed: an answer may take long.
    private(set) var body: [UInt8] = []
    /// Of the room for large bodies.
    var share: BodyShare?
    /// Why it is not dealt with, and what the answer's head says besides.
    var refusal: (failure: Failure, fields: [ResponseHead.Field])?
    /// When all of it was here: a slow upload takes nothing from the time that an answer has.
    private(set) var receivedAt: Instant

    init(head: RequestHead) {
        self.head = head
        receivedAt = begun
    }

    func received(_ body: [UInt8]) {
        self.body = body
        receivedAt = Loop.now
    }

    /// Before each step that takes time in proportion to the body, everybody else goes first.
    var isLarge: Bool { body.count > ServingLimits.stepwiseBody }

    /// The body is not needed any more.
    func giveUpBody() {
        body = []
        share?.release()
        share = nil
    }
}

@Loop
final class Connection {
    private enum Phase {
        /// Nothing of a request has come since then, neither of the first nor of the next: may be closed for
        /// want of slots.
        case idle(since: Instant)
        case busy
    }

    let id: UInt64
    let scope: ListenerScope
    let peer: String
    /// The one waiting point of this connection and of the exchange it carries.
    let wakeup: Wakeup
    let socket: ClientSocket
    private let reader: RequestReader
    private unowned let server: Server
    private var phase = Phase.busy
    private var mustLeave = false
    /// The one being given.
    private var answer: Answer?
    /// The name of the key that came with the request being answered; all keys are compared for it, so it is
    /// kept.
    private(set) var client: String?
    /// Where the client is: whom it is served as where no key says so.
    private lazy var address = AdmissionQuestion.bounded(ClientAddress.account(peer, scope))
    /// Who is served: the name of the key, else the address.
    var account: String { client.map(AdmissionQuestion.bounded) ?? address }
    /// Where the request being answered is noted.
    private var place: InHandTable.Place?
    /// The client API of the last request: the format of errors before the next one.
    private var clientAPI = ClientAPI.messages

    init(
        id: UInt64, scope: ListenerScope, peer: String, descriptor: consuming Descriptor, server: Server
    ) throws(LoopError) {
        self.id = id
        self.scope = scope
        self.peer = peer
        self.server = server
        wakeup = Wakeup()
        socket = try ClientSocket(descriptor, signalling: wakeup)
        reader = RequestReader(socket, wakeup, server.configuration, server.bodyRoom)
    }

    /// Since when this connection waits for the first byte of a request; nil when it does something.
    var idleSince: Instant? {
        if case .idle(let since) = phase, !reader.hasInput { since } else { nil }
    }

    /// Ends after the answer being given, which says so if its head is still to come; when idle at once, or
    /// as soon as a client that has just been promised the connection has had time to use it.
    func leave() {
        answer?.closeAfterwards()
        mustLeave = true
        wakeup.signal()
    }

    /// The service ends now: what is being read or answered ends with an error.
    func cut() {
        reader.stop()
        leave()
    }

    /// The whole life of the connection.
    func serve() async {
        var first = true
        do throws(ReadEnd) {
            while try await serveRequest(first: first) {
                first = false
                // Its next request may be here already, and the one after it.
                if Loop.isLate { await Loop.yield() }
            }
        } catch {
            if case .refuse(let problem) = error { await refuse(problem) }
        }
        socket.close()
        server.ended(self)
    }

    /// Serves one request; false = the connection ends. Its frame lives as long as a stream: heads and errors
    /// stay in functions of their own.
    private func serveRequest(first: Bool) async throws(ReadEnd) -> Bool {
        let request = Request(head: try await nextHead(first: first))
        let answer = beginAnswer(to: request)
        defer { endAnswer(to: request) }
        var requestWasRead = true
        if let endpoint = admit(request, answer) {
            requestWasRead = try await receive(request, for: endpoint, answer)
            await server.answer(request, endpoint, answer, on: self)
        } else {
            requestWasRead = try await turnAway(request, answer)
        }
        // A stream that did not end on purpose must not look as if it had.
        guard answer.isEnded else { return false }
        guard await finishWriting(), !socket.isGone else { return false }
        if answer.closes { await linger(requestWasRead: requestWasRead) }
        return !answer.closes
    }

    @inline(never)
    private func beginAnswer(to request: Request) -> Answer {
        let head = request.head
        clientAPI = Routes.clientAPI(head.path, anthropicVersion: head.hasField("anthropic-version"))
        let answer = Answer(
            to: head, requestID: RequestIdentity.request(), api: clientAPI, on: socket,
            closes: !head.keepAlive || server.isDraining)
        self.answer = answer
        return answer
    }

    @inline(never)
    private func endAnswer(to request: Request) {
        answer = nil
        endNote()
        request.giveUpBody()
    }

    /// What the request asks for; nil = it is refused, and holds why.
    @inline(never)
    private func admit(_ request: Request, _ answer: Answer) -> Endpoint? {
        switch server.admit(request.head, scope: scope, port: { socket.localPort }) {
        case .refused(let failure, let fields):
            request.refusal = (failure, fields)
            return nil
        case .endpoint(let endpoint):
            if endpoint.isNoted {
                client = server.access.clientName(request.head)
                beginNote(answer)
            }
            return endpoint
        }
    }

    /// - Returns: whether nothing of the request is left unread.
    @inline(never)
    private func receive(
        _ request: Request, for endpoint: Endpoint, _ answer: Answer
    ) async throws(ReadEnd) -> Bool {
        do throws(ReadEnd) {
            if endpoint.hasBody {
                try await reader.readBody(of: request)
                return true
            }
            return try await discardBody(of: request, answer)
        } catch {
            if case .silent = error { server.abandoned(request, answer, self) }
            throw error
        }
    }

    /// Answers a request that is not dealt with.
    /// - Returns: whether nothing of it is left unread.
    @inline(never)
    private func turnAway(_ request: Request, _ answer: Answer) async throws(ReadEnd) -> Bool {
        let wasRead = try await discardBody(of: request, answer)
        guard let (failure, fields) = request.refusal else { return wasRead }
        answer.fields = fields
        server.refused(request.head, failure, answer, self, since: request.begun)
        answer.send(failure)
        return wasRead
    }

    private func discardBody(of request: Request, _ answer: Answer) async throws(ReadEnd) -> Bool {
        let wasRead = try await reader.discardBody(of: request.head)
        if !wasRead { answer.closeAfterwards() }
        return wasRead
    }

    private func beginNote(_ answer: Answer) {
        guard let table = server.inHand else { return }
        place = table.begin(answer.requestID, peer: peer, at: Loop.now.nanoseconds)
        if let place, let client { table.note(client: client, at: place) }
    }

    /// What has been found out of the request in hand, for an obituary.
    func note(requestedModel: String) {
        if let place { server.inHand?.note(requestedModel: requestedModel, at: place) }
    }

    func note(backend: String) {
        if let place { server.inHand?.note(backend: backend, at: place) }
    }

    private func endNote() {
        if let place {
            server.inHand?.note(server.context.counters)
            server.inHand?.end(place)
        }
        place = nil
    }

    private func nextHead(first: Bool) async throws(ReadEnd) -> RequestHead {
        let timeouts = server.configuration.timeouts
        let since = Loop.now
        let patience = first ? timeouts.header : timeouts.keepalive
        if !first { mustLeave = false }
        phase = .idle(since: since)
        defer { phase = .busy }
        return try await reader.head {
            guard mustLeave || server.isDraining && !first else { return since.advanced(by: patience) }
            return since.advanced(by: min(ServingLimits.reuseGrace, patience))
        }
    }

    /// Answers what could not be read as a request.
    private func refuse(_ problem: Failure) async {
        let answer = Answer(refusing: RequestIdentity.request(), api: clientAPI, on: socket)
        server.refused(nil, problem, answer, self, since: Loop.now)
        answer.send(problem)
        guard await finishWriting() else { return }
        await linger(requestWasRead: false)
    }

    /// Waits until the client has taken the whole answer; false when it has left, or takes nothing for too
    /// long.
    func finishWriting() async -> Bool {
        while socket.waiting > 0 {
            socket.flush()
            guard socket.waiting > 0 else { break }
            guard !socket.isGone, let stalled = socket.stalledSince else { return false }
            let limit = stalled.advanced(by: ServingLimits.clientStalled)
            if await wakeup.wait(until: limit) { return false }
        }
        return true
    }

    /// Closing with unread bytes in the kernel makes it send a reset, which can destroy the answer on its
    /// way: what the client still sends is read over first, for a while.
    private func linger(requestWasRead: Bool) async {
        guard !requestWasRead || socket.hasUnread else { return }
        socket.finishWriting()
        let deadline = Loop.now.advanced(by: ServingLimits.lingerTime)
        var left = ServingLimits.lingerBytes
        while left > 0 {
            while left > 0, let count = socket.discard() {
                left -= count
                if Loop.isLate { await Loop.yield() }
            }
            if socket.isGone { return }
            if await wakeup.wait(until: deadline) { return }
        }
    }
}
