// The answer to one request. Holds: one head per answer; HEAD gets no body; a stream that is not ended
// on purpose is never closed as if it were (the connection is cut instead).

internal import EventLoop
internal import HTTP
internal import Translation

@Loop
final class Answer {
    private enum State {
        case open
        case streaming(chunked: Bool)
        case ended
    }

    let requestID: String
    /// The client API in whose format errors are written.
    let api: ClientAPI
    /// Fields that every head of this answer carries besides `request-id`.
    var fields: [ResponseHead.Field] = []
    private let socket: ClientSocket
    private let isHead: Bool
    /// An HTTP/1.0 client: knows no chunks, and closes by default.
    private let isOld: Bool
    private var state = State.open
    /// Whether the connection ends with this answer.
    private(set) var closes: Bool
    private(set) var status = 0
    private(set) var firstByteAt: Instant?
    /// When something of a stream was last sent.
    private(set) var lastSentAt: Instant?

    init(
        to request: RequestHead, requestID: String, api: ClientAPI, on socket: ClientSocket, closes: Bool
    ) {
        self.requestID = requestID
        self.api = api
        self.socket = socket
        self.closes = closes
        isHead = request.method == .head
        isOld = request.version == .http10
    }

    /// For requests whose head could not be read.
    init(refusing requestID: String, api: ClientAPI, on socket: ClientSocket) {
        self.requestID = requestID
        self.api = api
        self.socket = socket
        closes = true
        isHead = false
        isOld = true
    }

    var isEnded: Bool { if case .ended = state { true } else { false } }
    var isOpen: Bool { if case .open = state { true } else { false } }

    /// Nothing more is accepted on this connection after the answer; its head says so. Too late once the head
    /// has promised otherwise.
    func closeAfterwards() { if isOpen { closes = true } }

    // MARK: Whole answers

    func send(_ status: Int, type: String = "application/json", body: [UInt8]) {
        guard case .open = state else { return }
        begin(status, .length(body.count), type: body.isEmpty ? nil : type)
        if !isHead { socket.queue { $0.append(contentsOf: body) } }
        state = .ended
        flush()
    }

    func send(_ failure: Failure) {
        let error = failure.error(for: api)
        if let seconds = error.retryAfter { fields.append(.init("retry-after", String(seconds))) }
        if let retry = error.shouldRetry { fields.append(.init("x-should-retry", retry ? "true" : "false")) }
        // A line of its own, for people who read it in a terminal.
        send(error.status, body: error.body(requestID: requestID) + [0x0a])
    }

    /// The error that ends the answer: a status, or where that is out already, an event.
    func fail(_ failure: Failure) {
        if isOpen { send(failure) } else { endStream(failure.event(for: api, requestID: requestID)) }
    }

    // MARK: Streams

    /// Queues the head of an event stream; it goes out with the first events.
    func beginStream() {
        guard case .open = state else { return }
        fields.append(.init("cache-control", "no-cache"))
        if isOld { closes = true }
        begin(200, isOld ? .untilClose : .chunked, type: "text/event-stream")
        state = .streaming(chunked: !isOld)
    }

    /// Sends events, all in one write.
    func stream(_ events: [UInt8]) {
        guard case .streaming(let chunked) = state, !events.isEmpty, !isHead else { return }
        socket.queue { output in
            if chunked { Chunk.append(events, to: &output) } else { output.append(contentsOf: events) }
        }
        lastSentAt = Loop.now
        flush()
    }

    /// Sends the last events together with the end of the body.
    func endStream(_ events: [UInt8]) {
        guard case .streaming(let chunked) = state else { return }
        socket.queue { output in
            if !chunked { return output.append(contentsOf: events) }
            Chunk.append(events, to: &output)
            Chunk.appendEnd(to: &output)
        }
        state = .ended
        flush()
    }

    private func begin(_ status: Int, _ framing: ResponseFraming, type: String?) {
        self.status = status
        var head = ResponseHead(status: status, framing: framing, closes: closes)
        head.fields.append(AnswerDate.field)
        if let type { head.fields.append(.init("content-type", type)) }
        // HTTP/1.0 closes unless told otherwise.
        if isOld && !closes { head.fields.append(.init("connection", "keep-alive")) }
        head.fields.append(.init("request-id", requestID))
        if let name = api.requestIDField { head.fields.append(.init(name, requestID)) }
        head.fields += fields
        socket.queue { head.append(to: &$0) }
    }

    private func flush() {
        if firstByteAt == nil { firstByteAt = .now }
        socket.flush()
    }
}
