// The limits of serving clients that are not settings: each bounds a buffer or a wait, each has a name.

enum ServingLimits {
    /// Bytes read from a client socket at once; one buffer for all connections.
    static let readBytes = 64 << 10
    /// Output waiting for a client from which on the upstream is paused, in bytes.
    static let outputHighWater = 256 << 10
    /// … and the amount at which it goes on.
    static let outputLowWater = 64 << 10
    /// Output buffers up to this size are kept for the connection's next event, in bytes.
    static let keptOutput = 8 << 10
    /// How long a client may take nothing of an answer that waits for it.
    static let clientStalled = Duration.seconds(300)
    /// After an early answer: how long, and how much of what the client still sends, is read and dropped,
    /// so that closing does not destroy the answer on its way (RFC 9112 section 9.6).
    static let lingerTime = Duration.seconds(10)
    static let lingerBytes = 64 << 20
    /// A body that nobody reads (of a refused request, or of an endpoint that takes none) is read over up to
    /// this size and the connection kept, in bytes.
    static let discardedBody = 256 << 10
    /// Bytes reserved for a body before any of it has come.
    static let reservedBody = 1 << 20
    /// A client whose answer said that the connection stays open may be writing its next request already:
    /// for so long after an answer the connection is kept even when it has to leave. So is a new one that has
    /// not said anything yet.
    static let reuseGrace = Duration.milliseconds(500)
    /// Request bodies up to this size are read at once; larger ones only while there is room, in bytes.
    static let smallBody = 1 << 20
    /// The room for all larger ones of a worker together, from before they are read until the backend's
    /// answer has begun; in bytes. A single body is read in any case. What is made of them takes about as
    /// much again.
    static let largeBodies = 128 << 20
    /// How long a large body may wait for room before the client is told to come again, and when, in seconds.
    static let roomWait = Duration.seconds(60)
    static let roomRetry = 5
    /// Bodies beyond this size are dealt with in steps, with a turn for everybody else between them, in
    /// bytes.
    static let stepwiseBody = 256 << 10
    /// Waiting connections looked at for `/health` and `/ready` at once.
    static let peekedConnections = 1024
    /// Bytes of a waiting connection that are looked at.
    static let peekedBytes = 8 << 10
    /// After an answer is complete: how long the backend may take to end its framing, so that its connection
    /// can be used again.
    static let upstreamFarewell = Duration.seconds(1)
    /// After the model has said that it stopped: how long the backend may take to count and to end its
    /// answer.
    static let stoppedFarewell = Duration.seconds(3)
    /// Without an exchange for so long, unused memory goes back to the system.
    static let quietTime = Duration.seconds(5)
    /// Silence on a stream after which a `ping` event goes out.
    static let pingInterval = Duration.seconds(10)
}
