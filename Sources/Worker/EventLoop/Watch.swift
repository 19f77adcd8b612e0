// One descriptor in epoll. Edge-triggered watches (client sockets, channels) are registered once and
// remember what they have seen; level-triggered ones are for libraries that name their own interest.

internal import CSystem
internal import Glibc

/// What epoll says of a descriptor; the raw value is epoll's own.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let readable = Readiness(rawValue: 0x001)
    public static let writable = Readiness(rawValue: 0x004)
    public static let error = Readiness(rawValue: 0x008)
    public static let hangup = Readiness(rawValue: 0x010)
    /// The peer has shut down its writing side (EPOLLRDHUP).
    public static let peerClosed = Readiness(rawValue: 0x2000)

    /// The peer has left, at least with one half of the connection.
    public var isDisconnect: Bool { !isDisjoint(with: [.error, .hangup, .peerClosed]) }
}

/// A registration with the loop, which keeps it alive until `cancel()`. Cancel before the descriptor is
/// closed. Never owns the descriptor.
@Loop
public final class Watch {
    private enum Mode {
        case edge
        /// `registered` is what the kernel was told; nil = the descriptor is not in epoll.
        case level(wanted: Readiness, registered: Readiness?)
    }

    private enum Receiver {
        case wakeup(Wakeup)
        case callback(@Loop (Readiness) -> Void)
        case cancelled
    }

    public let descriptor: Int32
    /// Edge-triggered: everything seen and not yet cleared. A reader clears `.readable` when read(2) says
    /// EAGAIN, a writer `.writable` likewise; the rest never goes away.
    public private(set) var ready: Readiness = []
    private var mode: Mode
    private var receiver: Receiver
    private var key: UInt64 = 0

    /// Edge-triggered for everything; each batch of events is added to `ready` and signals `wakeup`.
    public convenience init(_ descriptor: Int32, signalling wakeup: Wakeup) throws(LoopError) {
        try self.init(descriptor, mode: .edge, receiver: .wakeup(wakeup))
    }

    /// Edge-triggered for everything; each batch of events is added to `ready` and handed to `callback`.
    public convenience init(
        _ descriptor: Int32, callback: @escaping @Loop (Readiness) -> Void
    ) throws(LoopError) {
        try self.init(descriptor, mode: .edge, receiver: .callback(callback))
    }

    /// Level-triggered for `interest`, which `want(_:)` changes. `ready` stays empty.
    public convenience init(
        _ descriptor: Int32, levelTriggered interest: Readiness, callback: @escaping @Loop (Readiness) -> Void
    ) throws(LoopError) {
        try self.init(
            descriptor, mode: .level(wanted: interest, registered: interest), receiver: .callback(callback))
    }

    private init(_ descriptor: Int32, mode: Mode, receiver: Receiver) throws(LoopError) {
        self.descriptor = descriptor
        self.mode = mode
        self.receiver = receiver
        let interest =
            switch mode {
            case .edge:
                EPOLLET.rawValue | Readiness([.readable, .writable, .peerClosed]).rawValue
            case .level(let wanted, _): wanted.rawValue
            }
        key = try Loop.poller.add(self, interest: interest)
    }

    /// Forgets what was seen, after EAGAIN.
    public func clear(_ seen: Readiness) { ready.subtract(seen) }

    /// Ends the registration; no callback comes after this, even for events already taken from the kernel.
    public func cancel() {
        if case .cancelled = receiver { return }
        receiver = .cancelled
        let registered =
            if case .level(_, nil) = mode { false } else { true }
        Loop.poller.remove(key, descriptor: descriptor, registered: registered)
    }

    /// Changes the interest of a level-triggered watch. Giving up interest costs no system call: the kernel
    /// is told when an event comes that nobody wants.
    public func want(_ interest: Readiness) throws(LoopError) {
        guard case .level(_, let registered) = mode else { return }
        if let registered, interest.isSubset(of: registered) {
            mode = .level(wanted: interest, registered: registered)
            return
        }
        try register(interest, known: registered != nil)
    }

    private func register(_ interest: Readiness, known: Bool) throws(LoopError) {
        do throws(LoopError) {
            try Loop.poller.control(
                known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, interest.rawValue, key)
        } catch {
            // The descriptor was closed and opened anew behind our back, or came back.
            guard error.code == (known ? ENOENT : EEXIST) else { throw error }
            try Loop.poller.control(
                known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, interest.rawValue, key)
        }
        mode = .level(wanted: interest, registered: interest)
    }

    func deliver(_ events: Readiness) {
        if case .level(let wanted, let registered) = mode {
            if wanted.isEmpty {
                Loop.poller.unregister(descriptor)
                mode = .level(wanted: [], registered: nil)
                return
            }
            let unwanted = events.subtracting([.error, .hangup]).subtracting(wanted)
            if !unwanted.isEmpty, registered != nil { try? register(wanted, known: true) }
            if unwanted == events { return }
        } else {
            ready.formUnion(events)
        }
        switch receiver {
        case .wakeup(let wakeup): wakeup.signal()
        case .callback(let callback): callback(events)
        case .cancelled: break
        }
    }
}
