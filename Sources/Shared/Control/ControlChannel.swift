// One end of a SOCK_SEQPACKET pair that carries control messages and, with some, a descriptor.
// Holds: never blocks; one datagram is one message; order is kept also when the socket is full; a
// descriptor received is owned or closed; the outgoing queue is bounded. Belongs to one thread.

internal import CSystem
internal import Glibc

/// The supervisor's end of a worker's channel.
public typealias SupervisorChannel = ControlChannel<SupervisorMessage, WorkerMessage>
/// A worker's own end.
public typealias WorkerChannel = ControlChannel<WorkerMessage, SupervisorMessage>

public enum ControlChannelLimits {
    /// Messages that wait for room in the socket; one more and the channel counts as congested.
    public static let queuedMessages = 4096
    /// Asked of SO_SNDBUF, in bytes: room for some hundred messages before anything is queued here.
    static let sendBuffer: Int32 = 256 * 1024
}

/// What `receive` found.
public enum Received<Message: ControlCodable>: ~Copyable {
    /// Nothing more at present.
    case nothing
    /// The peer has closed its end, or died.
    case ended
    case message(Message)
    /// A message that carries a descriptor, which now belongs to the receiver.
    case passing(Message, Descriptor)
    /// A message whose descriptor is lost: this process had no number left for it.
    case bereft(Message)
}

public final class ControlChannel<Outgoing: ControlCodable, Incoming: ControlCodable> {
    private struct Waiting {
        let bytes: [UInt8]
        let descriptor: HeldDescriptor?
    }

    private let socket: Descriptor
    private let room: UnsafeMutableRawBufferPointer
    private var waiting: [Waiting] = []
    private var firstWaiting = 0

    /// Takes over a connected SOCK_SEQPACKET socket; every call on it is made with MSG_DONTWAIT.
    public init(adopting socket: consuming Descriptor) {
        self.socket = socket
        // Uninitialised on purpose: pages that no long message ever touches cost nothing.
        room = .allocate(byteCount: maximumControlBytes, alignment: 16)
    }

    deinit { room.deallocate() }

    /// The socket's number, for epoll: readable = `receive`, writable (while `wantsToWrite`) = `flush`.
    public var raw: Int32 { socket.raw }

    /// Messages wait for room in the socket.
    public var wantsToWrite: Bool { firstWaiting < waiting.count }
    public var waitingMessages: Int { waiting.count - firstWaiting }

    /// Sends a message, or queues it behind those that wait. `descriptor` stays the caller's: what is
    /// queued holds a duplicate. It must be there exactly when the message carries one.
    public func send(_ message: Outgoing, passing descriptor: Int32? = nil) throws(ControlFailure) {
        guard message.carriesDescriptor == (descriptor != nil) else { throw .descriptorMismatch }
        let bytes = try message.encoded()
        if !wantsToWrite, try transmit(bytes, descriptor ?? -1) { return }
        guard waitingMessages < ControlChannelLimits.queuedMessages else { throw .congested }
        var held: HeldDescriptor?
        if let descriptor {
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
            guard let owned = Descriptor(adopting: copy) else {
                throw errno == EMFILE ? .outOfDescriptors : .system(errno)
            }
            held = HeldDescriptor(owned)
        }
        waiting.append(Waiting(bytes: bytes, descriptor: held))
    }

    /// Sends what waits, as far as the socket has room.
    public func flush() throws(ControlFailure) {
        while firstWaiting < waiting.count {
            let next = waiting[firstWaiting]
            guard try transmit(next.bytes, next.descriptor?.raw ?? -1) else { break }
            firstWaiting += 1
        }
        if firstWaiting == waiting.count {
            waiting.removeAll()
            firstWaiting = 0
        } else if firstWaiting >= 256 {
            // Without this a channel that never empties would keep every descriptor it ever queued.
            waiting.removeFirst(firstWaiting)
            firstWaiting = 0
        }
    }

    /// The next message, without waiting. A failure means the peer breaks the protocol (or the socket
    /// failed): end the channel. A datagram of no bytes is how a closed peer shows itself.
    public func receive() throws(ControlFailure) -> Received<Incoming> {
        var passed: Int32 = -1
        var count = cs_receive_packet(socket.raw, room.baseAddress, room.count, &passed)
        if count < 0, errno == ECONNRESET {
            // The peer ended with messages of ours unread. The kernel says so once, ahead of what the peer
            // had still sent, which must not be lost: it may acknowledge connections.
            count = cs_receive_packet(socket.raw, room.baseAddress, room.count, &passed)
        }
        guard count >= 0 else {
            switch errno {
            case EAGAIN: return .nothing
            case ECONNRESET: return .ended
            case EMSGSIZE: throw .malformed
            case let code: throw .system(code)
            }
        }
        let descriptor = Descriptor(adopting: passed)
        guard count > 0 else { return .ended }
        let message = try Incoming(decoding: [UInt8](UnsafeRawBufferPointer(room)[..<count]))
        switch consume descriptor {
        case .some(let descriptor):
            guard message.carriesDescriptor else { throw .descriptorMismatch }
            return .passing(message, descriptor)
        case .none:
            if passed == CS_DESCRIPTOR_LOST, message.carriesDescriptor { return .bereft(message) }
            guard !message.carriesDescriptor else { throw .descriptorMismatch }
            return .message(message)
        }
    }

    /// True when sent, false when the socket is full.
    private func transmit(_ bytes: [UInt8], _ descriptor: Int32) throws(ControlFailure) -> Bool {
        if cs_send_packet(socket.raw, bytes, bytes.count, descriptor) >= 0 { return true }
        switch errno {
        // ETOOMANYREFS: too many descriptors in flight for this user; the peer must receive some first.
        case EAGAIN, ENOBUFS, ETOOMANYREFS: return false
        case EPIPE, ECONNRESET: throw .ended
        case let code: throw .system(code)
        }
    }
}

/// Both ends of a new channel.
public struct ControlPair: ~Copyable {
    public let supervisorEnd: Descriptor
    public let workerEnd: Descriptor

    public static func make() throws(SystemFailure) -> ControlPair {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0,
            let first = Descriptor(adopting: ends[0]), let second = Descriptor(adopting: ends[1])
        else { throw SystemFailure("socketpair", errno) }
        var size = ControlChannelLimits.sendBuffer
        // Best effort: the kernel caps it at net.core.wmem_max, and the queue covers the rest.
        setsockopt(first.raw, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        return ControlPair(supervisorEnd: first, workerEnd: second)
    }

    /// Splits the pair.
    public consuming func give(_ body: (consuming Descriptor, consuming Descriptor) -> Void) {
        body(supervisorEnd, workerEnd)
    }

    /// Closes the worker's end, when the worker has inherited its own.
    public consuming func keepSupervisorEnd() -> Descriptor { supervisorEnd }
}

/// A descriptor with shared ownership, for collections, which cannot hold noncopyable values yet.
public final class HeldDescriptor: Sendable {
    private let descriptor: Descriptor

    public init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    public var raw: Int32 { descriptor.raw }
}
