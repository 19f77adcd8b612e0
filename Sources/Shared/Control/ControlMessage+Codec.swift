// The kind numbers and fields of every control message; see ControlCodec for the layout. A number,
// once given, is never used for another message.

extension SupervisorMessage: ControlCodable {
    public var carriesDescriptor: Bool {
        switch self {
        case .connection, .peek: true
        case .welcome, .unpeek, .shed, .permit, .realBackendSeen, .lesson, .verdictsForgotten, .ping, .drain,
            .cut:
            false
        }
    }

    public func write(into writer: inout ControlWriter) throws(ControlFailure) {
        switch self {
        case .welcome(let slots, let realBackendSeen):
            writer.kind(1)
            writer.integer(slots)
            writer.integer(UInt8(realBackendSeen ? 1 : 0))
        case .connection(let id, let door, let peer):
            writer.kind(2)
            try Self.write(id, door, peer, into: &writer)
        case .peek(let id, let door, let peer):
            writer.kind(3)
            try Self.write(id, door, peer, into: &writer)
        case .unpeek(let id):
            writer.kind(4)
            writer.integer(id)
        case .shed(let count):
            writer.kind(5)
            writer.integer(count)
        case .permit(let ticket):
            writer.kind(6)
            writer.integer(ticket)
        case .realBackendSeen:
            writer.kind(7)
        case .ping(let sequence):
            writer.kind(8)
            writer.integer(sequence)
        case .drain:
            writer.kind(9)
        case .lesson(let lesson):
            writer.kind(10)
            try lesson.write(into: &writer)
        case .verdictsForgotten(let backend, let moment):
            writer.kind(11)
            try writer.text(backend, limit: ModelObservation.longestName)
            writer.integer(moment)
        case .cut:
            writer.kind(12)
        }
    }

    private static func write(
        _ id: UInt64, _ door: ListenerScope, _ peer: String, into writer: inout ControlWriter
    ) throws(ControlFailure) {
        writer.integer(id)
        writer.integer(door.rawValue)
        try writer.text(peer, limit: maximumPeerBytes)
    }

    public init(kind: UInt8, from reader: inout ControlReader) throws(ControlFailure) {
        switch kind {
        case 1: self = .welcome(slots: try reader.integer(), realBackendSeen: try reader.flag())
        case 2:
            self = .connection(
                id: try reader.integer(), door: try Self.door(&reader),
                peer: try reader.text(limit: maximumPeerBytes))
        case 3:
            self = .peek(
                id: try reader.integer(), door: try Self.door(&reader),
                peer: try reader.text(limit: maximumPeerBytes))
        case 4: self = .unpeek(id: try reader.integer())
        case 5: self = .shed(count: try reader.integer())
        case 6: self = .permit(ticket: try reader.integer())
        case 7: self = .realBackendSeen
        case 8: self = .ping(sequence: try reader.integer())
        case 9: self = .drain
        case 10: self = .lesson(try ModelObservation(from: &reader))
        case 11:
            self = .verdictsForgotten(
                backend: try reader.text(limit: ModelObservation.longestName), before: try reader.integer())
        case 12: self = .cut
        default: throw .malformed
        }
    }

    private static func door(_ reader: inout ControlReader) throws(ControlFailure) -> ListenerScope {
        guard let door = ListenerScope(rawValue: try reader.integer()) else { throw .malformed }
        return door
    }
}

extension WorkerMessage: ControlCodable {
    public var carriesDescriptor: Bool { false }

