// What a backend's dialect has to be able to read, so that its answers can be translated: one conformer per
// dialect, in its folder under Backends.

import JSON

/// Reads the body of one answer: bytes cut anywhere to deltas.
/// Holds: the same deltas come out however the bytes were cut.
protocol UpstreamReader: Sendable {
    /// A body that begins with a brace is a stream; else it is one document.
    static var streamBeginsWithBrace: Bool { get }
    /// A document with others behind it, on lines of their own, is a stream without its framing.
    static var mayLackFraming: Bool { get }
    /// Backends of this dialect heed all stop sequences: the text need not be searched for them.
    static var heedsStopSequences: Bool { get }

    /// - Parameter model: as the client named it.
    init(plan: ReplyPlan, model: String)

    mutating func append(_ bytes: Span<UInt8>)

    /// Reads the next frame or line. The deltas hold slices of this reader's memory: they have to be gone
    /// before the next one is read, or memory is allocated anew.
    /// - Parameter atEnd: the body is over; what is left of it may lack its end.
    mutating func next(atEnd: Bool, into deltas: inout [Delta]) -> UpstreamStep

    /// Reads an answer that came as one document.
    mutating func read(whole root: JSONNode, into deltas: inout [Delta]) -> WholeReading

    /// What an answer with an error status means.
    func failure(_ head: UpstreamHead, _ body: [UInt8]) -> Failure

    /// The backend did not read the whole prompt.
    var promptTruncation: PromptTruncation? { get }
    /// What the last failure says that the backend could not read.
    var unparsedCalls: JSONText? { get }
}

extension UpstreamReader {
    static var mayLackFraming: Bool { false }
    static var heedsStopSequences: Bool { false }
    var promptTruncation: PromptTruncation? { nil }
    var unparsedCalls: JSONText? { nil }
}

/// What became of one frame or line.
enum UpstreamStep {
    /// The deltas of one are there.
    case read
    /// The same, and nothing follows.
    case readLast
    /// One without data.
    case empty
    /// One that says nothing of an answer, such as a sign of life.
    case foreign
    /// One that was to be part of the answer and cannot be read.
    case broken
    /// The end of the stream by its own word.
    case done
    /// None is complete.
    case waiting
    case failed(Failure)
    /// Not a stream after all, but one JSON text over several lines; it begins with these bytes.
    case document([UInt8])
}

/// What a reader makes of the text of one frame or line.
enum FrameReading: Equatable {
    case read
    /// The word that ends a stream.
    case done
    /// Nothing of an answer, such as a sign of life.
    case foreign
    /// What was to be a chunk, or more than one, and cannot be read.
    case broken
}

/// What a reader makes of one document.
enum WholeReading {
    case answer
    /// Nothing of an answer is in it; an error may be.
    case noAnswer
    case unreadable
}
