// The whole contract between the supervisor and a worker: every message. When each is permitted stands in
// WorkerPhase.
// One datagram of a SOCK_SEQPACKET pair is one message. A message that is not permitted now, or does
// not decode, ends the worker (never ignored). No message carries client bytes, prompts or keys.

/// What a worker inherits, by number and by name. Nothing else crosses the exec.
public enum Inherited {
    /// The worker's end of its control channel.
    public static let controlChannel: Int32 = 3
    /// A sealed memory file with the text of the configuration this generation runs with (may be empty:
    /// defaults).
    public static let configuration: Int32 = 4
    /// A sealed memory file with the generation's secrets (`HeldSecrets.lines`): read once, by the
    /// supervisor, so that a worker started later has the same as the first.
    public static let secrets: Int32 = 5
    /// A memory file that this worker's life alone writes: what it has in hand (`InHand`), for its obituary.
    public static let inHand: Int32 = 6
    /// The worker's number, 0… ; names it in logs and in the scoreboard.
    public static let workerVariable = "DRAGOMAN_WORKER"
    /// The configuration's generation, 1… .
    public static let generationVariable = "DRAGOMAN_GENERATION"
    /// The name of the configuration's file, for messages about it; empty when there is none.
    public static let configurationNameVariable = "DRAGOMAN_CONFIG_NAME"
    /// What the command line said instead of the file, as typed: `--listen`, one address a line, and
    /// `--workers`.
    public static let listenVariable = "DRAGOMAN_LISTEN"
    public static let workersVariable = "DRAGOMAN_WORKERS"
    /// Variables of the supervisor's environment that a worker keeps: locale and paths, and JOURNAL_STREAM,
    /// which tells that stderr is the journal. LISTEN_*, NOTIFY_SOCKET, WATCHDOG_*, those that hold keys and
    /// all the rest are not passed on.
    public static let keptVariables = [
        "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TERM", "NO_COLOR", "JOURNAL_STREAM", "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ]
}

/// Whom a listener is for; decides which Host names are accepted.
public enum ListenerScope: UInt8, Sendable, Equatable {
    case loopback = 0
    case network = 1
    case unix = 2
}

/// What the supervisor says to a worker.
public enum SupervisorMessage: Sendable, Equatable {
    /// Answer to `hello`, once: the worker's slots (connections held at once).
    case welcome(slots: UInt32)
    /// A client connection for a free slot; carries the descriptor. `peer` is
    /// `address:port` (`[address]:port` for IPv6), for a Unix connection `pid P uid U`.
    case connection(id: UInt64, scope: ListenerScope, peer: String)
    /// No slot is free: look (MSG_PEEK, consume nothing) whether this waiting connection asks for
    /// `/health` or `/ready`; if so answer it and close. Carries a descriptor; costs no slot. Every `peek`
    /// gets exactly one `peeked`, as soon as the verdict is certain or `unpeek` asks for it; with it the
    /// worker gives up its copy.
    case peek(id: UInt64, scope: ListenerScope, peer: String)
    /// A slot is free for the waiting connection: say `peeked` now if it was not said yet (`.other`, unless
    /// an answer was begun: then `.served`), and give up the copy. Until that verdict the connection is given
    /// to nobody, so that two workers never answer it. Ignored for an id whose verdict is already sent.
    case unpeek(id: UInt64)
    /// Close up to `count` idle keep-alive connections, the oldest first.
    case closeIdle(count: UInt32)
    /// Another worker has learnt this. After `welcome` also all that was learnt before.
    case observation(ModelObservation)
    /// What this backend was found to refuse before that moment is to be found out anew.
    case capabilitiesInvalidated(backend: BackendID, before: WallTime)
    /// There is this backend. After `welcome` all that are known, before anything else of them.
    case backend(BackendAnnouncement)
    /// What a backend is and has. After `welcome` what is known of each.
    case listing(ListingPart)
    /// A backend fares otherwise.
    case condition(BackendCondition)
    /// A model of a backend fares otherwise than the rest of it; `isOpen` as in `BackendCondition`.
    case modelCondition(backend: BackendNumber, model: ModelDigest, isOpen: Bool)
    /// The answer to `admit`, some time.
    case granted(ticket: UInt64, Grant)
    /// The other answer to `admit`. The ticket ends as every other, with a notice: so a question that is
    /// withdrawn while this is under way ends once.
    case refused(ticket: UInt64, AdmissionRefusal)
    /// The client has sent this request anew: what was begun for the ticket is of no use any more. It ends as
    /// every other, with a notice.
    case superseded(ticket: UInt64)
    /// This worker asks the backends for all, from now on or no more.
    case probe(isOn: Bool)
    /// To the prober: an exchange has found this backend away; it is to be asked soon.
    case look(backend: BackendNumber)
    /// The usual ports have been asked: who is not known by now is not there. Also after `welcome`.
    case searched
    /// A piece of the answer to `askStatus`, in order.
    case status(token: UInt64, isLast: Bool, json: String)
    /// Heartbeat; the worker answers `pong` with the same number.
    case ping(sequence: UInt64)
    /// Take no new connections, close idle ones, say `Connection: close`, finish the rest, then `drained`.
    case drain
    /// The time to finish is over: as `drain`, and what is still running ends with an error for its client at
    /// once. The worker is killed a moment later.
    case cut
}

/// What a worker says to the supervisor.
public enum WorkerMessage: Sendable, Equatable {
    /// First message, once; `protocolVersion` must equal `controlProtocolVersion`.
    case hello(protocolVersion: UInt32)
    /// After `welcome`: can serve.
    case ready
    /// The worker owns this connection now; the supervisor closes its copy.
    case accepted(id: UInt64)
    /// These many slots are free again.
    case released(count: UInt32)
    /// The verdict on a waiting connection, once per `peek`. After `.served` and `.gone` the supervisor
    /// closes its copy; after `.other` it keeps it, in order, until a slot is free.
    case peeked(id: UInt64, verdict: PeekResult)
    /// This worker has learnt something new of a backend's model. Kept for later workers, relayed to all
    /// others.
    case observation(ModelObservation)
    /// This worker saw the backend return: what it was found to refuse before that moment may not be true any
    /// more. Relayed to all others.
    case capabilitiesInvalidated(backend: BackendID, before: WallTime)
    /// Where to send this request? Answered by `granted` or `refused`, some time.
    case admit(ticket: UInt64, AdmissionQuestion)
    /// What goes on in exchanges, in the order in which it happened; at most `ExchangeNotice.maximum`.
    case notices([ExchangeNotice])
    /// The prober has asked a backend. What it has found to be there, `listing` has told before.
    case checked(backend: BackendNumber, CheckResult)
    /// What the prober has found a backend to be and to have.
    case listing(ListingPart)
    /// The prober has found a backend on a usual port. Answered by `backend`, to all.
    case discovered(name: String, url: String, priority: UInt32)
    /// The prober has asked the usual ports once. Relayed to all, and told to all later workers.
    case searched
    /// What `dragoman status --json` would say.
    case askStatus(token: UInt64)
    /// Heartbeat answer with the worker's own figures.
    case pong(sequence: UInt64, figures: WorkerFigures)
    /// After `drain`, when nothing is left: the worker exits with 0 after this.
    case drained
}

public let controlProtocolVersion: UInt32 = 4
/// Largest datagram on the control channel, in bytes.
public let maximumControlBytes = 64 * 1024
public let maximumReportBytes = 48 * 1024

public enum PeekResult: UInt8, Sendable, Equatable {
    case served = 0
    case other = 1
    case gone = 2
}

/// A worker's own counters; they only grow, except the gauges.
public struct WorkerFigures: Sendable, Equatable {
    /// Gauge: connections held.
    public var connections: UInt32 = 0
    /// Gauge: exchanges in flight.
    public var exchanges: UInt32 = 0
    /// Exchanges ended since the worker started.
    public var served: UInt64 = 0
    /// Of these, ended with an error of ours or of the backend.
    public var failed: UInt64 = 0
    public var inputTokens: UInt64 = 0
    public var outputTokens: UInt64 = 0

    public init() {}
}
