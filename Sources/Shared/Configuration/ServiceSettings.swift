// How several backends are one service: what is chosen between them, when one is left alone, who waits where.
// Every default in sight; ranges stand in ConfigurationService.

extension Configuration {
    public struct Service: Sendable, Equatable {
        public var balance = Balance.auto
        /// Nil = every request is placed anew.
        public var affinity: Affinity? = Affinity()
        public var health = Health()
        public var breaker = Breaker()
        public var failover = Failover()
        public var queue = Queue()

        public init() {}
    }

    /// The choice among usable backends of one priority class.
    public enum Balance: String, Sendable, CaseIterable {
        /// The least expected time to the first token.
        case auto
        /// The least in flight, relative to `max_concurrent`, else to `weight`.
        case leastRequests = "least-requests"
        /// In turn, each as often as its weight says.
        case roundRobin = "round-robin"
        /// In the order of the file.
        case priority
    }

    /// Which backend has seen a conversation before.
    public struct Affinity: Sendable, Equatable {
        /// Conversations remembered at most; beyond it the one not seen for longest is forgotten.
        public var sessions = 65_536
        /// How long one is remembered after its last request.
        public var ttl: Duration = .seconds(3600)

        public init() {}
    }

    /// Active checks.
    public struct Health: Sendable, Equatable {
        public var interval: Duration = .seconds(10)
        /// Of one question.
        public var timeout: Duration = .seconds(5)
        /// Failed checks in a row until a backend counts as down.
        public var fall = 3
        /// Good checks in a row until it counts as up again.
        public var rise = 1

        public init() {}
    }

    /// When a backend that answers checks and fails requests is left alone.
    public struct Breaker: Sendable, Equatable {
        /// Failed requests within `window` that open it.
        public var failures = 5
        public var window: Duration = .seconds(30)
        /// The first rest; it doubles with each trial that fails.
        public var open: Duration = .seconds(10)
        /// The longest rest.
        public var openMax: Duration = .seconds(300)

        public init() {}
    }

    public struct Failover: Sendable, Equatable {
        /// Backends asked for one request at most.
        public var attempts = 3
        /// From the first failure; later no further backend is asked.
        public var within: Duration = .seconds(30)

        public init() {}
    }

    /// Requests that wait for a backend, over the whole service.
    public struct Queue: Sendable, Equatable {
        /// Beyond it requests are refused.
        public var length = 256
        /// How long one waits at most.
        public var wait: Duration = .seconds(300)

        public init() {}
    }
}
