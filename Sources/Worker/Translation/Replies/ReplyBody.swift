// The body of a backend's answer and the state of the reply that is made from it: what the body is taken for,
// what of it is collected, whether anything was said to the client, how it ended. The same for all kinds of
// replies.

/// What has gone to a client that reads a stream before any backend had answered: none of it is an answer, so
/// that another backend may still be asked.
public enum ReplyOpening: Sendable, Equatable {
    case nothing
    /// The head, and signs of life.
    case head
    /// Also the event that every stream of its API begins with.
    case started
}

/// Where a reply stands.
public enum ReplyPhase: Sendable, Equatable {
    /// Nothing of an answer has come. A reply without a stream stays here until it ends; the head of a stream
    /// may have gone out nevertheless.
    case undecided
    case streaming
    case ended(Outcome)
}

struct ReplyBody: Sendable {
    /// What the body is taken for.
    enum Kind {
        /// Nothing but space came yet.
        case unknown
        /// Events or lines.
        case stream
        /// One JSON text.
        case document
        /// Not an answer: an error's text.
        case failure
    }

    /// Bytes of a whole completion, read or written.
    static let documentLimit = 64 << 20
    /// Bytes of an error's text that are read.
    static let failureLimit = 256 << 10

    private(set) var phase = ReplyPhase.undecided
    /// The head of the stream is out, before an answer or for one.
    private(set) var isOpened = false
    /// The error, when the reply ended before anything of an answer was said to the client.
    private(set) var failure: Failure?
    /// The backend answered with success and without a byte.
    var saidNothing = false

    private(set) var kind = Kind.unknown
    private(set) var head = UpstreamHead(status: 200, contentType: "")
    private(set) var hadBytes = false
    /// A document, or an error's text.
    private(set) var collected: [UInt8] = []
    var opening = AnswerOpening()

    /// False once the reply has ended.
    var wantsMore: Bool { if case .ended = phase { false } else { true } }
    var isUndecided: Bool { if case .undecided = phase { true } else { false } }
    var isStreaming: Bool { if case .streaming = phase { true } else { false } }
    var isUnknown: Bool { if case .unknown = kind { true } else { false } }
    /// By its status.
    var isSuccess: Bool { (200...299).contains(head.status) }

    // MARK: the body

    /// - Returns: what is wrong with an answer of this head.
    mutating func receive(head: UpstreamHead) -> Failure? {
        self.head = head
        guard isSuccess else {
            kind = .failure
            return nil
        }
        return head.isReadable ? nil : .backend(.unusable(.compressed(head.contentEncoding)))
    }

    /// The place of the first byte that is no white space; it tells what the body is. White space before it
    /// belongs to no line, whether it comes alone or with it.
    /// - Parameter streamBeginsWithBrace: else what begins with a brace is a document.
    mutating func begin(_ bytes: Span<UInt8>, streamBeginsWithBrace: Bool) -> Int {
        hadBytes = true
        guard case .unknown = kind else { return 0 }
        var at = 0
        while at < bytes.count, Ascii.isSpace(bytes[at]) { at += 1 }
        guard at < bytes.count else { return at }
        switch bytes[at] {
        case UInt8(ascii: "{") where streamBeginsWithBrace: kind = .stream
        case UInt8(ascii: "{"), UInt8(ascii: "["): kind = .document
        case UInt8(ascii: "<"): kind = .failure
        default:
            kind = head.contentType == "text/html" ? .failure : .stream
            opening.begin(head)
        }
        return at
    }

    /// Keeps bytes of a document or of an error's text.
    /// - Returns: what is wrong with an answer that has so many.
    mutating func collect(_ bytes: Span<UInt8>) -> Failure? {
        if case .failure = kind {
            guard head.isReadable else { return nil }
            // The rest of a long page says nothing more.
            let room = max(0, Self.failureLimit - collected.count)
            append(bytes.extracting(first: min(room, bytes.count)))
            return nil
        }
        guard bytes.count <= Self.documentLimit - collected.count else {
            return .backend(.unusable(.tooLarge))
        }
        append(bytes)
        return nil
    }

    private mutating func append(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { collected.append(contentsOf: $0) }
    }

    /// What was taken for a stream is one document.
    mutating func becomeDocument() { kind = .document }

    mutating func takeCollected() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &collected)
        return taken
    }

    // MARK: the reply

    /// The status goes out, with nothing of an answer.
    mutating func open() { isOpened = true }

    /// The answer begins.
    mutating func commit() { phase = .streaming }

    mutating func end(_ outcome: Outcome, failure: Failure? = nil) {
        phase = .ended(outcome)
        self.failure = failure
        collected = []
    }
}
