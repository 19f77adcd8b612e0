// The worker's end of the control channel: what the supervisor says becomes calls, in order. Holds: what
// is not permitted in this phase, or does not decode, ends the worker; so does the end of the channel.

internal import EventLoop
internal import Shared

/// Serves the connections that come, until it is told to end.
@Loop
protocol ConnectionReceiver: AnyObject {
    func received(_ id: UInt64, _ scope: ListenerScope, _ peer: String, _ descriptor: consuming Descriptor)
    func closeIdle(_ count: Int)
    func drain()
    func cut()
    func figures() -> WorkerFigures
}

/// Knows the backends, and hears what other workers have found out about them.
@Loop
protocol BackendNewsReceiver: AnyObject {
    func announced(_ backend: BackendAnnouncement)
    func listed(_ part: ListingPart)
    func fares(_ condition: BackendCondition)
    func fares(_ backend: BackendNumber, _ model: ModelDigest, isOpen: Bool)
    func searched()
    func learnt(_ observation: ModelObservation)
    func capabilitiesInvalidated(of backend: BackendID, before moment: WallTime)
}

/// Asks the backends for all workers, while it has that role.
@Loop
protocol ProberReceiver: AnyObject {
    func probe(isOn: Bool)
    func look(at backend: BackendNumber)
}

/// Who gets what the supervisor says after its welcome: each message goes to exactly one of them, or to the
/// desks, which Control itself keeps.
struct ControlReceivers {
    let connections: any ConnectionReceiver
    let probes: ProbeResponder
    let backends: any BackendNewsReceiver
    let prober: any ProberReceiver
}

@Loop
final class Control {
    /// Exit status when the channel was broken, as EX_SOFTWARE of sysexits.h; 0 when it ended.
    static let brokenChannel: Int32 = 70

    private let channel: WorkerChannel
    private let log: Log
    /// Ends the process with this status, at once.
    private let leave: @Loop (Int32) -> Void
    private var watch: Watch?
    /// Says what may come next.
    private var phase = WorkerPhase.greeting
    private let welcomed: @Loop (Control) -> ControlReceivers
    /// Nil until the supervisor has said welcome.
    private(set) var receivers: ControlReceivers?
    /// Where requests ask for a backend.
    private(set) lazy var admissions = AdmissionDesk { [unowned self] in send($0) }
    private(set) lazy var status = StatusDesk { [unowned self] in send($0) }

    /// - Parameters:
    ///   - leave: ends the process with this status, at once.
    ///   - welcomed: makes the receivers of everything that follows; this object keeps them.
    init(
        _ channel: WorkerChannel, log: Log, leave: @escaping @Loop (Int32) -> Void,
        welcomed: @escaping @Loop (Control) -> ControlReceivers
    ) {
        self.channel = channel
        self.leave = leave
        self.log = log
        self.welcomed = welcomed
    }

    /// Of what is permitted only after the welcome.
    private func known() throws(ControlFailure) -> ControlReceivers {
        guard let receivers else { throw .malformed }
        return receivers
    }

    /// Says hello; from here on everything is driven by what comes.
    func begin() throws(LoopError) {
        watch = try Watch(channel.raw) { [unowned self] ready in self.turn(ready) }
        send(.hello(protocolVersion: controlProtocolVersion))
    }

    func send(_ message: WorkerMessage) {
        switch message.kind {
        case .ready: phase = .serving
        case .drained:
            admissions.flush()
            phase = .drained
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
            let connections = try known().connections
            send(.accepted(id: id))
            connections.received(id, scope, peer, descriptor)
        case .peek(let id, let scope, _): try known().probes.admit(id, scope, descriptor)
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
        case .welcome:
            phase = .welcomed
            receivers = welcomed(self)
        case .ping(let sequence):
            // The figures of the scheduler are to be as new as those that follow.
            admissions.flush()
            send(.pong(sequence: sequence, figures: receivers?.connections.figures() ?? WorkerFigures()))
            // The heartbeat also moves on what a burst of entries left waiting.
            log.flush()
        case .unpeek(let id): try known().probes.release(id)
        case .closeIdle(let count): try known().connections.closeIdle(Int(count))
        case .observation(let observation): try known().backends.learnt(observation)
        case .capabilitiesInvalidated(let backend, let moment):
            try known().backends.capabilitiesInvalidated(of: backend, before: moment)
        case .granted(let ticket, let grant): admissions.granted(ticket, grant)
        case .refused(let ticket, let refusal): admissions.refused(ticket, refusal)
        case .superseded(let ticket): admissions.superseded(ticket)
        case .status(let token, let isLast, let json): status.received(token, json, isLast: isLast)
        case .drain:
            phase = .draining
            let receivers = try known()
            receivers.probes.releaseAll()
            receivers.connections.drain()
        case .cut:
            phase = .draining
            let receivers = try known()
            receivers.probes.releaseAll()
            receivers.connections.cut()
        case .backend(let backend): try known().backends.announced(backend)
        case .listing(let part): try known().backends.listed(part)
        case .condition(let condition): try known().backends.fares(condition)
        case .modelCondition(let backend, let model, let isOpen):
            try known().backends.fares(backend, model, isOpen: isOpen)
        case .searched: try known().backends.searched()
        case .probe(let isOn): try known().prober.probe(isOn: isOn)
        case .look(let backend): try known().prober.look(at: backend)
        case .connection, .peek: throw .descriptorMismatch
        }
    }

    private func check(_ message: SupervisorMessage) throws(ControlFailure) {
        guard message.isPermitted(in: phase) else { throw .notPermitted("\(message.kind) while \(phase)") }
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

extension LogEvent {
    static let channelBroken = LogEvent("control channel broken", id: "5b1f0c3a9e6d4f27b8a1c4d2e7f60913")
    static let connectionNotTaken = LogEvent("connection lost", id: "ce6a24dcbd3f4f1b8a7b1f0d6f0c5e92")
}
