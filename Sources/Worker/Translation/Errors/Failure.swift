// Why a request has no answer, or none that is whole: one value from where it is found to the client, the
// journal and the counters. Holds: it says what happened, never a status or a sentence for a client; these
// are made of it in `Clients`.

/// Whose doing a failure is. One reference, however much it says: thousands of streams hold one.
public indirect enum Failure: Error, Sendable, Equatable {
    /// What the client sent cannot be done.
    case request(RequestFault)
    /// A backend did not answer, or answered with an error, or with what is no answer.
    case upstream(UpstreamFault)
    /// There is no backend to send it to.
    case routing(RoutingFault)
    /// The gateway itself cannot deal with it now.
    case gateway(GatewayFault)
}

public enum GatewayFault: Sendable, Equatable {
    /// The service ends before the answer does.
    case stopping
    /// No backend has been looked at yet.
    case notReady
    /// Other large requests took too long to be dealt with. Seconds after which to come again.
    case noRoom(retryAfter: Int)
    /// So many requests wait for a backend already.
    case queueFull(waiting: Int, retryAfter: Int)
    /// No backend had a place for it in time.
    case waitedTooLong(retryAfter: Int)
    /// All backends that could answer have asked for peace.
    case resting(retryAfter: Int)
    /// Its figures did not come in time.
    case noStatus
}

/// Why there is no backend to send a request to, as far as its client is concerned.
public enum RoutingFault: Sendable, Equatable {
    /// Backends are known, and none has this model.
    case unknownModel(String, Hint)
    /// No backend has told its models yet, or there is none.
    case nothingToServe(isConfigured: Bool)
    /// These backends answer and have no model to offer.
    case noModels([String])
    /// None of these backends has answered for a long time.
    case lost([String])

    /// What may have been meant by an unknown name.
    public enum Hint: Sendable, Equatable {
        case nearest(String)
        /// The first names that are known, and whether there are more.
        case some([String], more: Bool)
    }
}

extension Failure {
    /// The client asked for what cannot be had; nothing here and no backend is at fault.
    public var isClientsMatter: Bool {
        switch self {
        case .request, .routing(.unknownModel), .routing(.noModels): true
        case .upstream, .routing(.nothingToServe), .routing(.lost), .gateway: false
        }
    }

    /// A backend's fault of which nothing is known but the cause.
    static func backend(_ cause: UpstreamFault.Cause) -> Failure { .upstream(UpstreamFault(cause)) }

    /// With what is known of the backend: its name, and nothing of its key.
    func identified(as backend: BackendIdentity) -> Failure {
        guard case .upstream(var fault) = self else { return self }
        fault.backend = backend.name
        backend.secret.hide(in: &fault)
        return .upstream(fault)
    }

    /// The same of a backend that has been away for long.
    public var persisting: Failure {
        guard case .upstream(var fault) = self, case .unreachable(let detail, _) = fault.cause else {
            return self
        }
        fault.cause = .unreachable(detail: detail, isPersistent: true)
        return .upstream(fault)
    }
}
