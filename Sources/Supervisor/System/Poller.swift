// epoll, level-triggered: what is not dealt with in one turn is reported again in the next. Holds: an
// entry is removed before its descriptor is closed, because a copy of it in a worker keeps the
// registration alive otherwise.

import CSystem
import Glibc
import Shared

/// What a descriptor is watched for; errors and hang-ups are always reported.
struct Interest: OptionSet, Sendable {
    let rawValue: UInt32

    static let read = Interest(rawValue: EPOLLIN.rawValue)
    static let write = Interest(rawValue: EPOLLOUT.rawValue)
    /// The peer has finished sending, or is gone.
    static let peerClosed = Interest(rawValue: EPOLLRDHUP.rawValue)
}

/// Whose descriptor it is; comes back with each event.
enum Token: Equatable, Sendable {
    case signals
    case listener(Int)
    case admin
    case adminClient(UInt32)
    /// A worker's control channel, or its exit: an event left over from a predecessor finds nobody.
    case channel(WorkerID)
    case exit(WorkerID)
    /// A connection in the queue.
    case waiting(id: UInt64)

    fileprivate var packed: UInt64 {
        switch self {
        case .signals: 0 << 56
        case .listener(let index): 1 << 56 | UInt64(truncatingIfNeeded: index) & 0xffff
        case .admin: 2 << 56
        case .adminClient(let serial): 3 << 56 | UInt64(serial)
        case .channel(let worker): 4 << 56 | UInt64(worker.life)
        case .exit(let worker): 5 << 56 | UInt64(worker.life)
        case .waiting(let id): 6 << 56 | id & 0x00ff_ffff_ffff_ffff
        }
    }

    fileprivate init?(packed: UInt64) {
        let value = packed & 0x00ff_ffff_ffff_ffff
        let small = UInt32(truncatingIfNeeded: value)
        switch packed >> 56 {
        case 0: self = .signals
        case 1: self = .listener(Int(small))
        case 2: self = .admin
        case 3: self = .adminClient(small)
        case 4: self = .channel(WorkerID(life: small))
        case 5: self = .exit(WorkerID(life: small))
        case 6: self = .waiting(id: value)
        default: return nil
        }
    }
}

struct PolledEvent: Sendable {
    let token: Token
    let happened: Interest
    let isHungUp: Bool
}

struct Poller: ~Copyable {
    /// Events taken per turn; more are reported in the next.
    private static let batch = 128

    private let descriptor: Descriptor
    private var room = [epoll_event](repeating: epoll_event(), count: Poller.batch)

    init() throws(SystemFailure) {
        guard let descriptor = Descriptor(adopting: epoll_create1(Int32(EPOLL_CLOEXEC))) else {
            throw SystemFailure("epoll_create1", errno)
        }
        self.descriptor = descriptor
    }

    func add(_ raw: Int32, _ token: Token, for interest: Interest) throws(SystemFailure) {
        try control(EPOLL_CTL_ADD, raw, token, interest)
    }

    func change(_ raw: Int32, _ token: Token, for interest: Interest) throws(SystemFailure) {
        try control(EPOLL_CTL_MOD, raw, token, interest)
    }

    /// Before its descriptor is closed.
    func remove(_ raw: Int32) { epoll_ctl(descriptor.raw, EPOLL_CTL_DEL, raw, nil) }

    /// What has happened, after waiting `limit` at most (rounded up to milliseconds, so that a deadline has
    /// passed when the wait for it returns).
    mutating func wait(atMost limit: Duration) -> [PolledEvent] {
        let milliseconds = (limit.inNanoseconds &+ 999_999) / 1_000_000
        let count = epoll_wait(
            descriptor.raw, &room, Int32(Self.batch), Int32(clamping: milliseconds))
        guard count > 0 else { return [] }
        return room.prefix(Int(count)).compactMap { event in
            guard let token = Token(packed: event.data.u64) else { return nil }
            let hungUp = event.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
            return PolledEvent(token: token, happened: Interest(rawValue: event.events), isHungUp: hungUp)
        }
    }

    private func control(
        _ operation: Int32, _ raw: Int32, _ token: Token, _ interest: Interest
    ) throws(SystemFailure) {
        var event = epoll_event(events: interest.rawValue, data: epoll_data_t(u64: token.packed))
        guard epoll_ctl(descriptor.raw, operation, raw, &event) == 0 else {
            throw SystemFailure("epoll_ctl", errno)
        }
    }
}
