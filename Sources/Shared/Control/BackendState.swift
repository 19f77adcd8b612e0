// How a backend fares, in the one word that a worker's report has for it, and the supervisor and
// `dragoman status` read there.

public enum BackendState: String, Sendable, CaseIterable {
    /// It was not asked yet.
    case unknown
    case up
    case down
    /// It is the demo, which answers while there is no real backend.
    case demo
}
