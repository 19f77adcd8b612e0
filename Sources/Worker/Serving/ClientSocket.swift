// One client's socket: reads without waiting, queues what the client does not take yet, and knows when
// it has left. Holds: the descriptor is closed exactly once; nothing is written after the client is gone.

internal import CSystem
internal import EventLoop
internal import Glibc
internal import Shared

@Loop
final class ClientSocket {
    enum Received {
        case bytes
        case nothing
        case ended
    }

    /// One buffer for all connections: what was read is copied out before anything is awaited.
    private static let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: ServingLimits.readBytes, alignment: 64)

    private let descriptor: Descriptor
    private let wakeup: Wakeup
    private var watch: Watch?
    /// Bytes may wait that no event told of: before the first look.
    private var unseen = true
    private var ended = false
    private var output: [UInt8] = []
    private var sent = 0
    /// Since when the client has taken nothing of what waits.
    private(set) var stalledSince: Instant?

    /// Watches the socket; every change signals `wakeup`. It comes tuned (TCP_NODELAY) from the supervisor.
    init(_ descriptor: consuming Descriptor, signalling wakeup: Wakeup) throws(LoopError) {
        let raw = descriptor.raw
        self.descriptor = descriptor
        self.wakeup = wakeup
        watch = try Watch(raw, signalling: wakeup)
    }

    /// Ends the watch; the descriptor closes with this object.
    func close() {
        watch?.cancel()
        watch = nil
        ended = true
        output = []
        sent = 0
    }

    /// The client has left, or closed its half: during an answer that is the same.
    var isGone: Bool { ended || watch?.ready.isDisconnect != false }

    /// As `isGone`, and the kernel is asked when it has told nothing yet: a client may have left while it
    /// waited for a slot.
    var hasLeft: Bool {
        if isGone { return true }
        guard watch?.ready.isEmpty == true else { return false }
        var byte: UInt8 = 0
        return recv(descriptor.raw, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0
    }

    /// No byte will come from the client nor reach it; one that has only finished sending can still be
    /// answered.
    var isBroken: Bool { ended || watch?.ready.isDisjoint(with: [.error, .hangup]) != true }

    /// The client has taken nothing of what waits for longer than is allowed.
    var isStalled: Bool {
        guard let stalledSince else { return false }
        return Loop.now >= stalledSince.advanced(by: ServingLimits.clientStalled)
    }

    // MARK: Reading

    /// Whether reading could bring something.
    private var isWorthReading: Bool {
        guard let watch else { return false }
        return unseen || !watch.ready.isDisjoint(with: [.readable, .peerClosed, .hangup, .error])
    }

    /// Appends what the client has sent, at most `ServingLimits.readBytes`.
    func receive(into buffer: inout [UInt8]) -> Received {
        guard !ended else { return .ended }
        guard isWorthReading else { return .nothing }
        let count = receiveIntoScratch()
        if count > 0 {
            unsafe buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: Self.scratch[..<count]))
            return .bytes
        }
        return ended ? .ended : .nothing
    }

    /// Reads and drops. The number of bytes, or nil when there is nothing more now.
    func discard() -> Int? {
        guard !ended, isWorthReading else { return nil }
        let count = receiveIntoScratch()
        return count > 0 ? count : nil
    }

    /// The listener's port that the client came by; nil on a Unix socket.
    var localPort: Int? { descriptor.localPort }

    /// Whether bytes of the client wait in the kernel, without reading them.
    var hasUnread: Bool {
        var byte: UInt8 = 0
        return recv(descriptor.raw, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
    }

    private func receiveIntoScratch() -> Int {
        while true {
            let count = unsafe recv(
                descriptor.raw, Self.scratch.baseAddress, Self.scratch.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                // A short read has emptied the socket (epoll(7)); what comes later is a new edge.
                if count < Self.scratch.count { nothingLeft() }
                return count
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                nothingLeft()
                return 0
            }
            ended = true
            return 0
        }
    }

    private func nothingLeft() {
        unseen = false
        watch?.clear(.readable)
    }

    // MARK: Writing

    /// Bytes the client has not taken yet.
    var waiting: Int { output.count - sent }

    /// Queues bytes; `flush` sends them.
    func queue(_ append: (inout [UInt8]) -> Void) {
        guard !ended else { return }
        append(&output)
    }

    /// Sends as much of the queue as the client takes now.
    func flush() {
        guard waiting > 0, !ended else { return }
        if stalledSince != nil, watch?.ready.contains(.writable) != true { return }
        while waiting > 0 {
            let count = output.withUnsafeBytes { bytes in
                unsafe cs_send(descriptor.raw, bytes.baseAddress?.advanced(by: sent), bytes.count - sent)
            }
            if count >= 0 {
                sent += count
                stalledSince = nil
            } else if errno == EAGAIN {
                watch?.clear(.writable)
                if stalledSince == nil { stalledSince = Loop.now }
                compact()
                return
            } else if errno != EINTR {
                ended = true
                output = []
                sent = 0
                return
            }
        }
        sent = 0
        if output.capacity > ServingLimits.keptOutput {
            output = []
        } else {
            output.removeAll(keepingCapacity: true)
        }
    }

    /// Gives up the room of what was sent, once it is more than what waits.
    private func compact() {
        guard sent > output.count / 2 else { return }
        output.removeFirst(sent)
        sent = 0
    }

    /// No more will be written: the client sees the end of the stream.
    func finishWriting() { _ = shutdown(descriptor.raw, Int32(SHUT_WR)) }
}
