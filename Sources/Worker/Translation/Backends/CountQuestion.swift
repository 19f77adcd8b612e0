// How many tokens a prompt really has, asked of the backend that would get it: its template, its tokenizer.
// Pure: a converted request gives the first question, each answer the next or the count. Holds: what is
// counted is what would be sent, except pictures, which tokenizers do not see.

public import JSON

/// One question on the way to a count. Which, and what its answer says, is the dialect's to know.
public struct CountQuestion: Sendable {
    public enum Reply: Sendable {
        case counted(Int)
        case ask(CountQuestion)
        /// An answer of another shape.
        case unusable

        /// No conversation has no tokens, and none has more than there are bytes in the largest body.
        /// - Parameter count: nil = it is not there.
        init(count: Int?) {
            if let count, (1...1 << 32).contains(count) { self = .counted(count) } else { self = .unusable }
        }
    }

    /// Below the backend's URL.
    public let path: String
    public let body: [UInt8]
    /// Part of the backend's API; credentials are not among them.
    public var headers: [UpstreamCall.Header] = []
    /// The backend has counted the pictures, too.
    public var includesPictures = false
    private let reading: @Sendable (JSONNode) -> Reply

    /// - Parameter reading: what the body of a 2xx answer says.
    init(_ path: String, _ body: [UInt8], reading: @escaping @Sendable (JSONNode) -> Reply) {
        self.path = path
        self.body = body
        self.reading = reading
    }

    /// What this backend is asked first.
    /// - Returns: nil when this backend does not count.
    /// - Throws: 400 when it cannot be asked this at all.
    public init?(_ request: MessagesRequest, _ target: UpstreamTarget) throws(Failure) {
        guard let question = try target.profile.dialect.backend.countQuestion(request, target) else {
            return nil
        }
        self = question
    }

    /// Whether this backend counts at all.
    public static func canBeAsked(of target: UpstreamTarget) -> Bool {
        target.profile.dialect.backend.counts(target.profile)
    }

    /// - Parameter answer: the body of a 2xx answer.
    public func read(_ answer: JSONNode) -> Reply { reading(answer) }
}
