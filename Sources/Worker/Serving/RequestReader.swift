// Reads one request after the other from a client's socket. Holds: no byte of the next request is
// lost or taken for this one's body; limits apply before memory is given out; every wait has a deadline; a
// client that sends faster than it is read gives the others their turn.

internal import EventLoop
internal import HTTP
internal import Shared
internal import Translation

/// Why there is no (further) request.
enum ReadEnd: Error {
    /// The client is gone, or idle too long: close without a word.
    case silent
    /// Answer this, then close.
    case refuse(Failure)
}

extension Failure {
    fileprivate init(_ failure: FramingFailure) {
        self = .request(.framing(status: failure.status, "\(failure.message)"))
    }
}

@Loop
final class RequestReader {
    private let socket: ClientSocket
    private let wakeup: Wakeup
    private let limits: Configuration.Limits
    private let timeouts: Configuration.Timeouts
    private let room: BodyRoom
    /// What came and belongs to no request yet; bounded by one head and one read, twice over while a part of
    /// it is consumed already.
    private var input: [UInt8] = []
    private var start = 0
    /// Nothing more is read: what is being read is refused.
    private var isStopped = false

    init(
        _ socket: ClientSocket, _ wakeup: Wakeup, _ configuration: Configuration, _ room: BodyRoom
    ) {
        self.socket = socket
        self.wakeup = wakeup
        self.room = room
        limits = configuration.limits
        timeouts = configuration.timeouts
    }

    /// Whether bytes of a next request are here already.
    var hasInput: Bool { start < input.count }
    /// Bytes that are kept, consumed ones included.
    var buffered: Int { input.count }

