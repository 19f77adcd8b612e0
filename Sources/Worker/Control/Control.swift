// The worker's end of the control channel: what the supervisor says becomes calls, in order. Holds: what
// is not permitted in this phase, or does not decode, ends the worker; so does the end of the channel.

internal import EventLoop
internal import Shared

/// What the supervisor says to a worker that has greeted it.
struct Welcome: Sendable, Equatable {
    /// Connections at once.
    var slots: Int
    /// Another worker has met a real backend: there is no demo any more.
    var realBackendSeen: Bool
}

/// What the worker does when the supervisor speaks.
@Loop
protocol ControlReceiver: AnyObject {
    func received(_ id: UInt64, _ door: ListenerScope, _ peer: String, _ descriptor: consuming Descriptor)
    func peek(_ id: UInt64, _ door: ListenerScope, _ peer: String, _ descriptor: consuming Descriptor)
    func unpeek(_ id: UInt64)
    func closeIdle(_ count: Int)
    func realBackendSeen()
    func learnt(_ lesson: ModelObservation)
    func capabilitiesInvalidated(of backend: BackendID, before moment: WallTime)
    func drain()
    func cut()
    func figures() -> WorkerFigures
}

@Loop
final class Control {
    private enum Party {
        /// The welcome makes the receiver.
        case awaited(@Loop (Control, Welcome) -> any ControlReceiver)
        case there(any ControlReceiver)
    }

    /// Exit status when the channel was broken, as EX_SOFTWARE of sysexits.h; 0 when it ended.
    static let brokenChannel: Int32 = 70

    private let channel: WorkerChannel
    private let log: Log
    /// Ends the process with this status, at once.
    private let leave: @Loop (Int32) -> Void
    private var watch: Watch?
    /// Says what may come next.
    private var phase = WorkerPhase.greeting
    private var party: Party
    private var permits: [UInt64: Permit] = [:]
    private var lastTicket: UInt64 = 0

    /// - Parameters:
    ///   - leave: ends the process with this status, at once.
    ///   - welcomed: makes the receiver of everything that follows; this object keeps it.
    init(
        _ channel: WorkerChannel, log: Log, leave: @escaping @Loop (Int32) -> Void,
        welcomed: @escaping @Loop (Control, Welcome) -> any ControlReceiver
    ) {
        self.channel = channel
        self.leave = leave
        self.log = log
        party = .awaited(welcomed)
    }

    /// Nil until the supervisor has said welcome.
    var receiver: (any ControlReceiver)? {
        if case .there(let receiver) = party { receiver } else { nil }
    }

    /// Of what is permitted only after the welcome.
    private func known() throws(ControlFailure) -> any ControlReceiver {
        guard let receiver else { throw .malformed }
        return receiver
    }

    /// Says hello; from here on everything is driven by what comes.
    func begin() throws(LoopError) {
        watch = try Watch(channel.raw) { [unowned self] ready in self.turn(ready) }
        send(.hello(protocolVersion: controlProtocolVersion))
    }

    func send(_ message: WorkerMessage) {
        switch message.kind {
        case .ready: phase = .serving
        case .drained: phase = .drained
        default: break
        }
        do throws(ControlFailure) {
            try channel.send(message)
        } catch {
            end(error)
        }
    }

    private func turn(_ ready: Readiness) {
        do throws(ControlFailure) {
            if channel.wantsToWrite, ready.contains(.writable) { try channel.flush() }
            // Edge-triggered: read until there is nothing.
            while true {
                switch try channel.receive() {
                case .nothing: return
                case .ended: return end(.ended)
                case .message(let message): try take(message)
                case .passing(let message, let descriptor): try take(message, descriptor)
                case .bereft(let message): try lose(message)
                }
            }
        } catch {
            end(error)
        }
    }

    private func take(
        _ message: SupervisorMessage, _ descriptor: consuming Descriptor
    ) throws(ControlFailure) {
        try check(message)
        switch message {
        case .connection(let id, let scope, let peer):
            let receiver = try known()
            send(.accepted(id: id))
            receiver.received(id, scope, peer, descriptor)
        case .peek(let id, let scope, let peer): try known().peek(id, scope, peer, descriptor)
        default: throw .descriptorMismatch
        }
    }

