// The body of an /api/chat answer, line by line. Between the bytes and the deltas, as SSEDecoder and
// OpenAIChunkReader together are for the OpenAI dialect.

import JSON

struct OllamaLines: Sendable {
    enum Step {
        /// The deltas of one line are there.
        case read
        /// A line that says nothing of an answer.
        case foreign
        /// A line that was to be part of the answer and cannot be read.
        case broken
        /// No line is complete.
        case waiting
        /// A line is larger than is read.
        case tooLarge
        /// One JSON text over several lines; it begins with these bytes.
        case document([UInt8])
    }

    private var decoder = LineDecoder()
    private(set) var reader: OllamaChunkReader
    private var isFirst = true

    init(plan: ReplyPlan, model: String) {
        reader = OllamaChunkReader(plan: plan, model: model)
    }

    mutating func append(_ bytes: Span<UInt8>) { decoder.append(bytes) }

    /// - Parameter atEnd: the body is over; its last line may lack its end.
    mutating func next(atEnd: Bool, into deltas: inout [Delta]) -> Step {
        guard let range = atEnd ? decoder.last() : decoder.next() else {
            return decoder.hasOverflowed ? .tooLarge : .waiting
        }
        if isFirst, range.count == 1 {
            // Nothing but an opening bracket: written for people.
            return .document(Array(decoder.buffer[range.lowerBound...]))
        }
        isFirst = false
        return switch reader.read(decoder.buffer[range], into: &deltas) {
        case .read, .done: .read
        case .foreign: .foreign
        case .broken: .broken
        }
    }

    /// Reads a whole reply; false if it is none.
    mutating func read(whole root: JSONNode, into deltas: inout [Delta]) -> Bool {
        reader.read(root, into: &deltas)
    }
}