    /// A request that is being read is refused; call it with a signal to the wakeup.
    func stop() { isStopped = true }

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
                    throw .refuse(Failure(error))
                }
            }
            switch socket.receive(into: &input) {
            case .bytes: continue
            case .ended: throw .silent
            case .nothing: break
            }
            let deadline = begun?.advanced(by: timeouts.header) ?? idleDeadline()
            if await wakeup.wait(until: deadline) {
                throw begun == nil ? .silent : .refuse(.request(.late(.head)))
            }
            if isStopped { throw begun == nil ? .silent : .refuse(.gateway(.stopping)) }
        }
    }

    /// Consumes. A client that always has a part of its next request here would let the consumed bytes pile
    /// up: they go once they are the larger part, so that each byte is moved less than once on average.
    @inline(never)
    private func take(_ count: Int) {
        start += count
        if start >= input.count {
            input = []
            start = 0
        } else if start >= input.count - start {
            input.removeFirst(start)
            start = 0
        }
    }

    // MARK: Body

    /// The body, decoded. `100 Continue` goes out first when the client waits for it. A large one is not
    /// read before there is room for it.
    func readBody(of request: Request) async throws(ReadEnd) {
        switch request.head.framing {
        case .none: return
        case .length(let count):
            guard count <= limits.requestBody else {
                throw .refuse(.request(.bodyTooLarge(limit: limits.requestBody)))
            }
            if count > ServingLimits.smallBody { try await makeRoom(count, for: request) }
            if count > 0 { invite(request.head) }
            request.received(try await body(length: count))
        case .chunked:
            invite(request.head)
            request.received(try await chunkedBody(of: request))
        }
    }

    private func invite(_ head: RequestHead) {
        guard head.expectsContinue, !hasInput else { return }
        socket.queue { $0.append(contentsOf: ResponseHead.continueBytes) }
        socket.flush()
    }

    @inline(never)
    private func makeRoom(_ count: Int, for request: Request) async throws(ReadEnd) {
        let share = room.share(count, signalling: wakeup)
        request.share = share
        let deadline = Loop.now.advanced(by: ServingLimits.roomWait)
        while !share.isGranted {
            if socket.isBroken { throw .silent }
            if isStopped { throw .refuse(.gateway(.stopping)) }
            if await wakeup.wait(until: deadline), !share.isGranted {
                throw .refuse(.gateway(.noRoom(retryAfter: ServingLimits.roomRetry)))
            }
        }
    }

    /// Waits for more of a body.
    private func more(until deadline: Instant) async throws(ReadEnd) {
        if await wakeup.wait(until: deadline) { throw .refuse(.request(.late(.body))) }
        if isStopped { throw .refuse(.gateway(.stopping)) }
    }

    @inline(never)
    private func body(length: Int) async throws(ReadEnd) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(min(length, ServingLimits.reservedBody))
        let here = min(length, input.count - start)
        body.append(contentsOf: input[start..<start + here])
        take(here)
        let deadline = Loop.now.advanced(by: timeouts.body)
        while body.count < length {
            switch socket.receive(into: &body) {
            case .bytes: if Loop.isLate { await Loop.yield() }
            case .ended: throw .silent
            case .nothing: try await more(until: deadline)
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

    @inline(never)
    private func chunkedBody(of request: Request) async throws(ReadEnd) -> [UInt8] {
        var decoder = ChunkedDecoder(limit: limits.requestBody)
        var body: [UInt8] = []
        let deadline = Loop.now.advanced(by: timeouts.body)
        while true {
            try decode(&decoder, into: &body, limit: limits.requestBody)
            if decoder.isDone { break }
            // How large it will be is not known: there has to be room for the largest.
            if body.count > ServingLimits.smallBody, request.share == nil {
                try await makeRoom(limits.requestBody, for: request)
            }
            switch socket.receive(into: &input) {
            case .bytes: if Loop.isLate { await Loop.yield() }
            case .ended: throw .silent
            case .nothing: try await more(until: deadline)
            }
        }
        request.share?.shrink(to: body.count)
        return body
    }

    @inline(never)
    private func decode(
        _ decoder: inout ChunkedDecoder, into body: inout [UInt8], limit: Int
    ) throws(ReadEnd) {
        do throws(FramingFailure) {
            take(try decoder.decode(input[start...], into: &body))
        } catch {
            throw .refuse(
                error == .bodyTooLarge ? .request(.bodyTooLarge(limit: limit)) : Failure(error))
        }
    }

    // MARK: Bodies that nobody reads

    /// Reads over the body of a request that is answered by its head alone; nothing of it is kept. False =
    /// better close: it is too long, or the client waits for our word before it sends it.
    func discardBody(of head: RequestHead) async throws(ReadEnd) -> Bool {
        let limit = ServingLimits.discardedBody
        switch head.framing {
        case .none: return true
        case .length(let count):
            guard count <= limit, !head.expectsContinue else { return false }
            try await discard(count)
            return true
        case .chunked:
            guard !head.expectsContinue else { return false }
            return try await discardChunks(limit: limit)
        }
    }

    @inline(never)
    private func discard(_ length: Int) async throws(ReadEnd) {
        let deadline = Loop.now.advanced(by: timeouts.body)
        var left = length
        while true {
            let here = min(left, input.count - start)
            take(here)
            left -= here
            guard left > 0 else { return }
            switch socket.receive(into: &input) {
            case .bytes: break
            case .ended: throw .silent
            case .nothing: try await more(until: deadline)
            }
        }
    }

    @inline(never)
    private func discardChunks(limit: Int) async throws(ReadEnd) -> Bool {
        var decoder = ChunkedDecoder(limit: limit)
        var dropped: [UInt8] = []
        let deadline = Loop.now.advanced(by: timeouts.body)
        while true {
            do throws(FramingFailure) {
                take(try decoder.decode(input[start...], into: &dropped))
            } catch {
                guard error == .bodyTooLarge else { throw .refuse(Failure(error)) }
                return false
            }
            if decoder.isDone { return true }
            dropped.removeAll(keepingCapacity: true)
            switch socket.receive(into: &input) {
            case .bytes: if Loop.isLate { await Loop.yield() }
            case .ended: throw .silent
            case .nothing: try await more(until: deadline)
            }
        }
    }
}
