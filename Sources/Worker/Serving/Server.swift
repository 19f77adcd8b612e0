// The worker as its connections see it: configuration, who may come in, who is here, and the way out.
// Holds: a connection received is answered or closed, and its slot returned exactly once.

internal import CSystem
internal import EventLoop
internal import Glibc
internal import HTTP
internal import Shared
internal import Translation
internal import Upstream

@Loop
final class Server {
    let configuration: Configuration
    let log: Log
    let access: AccessRules
    let bodyRoom: BodyRoom
    /// What the supervisor will find when this worker dies.
    let inHand: InHandTable?
    /// What exchanges get.
    let context: ExchangeContext
    private(set) var isDraining = false
    private unowned let control: Control
    /// Signalled once, when drained.
    private let finished: Wakeup
    private var connections: [UInt64: Connection] = [:]
    private lazy var probes = ProbeResponder(
        verdict: { [control] id, verdict in control.send(.peeked(id: id, verdict: verdict)) },
        answer: { [unowned self] endpoint, head, scope, port in
            probeAnswer(endpoint, head, scope, port: port)
        })
    /// Refused keys that are shown at `notice`.
    var refusedKeys = NoticeLimit(count: 10, each: .seconds(60))

    init(
        _ start: WorkerStart, _ upstream: UpstreamClient, _ control: Control, _ finished: Wakeup
    ) {
        configuration = start.configuration
        log = start.log
        self.control = control
        self.finished = finished
        access = AccessRules(hosts: start.configuration.hosts, keys: start.secrets.access)
        bodyRoom = BodyRoom(largest: start.configuration.limits.requestBody)
        inHand = start.inHand.flatMap { InHandTable(mapping: $0) }
        let environment = BackendRegistry.Environment(
            learnt: { [unowned control] in control.send(.observation($0)) },
            forgot: { [unowned control] in control.send(.capabilitiesInvalidated(backend: $0, before: $1)) })
        let registry = BackendRegistry(
            start.configuration, keys: start.secrets.backends, log: start.log, environment: environment)
        prober = BackendProber(
            start.configuration, registry, log: start.log,
            environment: .init(
                carrier: { [upstream] probe in await upstream.ask(probe) },
                send: { [unowned control] in control.send($0) }))
        context = ExchangeContext(
            start.configuration, start.log, registry, upstream,
            DocumentReader(program: TextProgram.find(), log: start.log), control.admissions)
    }

    var status: StatusDesk { control.status }
    var registry: BackendRegistry { context.registry }
    let prober: BackendProber
    /// Who gets what the supervisor says from here on.
    var receivers: ControlReceivers {
        ControlReceivers(connections: self, probes: probes, backends: registry, prober: prober)
    }

    /// From here on the supervisor's messages drive the worker.
    func begin() {
        watchTurns()
        control.send(.ready)
    }

    /// At debug only, for it has its price: turns of the loop in which nobody else was served.
    private func watchTurns() {
        guard log.takes(.debug) else { return }
        Loop.longTurns = { [log] turn in
            log.debug(
                .longTurn,
                [
                    "processor_us": LogValue(turn.processorTime.wholeNanoseconds / 1000),
                    "duration_us": LogValue(turn.time.wholeNanoseconds / 1000),
                ])
        }
    }

    // MARK: Connections

    /// Called by a connection when its life is over.
    func ended(_ connection: Connection) {
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        control.send(.released(count: 1))
        leaveIfDrained()
    }

    private func leaveIfDrained() {
        guard isDraining, connections.isEmpty, context.counters.exchanges == 0 else { return }
        control.send(.drained)
        finished.signal()
    }
}

extension Server: ConnectionReceiver {
    func received(_ id: UInt64, _ scope: ListenerScope, _ peer: String, _ descriptor: consuming Descriptor) {
        do throws(LoopError) {
            let connection = try Connection(
                id: id, scope: scope, peer: peer, descriptor: descriptor, server: self)
            connections[id] = connection
            Loop.spawn { await connection.serve() }
        } catch {
            log.error(.connectionLost, ["reason": LogValue("\(error)")])
            control.send(.released(count: 1))
        }
    }

    func closeIdle(_ count: Int) {
        let idle = connections.values.compactMap { connection in
            connection.idleSince.map { (since: $0, connection: connection) }
        }
        let oldest = idle.sorted { ($0.since, $0.connection.id) < ($1.since, $1.connection.id) }
        for entry in oldest.prefix(count) { entry.connection.leave() }
    }

    func drain() {
        guard !isDraining else { return }
        isDraining = true
        for connection in connections.values { connection.leave() }
        leaveIfDrained()
    }

    func cut() {
        guard !context.isCut else { return }
        context.cut()
        if context.counters.exchanges > 0 {
            log.warning(.exchangesCut, ["count": LogValue(context.counters.exchanges)])
        }
        drain()
        for connection in connections.values { connection.cut() }
        leaveIfDrained()
    }

    func figures() -> WorkerFigures {
        var figures = context.counters
        figures.connections = UInt32(clamping: connections.count)
        return figures
    }
}

extension LogEvent {
    static let connectionLost = LogEvent(
        "connection could not be watched", id: "c0a5d2b7f14e4c83a94d6be21f7308ac")
    static let exchangesCut = LogEvent(
        "answers cut off: the time to stop is over", id: "8c1e5f9a37d24b60a5f2e7c49d10b683")
    static let longTurn = LogEvent("long turn of the loop", id: "d04be9173c6f4f8ea2b1570c8d3e6f92")
}
