// The beginning of an answer that is not said to be a stream, kept until it is known to be one: where it is a
// text, that text is told. Pure.

struct AnswerOpening: Sendable {
    /// Bytes that are kept.
    private static let limit = 256
    /// How events and JSON begin.
    private static let beginnings = ["data:", "event:", "id:", "retry:", ":", "{", "["].map { Array($0.utf8) }

    /// Nil when there is no question.
    private var bytes: [UInt8]?

    var isKept: Bool { bytes != nil }

    mutating func begin(_ head: UpstreamHead) { if !head.isStream { bytes = [] } }

    /// - Parameter isStream: it has turned out to be one.
    @inline(__always)
    mutating func keep(_ more: Span<UInt8>, isStream: Bool) {
        guard let kept = bytes else { return }
        guard !isStream else { return bytes = nil }
        more.extracting(first: min(Self.limit - kept.count, more.count)).withUnsafeBufferPointer {
            bytes?.append(contentsOf: $0)
        }
    }

    /// What to say of it when it was all that came; nil when it is no text.
    func failure(at place: String) -> Failure? {
        guard let words = bytes?.drop(while: Ascii.isSpace), !words.isEmpty,
            !Self.beginnings.contains(where: { words.starts(with: $0) })
        else { return nil }
        return .upstream(.page(words, at: place))
    }
}
