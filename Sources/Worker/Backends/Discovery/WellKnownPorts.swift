// Where local backends listen unless told otherwise, and how often these places are looked at when
// nothing is configured.

internal import Shared

/// A usual port of a kind of backend.
struct UsualPort: Sendable, Equatable {
    let port: UInt16
    let type: Configuration.BackendType

    /// In order of preference.
    static let all = [
        UsualPort(port: 11434, type: .ollama), UsualPort(port: 1234, type: .lmstudio),
        UsualPort(port: 8000, type: .vllm), UsualPort(port: 8080, type: .llamacpp),
        UsualPort(port: 30000, type: .sglang),
    ]

    var url: String { "http://127.0.0.1:\(port)" }

    /// The name of a backend found here; it is called after what it is.
    func name(_ found: Configuration.BackendType, taken: some Sequence<String>) -> String {
        let word = found == .openaiCompatible ? "local" : found.rawValue
        return found == type && !taken.contains(word) ? word : "\(word)-\(port)"
    }
}

/// How often is asked, beside `health.interval`. Each wait is shortened by up to a fifth at random, so that not all
/// backends are asked together.
enum ProbePace {
    /// A hosted service that answers: its list changes rarely.
    static let remote = Duration.seconds(600)
    /// A backend that does not answer, at most; a usual port where nobody listens.
    static let absent = Duration.seconds(5)
    /// Where it is not sure yet how a backend fares, and between two rounds at least.
    static let doubt = Duration.seconds(1)
    /// Something that is no backend: doubled from here up to `strangerLongest`,
    /// for a backend may take its place.
    static let unrecognised = Duration.seconds(10)
    static let strangerLongest = Duration.seconds(60)
    /// A request that comes before the first round has ended waits at most this long for it.
    static let firstRound = Duration.seconds(2)

    static func jittered(_ wait: Duration, _ generator: inout some RandomNumberGenerator) -> Duration {
        wait - wait / 100 * Int.random(in: 0...20, using: &generator)
    }
}