    public func write(into writer: inout ControlWriter) throws(ControlFailure) {
        switch self {
        case .hello(let version):
            writer.kind(1)
            writer.integer(version)
        case .ready:
            writer.kind(2)
        case .accepted(let id):
            writer.kind(3)
            writer.integer(id)
        case .released(let count):
            writer.kind(4)
            writer.integer(count)
        case .peeked(let id, let verdict):
            writer.kind(5)
            writer.integer(id)
            writer.integer(verdict.rawValue)
        case .acquire(let ticket, let backend):
            writer.kind(6)
            writer.integer(ticket)
            writer.integer(backend)
        case .relinquish(let ticket):
            writer.kind(7)
            writer.integer(ticket)
        case .realBackendSeen:
            writer.kind(8)
        case .pong(let sequence, let figures):
            writer.kind(9)
            writer.integer(sequence)
            figures.write(into: &writer)
        case .backends(let json):
            writer.kind(10)
            try writer.text(json, limit: maximumReportBytes)
        case .drained:
            writer.kind(11)
        case .lesson(let lesson):
            writer.kind(12)
            try lesson.write(into: &writer)
        case .verdictsForgotten(let backend, let moment):
            writer.kind(13)
            try writer.text(backend, limit: ModelObservation.longestName)
            writer.integer(moment)
        }
    }

    public init(kind: UInt8, from reader: inout ControlReader) throws(ControlFailure) {
        switch kind {
        case 1: self = .hello(protocolVersion: try reader.integer())
        case 2: self = .ready
        case 3: self = .accepted(id: try reader.integer())
        case 4: self = .released(count: try reader.integer())
        case 5:
            let id: UInt64 = try reader.integer()
            guard let verdict = PeekResult(rawValue: try reader.integer()) else { throw .malformed }
            self = .peeked(id: id, verdict: verdict)
        case 6: self = .acquire(ticket: try reader.integer(), backend: try reader.integer())
        case 7: self = .relinquish(ticket: try reader.integer())
        case 8: self = .realBackendSeen
        case 9: self = .pong(sequence: try reader.integer(), figures: try WorkerFigures(from: &reader))
        case 10: self = .backends(json: try reader.text(limit: maximumReportBytes))
        case 11: self = .drained
        case 12: self = .lesson(try ModelObservation(from: &reader))
        case 13:
            self = .verdictsForgotten(
                backend: try reader.text(limit: ModelObservation.longestName), before: try reader.integer())
        default: throw .malformed
        }
    }
}

extension ModelObservation {
    fileprivate func write(into writer: inout ControlWriter) throws(ControlFailure) {
        try writer.text(place.backend, limit: Self.longestName)
        try writer.text(place.model, limit: Self.longestName)
        writer.integer(learntAt)
        switch fact {
        case .lacks(let feature, let times):
            writer.integer(UInt8(0))
            try writer.text(feature, limit: Self.longestFeature)
            writer.integer(times)
        case .tokens(let perThousand):
            writer.integer(UInt8(1))
            writer.integer(perThousand)
        case .window(let tokens):
            writer.integer(UInt8(2))
            writer.integer(tokens)
        case .output(let tokens, let times):
            writer.integer(UInt8(3))
            writer.integer(tokens)
            writer.integer(times)
        case .chosen: writer.integer(UInt8(4))
        }
    }

    fileprivate init(from reader: inout ControlReader) throws(ControlFailure) {
        let place = Place(
            backend: try reader.text(limit: Self.longestName), model: try reader.text(limit: Self.longestName)
        )
        let learntAt: UInt64 = try reader.integer()
        let fact: Fact
        switch try reader.integer() as UInt8 {
        case 0:
            fact = .lacks(try reader.text(limit: Self.longestFeature), times: try reader.integer())
        case 1: fact = .tokens(perThousand: try reader.integer())
        case 2: fact = .window(tokens: try reader.integer())
        case 3: fact = .output(tokens: try reader.integer(), times: try reader.integer())
        case 4: fact = .chosen
        default: throw .malformed
        }
        self.init(place, fact, learntAt: learntAt)
    }
}

extension WorkerFigures {
    fileprivate func write(into writer: inout ControlWriter) {
        writer.integer(connections)
        writer.integer(exchanges)
        writer.integer(served)
        writer.integer(failed)
        writer.integer(inputTokens)
        writer.integer(outputTokens)
    }

    fileprivate init(from reader: inout ControlReader) throws(ControlFailure) {
        self.init()
        connections = try reader.integer()
        exchanges = try reader.integer()
        served = try reader.integer()
        failed = try reader.integer()
        inputTokens = try reader.integer()
        outputTokens = try reader.integer()
    }
}
