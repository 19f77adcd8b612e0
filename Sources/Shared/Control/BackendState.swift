// How a backend fares, in the one word that `dragoman status` has for it.

public enum BackendState: String, Sendable, CaseIterable {
    /// It was not asked yet.
    case unknown
    case up
    /// Its checks fail.
    case down
    /// It answers checks and fails requests: it is left alone for a while.
    case ejected
    /// It is being tried after that, one request at a time.
    case probing
    /// It is the demo, which answers while there is no real backend.
    case demo
}
