// The body of an /api/chat answer, line by line. Between the bytes and the deltas, as EventStream is for
// dialects of server-sent events.

import JSON

struct OllamaLines: UpstreamReader {
    static let streamBeginsWithBrace = true

    private var decoder = LineDecoder()
    private var reader: OllamaChunkReader
    private var isFirst = true

    init(plan: ReplyPlan, model: String) {
        reader = OllamaChunkReader(plan: plan, model: model)
    }

    var promptTruncation: PromptTruncation? { reader.promptTruncation }

    mutating func append(_ bytes: Span<UInt8>) { decoder.append(bytes) }

    mutating func next(atEnd: Bool, into deltas: inout [Delta]) -> UpstreamStep {
        guard let range = atEnd ? decoder.last() : decoder.next() else {
            return decoder.hasOverflowed ? .failed(.backend(.unusable(.tooLarge))) : .waiting
        }
        if isFirst, range.count == 1 {
            // Nothing but an opening bracket: written for people.
            return .document(Array(decoder.buffer[range.lowerBound...]))
        }
        isFirst = false
        return switch reader.read(decoder.buffer[range], into: &deltas) {
        case .read, .done: reader.isDone ? .readLast : .read
        case .foreign: .foreign
        case .broken: .broken
        }
    }

    mutating func read(whole root: JSONNode, into deltas: inout [Delta]) -> WholeReading {
        reader.read(root, into: &deltas) ? .answer : .unreadable
    }

    func failure(_ head: UpstreamHead, _ body: [UInt8]) -> Failure { reader.failure(head, body) }
}
