// Answers that come as server-sent events, whatever the dialect of their data.

import JSON

/// Reads the data of one dialect's events.
/// Holds: an event is read whole or not at all.
protocol EventReader: Sendable {
    static var heedsStopSequences: Bool { get }

    init(plan: ReplyPlan)

    /// Reads one event's data. The deltas hold slices of `data` and of this reader's memory: they have to be
    /// gone before the next event is read, or memory is allocated anew.
    mutating func read(_ data: ArraySlice<UInt8>, into deltas: inout [Delta]) -> FrameReading
    mutating func read(whole root: JSONNode, into deltas: inout [Delta]) -> WholeReading

    /// An event that is an error by its name.
    static func failure(named data: ArraySlice<UInt8>) -> UpstreamFault
    /// An answer with an error status.
    /// - Parameter model: as the client named it.
    static func failure(_ head: UpstreamHead, _ body: [UInt8], model: String) -> UpstreamFault

    /// What the last failure says that the backend could not read.
    var unparsedCalls: JSONText? { get }
}

struct EventStream<Events: EventReader>: UpstreamReader {
    static var streamBeginsWithBrace: Bool { false }
    static var mayLackFraming: Bool { true }
    static var heedsStopSequences: Bool { Events.heedsStopSequences }

    private let model: String
    private var decoder = SSEDecoder()
    private var events: Events

    init(plan: ReplyPlan, model: String) {
        self.model = model
        events = Events(plan: plan)
    }

    mutating func append(_ bytes: Span<UInt8>) { decoder.append(bytes) }

    mutating func next(atEnd: Bool, into deltas: inout [Delta]) -> UpstreamStep {
        guard let frame = atEnd ? decoder.last() : decoder.next() else { return .waiting }
        let data = frame.isJoined ? decoder.joined[frame.range] : decoder.buffer[frame.range]
        switch frame.kind {
        case .data, .unframed: break
        case .tooLarge: return .failed(.backend(.unusable(.tooLarge)))
        case .namedError: return .failed(.upstream(Events.failure(named: data)))
        case .errorField: return .failed(.upstream(.named(data: data)))
        }
        return switch events.read(data, into: &deltas) {
        case .read: data.isEmpty ? .empty : .read
        case .done: .done
        case .foreign: .foreign
        case .broken: .broken
        }
    }

    mutating func read(whole root: JSONNode, into deltas: inout [Delta]) -> WholeReading {
        events.read(whole: root, into: &deltas)
    }

    func failure(_ head: UpstreamHead, _ body: [UInt8]) -> Failure {
        .upstream(Events.failure(head, body, model: model))
    }

    var unparsedCalls: JSONText? { events.unparsedCalls }
}