    /// Out of descriptors: this one connection is given up, not the worker with all its others.
    private func lose(_ message: SupervisorMessage) throws(ControlFailure) {
        try check(message)
        switch message {
        case .connection(let id, _, let peer):
            log.error(.connectionNotTaken, ["peer": LogValue(peer), "reason": "no descriptor is left"])
            send(.accepted(id: id))
            send(.released(count: 1))
        // It keeps its place in the queue.
        case .peek(let id, _, _): send(.peeked(id: id, verdict: .other))
        default: throw .descriptorMismatch
        }
    }

    private func take(_ message: SupervisorMessage) throws(ControlFailure) {
        try check(message)
        switch message {
        case .welcome(let slots, let seen):
            guard case .awaited(let makeReceiver) = party else { throw .malformed }
            phase = .welcomed
            party = .there(makeReceiver(self, Welcome(slots: Int(slots), realBackendSeen: seen)))
        case .ping(let sequence):
            send(.pong(sequence: sequence, figures: receiver?.figures() ?? WorkerFigures()))
            // The heartbeat also moves on what a burst of entries left waiting.
            log.flush()
        case .unpeek(let id): try known().unpeek(id)
        case .closeIdle(let count): try known().closeIdle(Int(count))
        case .realBackendSeen: try known().realBackendSeen()
        case .observation(let observation): try known().learnt(observation)
        case .capabilitiesInvalidated(let backend, let moment):
            try known().capabilitiesInvalidated(of: backend, before: moment)
        // Withdrawn meanwhile: the supervisor learns so from our `release`.
        case .permit(let ticket): permits[ticket]?.grant()
        case .drain:
            phase = .draining
            try known().drain()
        case .cut:
            phase = .draining
            try known().cut()
        case .connection, .peek: throw .descriptorMismatch
        }
    }

    private func check(_ message: SupervisorMessage) throws(ControlFailure) {
        guard message.isPermitted(in: phase) else { throw .notPermitted("\(message.kind) while \(phase)") }
    }

    // MARK: Permits

    /// Asks for one of the backend's permits; `wakeup` is signalled when it is granted.
    func acquire(_ backend: BackendID, signalling wakeup: Wakeup) -> Permit {
        lastTicket &+= 1
        let permit = Permit(ticket: lastTicket, wakeup: wakeup)
        permits[lastTicket] = permit
        send(.acquire(ticket: lastTicket, backend: backend))
        return permit
    }

    /// Gives the permit back, or withdraws the question; once.
    func relinquish(_ permit: Permit) {
        guard permits.removeValue(forKey: permit.ticket) != nil else { return }
        send(.release(ticket: permit.ticket))
    }

    // MARK: The end

    /// Without its supervisor a worker has no purpose: it takes no time to say goodbye to clients.
    private func end(_ failure: ControlFailure) {
        guard let watch else { return }
        watch.cancel()
        self.watch = nil
        if failure == .ended { return leave(0) }
        log.error(.channelBroken, ["reason": LogValue("\(failure)")])
        leave(Self.brokenChannel)
    }
}

/// A place among a backend's `max_concurrent` requests, asked for or held.
@Loop
final class Permit {
    let ticket: UInt64
    private(set) var isGranted = false
    private let wakeup: Wakeup

    init(ticket: UInt64, wakeup: Wakeup) {
        self.ticket = ticket
        self.wakeup = wakeup
    }

    fileprivate func grant() {
        isGranted = true
        wakeup.signal()
    }
}

extension LogEvent {
    static let channelBroken = LogEvent("control channel broken", id: "5b1f0c3a9e6d4f27b8a1c4d2e7f60913")
    static let connectionNotTaken = LogEvent("connection lost", id: "ce6a24dcbd3f4f1b8a7b1f0d6f0c5e92")
}
