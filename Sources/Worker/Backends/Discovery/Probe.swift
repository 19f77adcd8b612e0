// One question to a backend and its answer, as plain values; who carries it is given from outside.

internal import EventLoop
internal import JSON
internal import Shared
internal import Translation

/// A question about a backend; small, and bounded in time and size by `ProbeLimits`.
struct Probe: Sendable, Equatable {
    /// Absolute.
    var url: String
    /// nil = GET.
    var body: [UInt8]?
    var key: SecretValue?
    var keyField = KeyField.bearer
    /// Asked as Anthropic's API wants it, with a version.
    var isAnthropic = false
    var time = ProbeLimits.time
}

enum ProbeLimits {
    /// Largest answer that is read, in bytes; lists of hosted services reach some hundred KiB.
    static let answerBytes = 4 << 20
    /// From the question to the end of the answer, where nothing else is configured.
    static let time = Configuration.Health().timeout
    /// Models kept of one backend.
    static let models = 4096
    /// Longest name of a model, in bytes; longer ones are left out.
    static let modelName = 256
    /// Pages of a list that has pages, with up to 1000 models each.
    static let pages = 4
    /// Models of one backend asked about one by one in one refresh.
    static let details = 16
}

enum ProbeAnswer: Sendable {
    case answered(status: Int, body: [UInt8])
    /// In words for the operator; never content of an answer.
    case failed(String)

    /// The parsed body of a 2xx answer.
    var json: JSONNode? {
        guard case .answered(200..<300, let body) = self, !body.isEmpty else { return nil }
        do throws(JSONError) {
            return try JSONDocument(parsing: body).root
        } catch {
            return nil
        }
    }
}

/// Carries a question. Ends within the question's time, whatever the other side does.
typealias ProbeTransport = @Loop (Probe) async -> ProbeAnswer
