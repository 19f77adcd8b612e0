// Reads one request after the other from a client's socket. Holds: no byte of the next request is
// lost or taken for this one's body; limits apply before memory is given out; every wait has a deadline.

internal import EventLoop
internal import HTTP
internal import Shared
internal import Translation

/// Why there is no (further) request.
enum ReadEnd: Error {
    /// The client is gone, or idle too long: close without a word.
    case silent
    /// Answer this, then close.
    case refuse(ClientError)
}

extension ClientError {
    init(_ failure: FramingFailure) {
        self.init(
            failure.status, failure == .bodyTooLarge ? .requestTooLarge : .invalidRequest,
            "\(failure.message)")
    }

    static func timedOut(_ what: String) -> ClientError {
        ClientError(408, .timeout, "The request's \(what) did not come in time.")
    }

    static func bodyTooLarge(limit: Int) -> ClientError {
        ClientError(413, .requestTooLarge, "The request body exceeds \(limit) bytes.")
    }
}

@Loop
final class RequestReader {
    private let socket: ClientSocket
    private let wakeup: Wakeup
    private let limits: Configuration.Limits
    private let timeouts: Configuration.Timeouts
    /// What came and belongs to no request yet; bounded by one head and one read.
    private var input: [UInt8] = []
    private var start = 0

    init(_ socket: ClientSocket, _ wakeup: Wakeup, _ configuration: Configuration) {
        self.socket = socket
        self.wakeup = wakeup
        limits = configuration.limits
        timeouts = configuration.timeouts
    }

    /// Whether bytes of a next request are here already.
    var hasInput: Bool { start < input.count }

    // MARK: Head

    /// The next head. Waits for its first byte until `idleDeadline`, which is asked for anew after each
    /// signal; then for the rest by the header deadline.
    func head(idleUntil idleDeadline: () -> Instant) async throws(ReadEnd) -> RequestHead {
        var parser = RequestHeadParser(limits: HeadLimits(bytes: limits.header))
        var begun: Instant?
        while true {
            if hasInput {
                if begun == nil { begun = Loop.now }
                do throws(FramingFailure) {
                    if let head = try parser.parse(input, from: start) {
                        take(head.length)
                        return head
                    }
                } catch {
                    throw .refuse(ClientError(error))
                }
            }
            switch socket.receive(into: &input) {
            case .bytes: continue
            case .ended: throw .silent
            case .nothing: break
            }
            let deadline = begun?.advanced(by: timeouts.header) ?? idleDeadline()
            if await wakeup.wait(until: deadline) {
                throw begun == nil ? .silent : .refuse(.timedOut("head"))
            }
        }
    }

    private func take(_ count: Int) {
        start += count
        guard start >= input.count else { return }
        input = []
        start = 0
    }

    // MARK: Body

    /// The body, decoded. `100 Continue` goes out first when the client waits for it.
    func body(of head: RequestHead) async throws(ReadEnd) -> [UInt8] {
        switch head.framing {
        case .none: return []
        case .length(let count):
            guard count <= limits.requestBody else { throw .refuse(.bodyTooLarge(limit: limits.requestBody)) }
            if count > 0 { invite(head) }
            return try await body(length: count)
        case .chunked:
            invite(head)
            return try await chunkedBody()
        }
    }

    private func invite(_ head: RequestHead) {
        guard head.expectsContinue, !hasInput else { return }
        socket.queue { $0.append(contentsOf: ResponseHead.continueBytes) }
        socket.flush()
    }

    private func body(length: Int) async throws(ReadEnd) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(min(length, ServingLimits.reservedBody))
        let here = min(length, input.count - start)
        body.append(contentsOf: input[start..<start + here])
        take(here)
        let deadline = Loop.now.advanced(by: timeouts.body)
        while body.count < length {
            switch socket.receive(into: &body) {
            case .bytes: continue
            case .ended: throw .silent
            case .nothing: if await wakeup.wait(until: deadline) { throw .refuse(.timedOut("body")) }
            }
        }
        if body.count > length {
            // Pipelined: the rest is the next request.
            input = Array(body[length...])
            start = 0
            body.removeLast(body.count - length)
        }
        return body
    }

    private func chunkedBody() async throws(ReadEnd) -> [UInt8] {
        var decoder = ChunkedDecoder(limit: limits.requestBody)
        var body: [UInt8] = []
        let deadline = Loop.now.advanced(by: timeouts.body)
        while true {
            do throws(FramingFailure) {
                take(try decoder.decode(input[start...], into: &body))
            } catch {
                throw .refuse(
                    error == .bodyTooLarge ? .bodyTooLarge(limit: limits.requestBody) : ClientError(error))
            }
            if decoder.isDone { return body }
            switch socket.receive(into: &input) {
            case .bytes: continue
            case .ended: throw .silent
            case .nothing: if await wakeup.wait(until: deadline) { throw .refuse(.timedOut("body")) }
            }
        }
    }

    /// Reads over the body of a request that is refused by its head alone. False = better close: it is
    /// too long, or the client waits for our word before it sends it.
    func discardBody(of head: RequestHead) async throws(ReadEnd) -> Bool {
        switch head.framing {
        case .none: return true
        case .length(let count):
            guard count <= ServingLimits.discardedBody, !head.expectsContinue else { return false }
            _ = try await body(length: count)
            return true
        case .chunked: return false
        }
    }
}
