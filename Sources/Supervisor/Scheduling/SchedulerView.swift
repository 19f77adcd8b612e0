// What is shown of the scheduler: for `dragoman status`, for metrics, for the lines of the journal.

public import Shared

extension Scheduler {
    /// One backend's figures.
    public struct BackendView: Sendable, Equatable {
        public enum BreakerState: String, Sendable {
            case closed, open
            case halfOpen = "half-open"
        }

        public var state = BackendState.unknown
        public var breaker = BreakerState.closed
        /// Models whose own breaker is not closed.
        public var openModels: [ModelDigest] = []
        public var inFlight = 0
        /// Waiting requests that could go there.
        public var queued = 0
        public var requests: UInt64 = 0
        public var failures: UInt64 = 0
        /// The last bad check's.
        public var reason = ""

        public init() {}
    }

    public struct ClientView: Sendable, Equatable {
        public let name: String
        public var requests: UInt64 = 0
        public var inputTokens: UInt64 = 0
        public var outputTokens: UInt64 = 0
        public var inFlight = 0
        public var queued = 0
        /// Refused for a limit.
        public var limited: UInt64 = 0

        public init(name: String) { self.name = name }
    }

    public struct AffinityView: Sendable, Equatable {
        /// Remembered now.
        public var sessions = 0
        /// Requests that went where their conversation was before, and that did not although it was somewhere.
        public var hits: UInt64 = 0
        public var moves: UInt64 = 0

        public init() {}
    }

    public func view(of backend: BackendNumber, at now: MonotonicInstant) -> BackendView {
        var view = BackendView()
        guard let place = place(of: backend) else { return view }
        let record = records[place]
        view.state = record.state
        switch record.breaker.state {
        case .closed: view.breaker = .closed
        case .open: view.breaker = .open
        case .halfOpen: view.breaker = .halfOpen
        }
        view.openModels = record.models.filter { !$0.breaker.isClosed }.map(\.model)
        view.inFlight = record.inFlight
        view.queued = record.queued
        view.requests = record.requests
        view.failures = record.failures
        view.reason = record.checks.reason
        return view
    }

    /// By name.
    public var clientViews: [ClientView] { ledger.views }

    public var affinityView: AffinityView {
        var view = AffinityView()
        view.sessions = conversations.count
        view.hits = affinityHits
        view.moves = affinityMoves
        return view
    }

    /// Requests that wait for a backend.
    public var queued: Int { waiters.count }
}
