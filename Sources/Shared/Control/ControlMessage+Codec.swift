// The fields of every control message; see MessageKind for the kinds' numbers, ControlCodec for the layout.

extension SupervisorMessage: ControlCodable {
    public var carriesDescriptor: Bool {
        switch self {
        case .connection, .peek: true
        case .welcome, .unpeek, .closeIdle, .observation, .capabilitiesInvalidated,
            .ping, .drain, .cut, .backend, .listing, .condition, .modelCondition, .granted, .refused,
            .superseded, .probe, .status, .look, .searched:
            false
        }
    }

    public func write(into writer: inout ControlWriter) throws(ControlFailure) {
        writer.kind(kind.rawValue)
        switch self {
        case .welcome(let slots):
            writer.integer(slots)
        case .connection(let id, let scope, let peer):
            try Self.write(id, scope, peer, into: &writer)
        case .peek(let id, let scope, let peer):
            try Self.write(id, scope, peer, into: &writer)
        case .unpeek(let id):
            writer.integer(id)
        case .closeIdle(let count):
            writer.integer(count)
        case .ping(let sequence):
            writer.integer(sequence)
        case .drain: break
        case .observation(let observation):
            try observation.write(into: &writer)
        case .capabilitiesInvalidated(let backend, let moment):
            try writer.backend(backend)
            writer.integer(moment.nanoseconds)
        case .cut: break
        case .backend(let announcement): try announcement.write(into: &writer)
        case .listing(let part): try part.write(into: &writer)
        case .condition(let condition): try condition.write(into: &writer)
        case .modelCondition(let backend, let model, let isOpen):
            writer.integer(backend.value)
            writer.integer(model.value)
            writer.flag(isOpen)
        case .granted(let ticket, let grant):
            writer.integer(ticket)
            try grant.write(into: &writer)
        case .refused(let ticket, let refusal):
            writer.integer(ticket)
            refusal.write(into: &writer)
        case .superseded(let ticket): writer.integer(ticket)
        case .probe(let isOn): writer.flag(isOn)
        case .look(let backend): writer.integer(backend.value)
        case .searched: break
        case .status(let token, let isLast, let json):
            writer.integer(token)
            writer.flag(isLast)
            try writer.text(json, limit: maximumReportBytes)
        }
    }

    private static func write(
        _ id: UInt64, _ scope: ListenerScope, _ peer: String, into writer: inout ControlWriter
    ) throws(ControlFailure) {
        writer.integer(id)
        writer.integer(scope.rawValue)
        try writer.text(peer, limit: maximumPeerBytes)
    }

    public init(kind number: UInt8, from reader: inout ControlReader) throws(ControlFailure) {
        guard let kind = Kind(rawValue: number) else { throw .malformed }
        switch kind {
        case .welcome: self = .welcome(slots: try reader.integer())
        case .connection:
            self = .connection(
                id: try reader.integer(), scope: try Self.scope(&reader),
                peer: try reader.text(limit: maximumPeerBytes))
        case .peek:
            self = .peek(
                id: try reader.integer(), scope: try Self.scope(&reader),
                peer: try reader.text(limit: maximumPeerBytes))
        case .unpeek: self = .unpeek(id: try reader.integer())
        case .closeIdle: self = .closeIdle(count: try reader.integer())
        case .ping: self = .ping(sequence: try reader.integer())
        case .drain: self = .drain
        case .observation: self = .observation(try ModelObservation(from: &reader))
        case .capabilitiesInvalidated:
            self = .capabilitiesInvalidated(
                backend: try reader.backend(), before: try reader.time())
        case .cut: self = .cut
        case .backend: self = .backend(try BackendAnnouncement(from: &reader))
        case .listing: self = .listing(try ListingPart(from: &reader))
        case .condition: self = .condition(try BackendCondition(from: &reader))
        case .modelCondition:
            self = .modelCondition(
                backend: try reader.number(), model: ModelDigest(value: try reader.integer()),
                isOpen: try reader.flag())
        case .granted: self = .granted(ticket: try reader.integer(), try Grant(from: &reader))
        case .refused: self = .refused(ticket: try reader.integer(), try AdmissionRefusal(from: &reader))
        case .superseded: self = .superseded(ticket: try reader.integer())
        case .probe: self = .probe(isOn: try reader.flag())
        case .look: self = .look(backend: try reader.number())
        case .searched: self = .searched
        case .status:
            self = .status(
                token: try reader.integer(), isLast: try reader.flag(),
                json: try reader.text(limit: maximumReportBytes))
        }
    }

    private static func scope(_ reader: inout ControlReader) throws(ControlFailure) -> ListenerScope {
        guard let scope = ListenerScope(rawValue: try reader.integer()) else { throw .malformed }
        return scope
    }
}

extension WorkerMessage: ControlCodable {
    public var carriesDescriptor: Bool { false }

    public func write(into writer: inout ControlWriter) throws(ControlFailure) {
        writer.kind(kind.rawValue)
        switch self {
        case .hello(let version):
            writer.integer(version)
        case .ready: break
        case .accepted(let id):
            writer.integer(id)
        case .released(let count):
            writer.integer(count)
        case .peeked(let id, let verdict):
            writer.integer(id)
            writer.integer(verdict.rawValue)
        case .pong(let sequence, let figures):
            writer.integer(sequence)
            figures.write(into: &writer)
        case .drained: break
        case .observation(let observation):
            try observation.write(into: &writer)
        case .capabilitiesInvalidated(let backend, let moment):
            try writer.backend(backend)
            writer.integer(moment.nanoseconds)
        case .admit(let ticket, let question):
            writer.integer(ticket)
            try question.write(into: &writer)
        case .notices(let notices): try writer.list(notices, limit: ExchangeNotice.maximum)
        case .checked(let backend, let result):
            writer.integer(backend.value)
            try result.write(into: &writer)
        case .listing(let part): try part.write(into: &writer)
        case .discovered(let name, let url, let priority):
            try writer.text(name, limit: BackendID.longestName)
            try writer.text(url, limit: BackendAnnouncement.longestURL)
            writer.integer(priority)
        case .askStatus(let token): writer.integer(token)
        case .searched: break
        }
    }

    public init(kind number: UInt8, from reader: inout ControlReader) throws(ControlFailure) {
        guard let kind = Kind(rawValue: number) else { throw .malformed }
        switch kind {
        case .hello: self = .hello(protocolVersion: try reader.integer())
        case .ready: self = .ready
        case .accepted: self = .accepted(id: try reader.integer())
        case .released: self = .released(count: try reader.integer())
        case .peeked:
            let id: UInt64 = try reader.integer()
            guard let verdict = PeekResult(rawValue: try reader.integer()) else { throw .malformed }
            self = .peeked(id: id, verdict: verdict)
        case .pong: self = .pong(sequence: try reader.integer(), figures: try WorkerFigures(from: &reader))
        case .drained: self = .drained
        case .observation: self = .observation(try ModelObservation(from: &reader))
        case .capabilitiesInvalidated:
            self = .capabilitiesInvalidated(
                backend: try reader.backend(), before: try reader.time())
        case .admit: self = .admit(ticket: try reader.integer(), try AdmissionQuestion(from: &reader))
        case .notices: self = .notices(try reader.list(limit: ExchangeNotice.maximum))
        case .checked: self = .checked(backend: try reader.number(), try CheckResult(from: &reader))
        case .listing: self = .listing(try ListingPart(from: &reader))
        case .discovered:
            self = .discovered(
                name: try reader.text(limit: BackendID.longestName),
                url: try reader.text(limit: BackendAnnouncement.longestURL), priority: try reader.integer())
        case .askStatus: self = .askStatus(token: try reader.integer())
        case .searched: self = .searched
        }
    }
}

extension ModelObservation {
    fileprivate func write(into writer: inout ControlWriter) throws(ControlFailure) {
        try writer.backend(key.backend)
        try writer.text(key.model, limit: Self.longestName)
        writer.integer(learntAt.nanoseconds)
        switch fact {
        case .lacks(let feature, let times):
            writer.integer(UInt8(0))
            try writer.text(feature, limit: Self.longestFeature)
            writer.integer(times)
        case .tokens(let perThousand):
            writer.integer(UInt8(1))
            writer.integer(perThousand)
        case .output(let tokens, let times):
            writer.integer(UInt8(3))
            writer.integer(tokens)
            writer.integer(times)
        case .chosen: writer.integer(UInt8(4))
        case .automatic: writer.integer(UInt8(5))
        }
    }

    fileprivate init(from reader: inout ControlReader) throws(ControlFailure) {
        let key = ModelKey(backend: try reader.backend(), model: try reader.text(limit: Self.longestName))
        let learntAt = try reader.time()
        let fact: Fact
        switch try reader.integer() as UInt8 {
        case 0:
            fact = .lacks(try reader.text(limit: Self.longestFeature), times: try reader.integer())
        case 1: fact = .tokens(perThousand: try reader.integer())
        case 3: fact = .output(tokens: try reader.integer(), times: try reader.integer())
        case 4: fact = .chosen
        case 5: fact = .automatic
        default: throw .malformed
        }
        self.init(key, fact, learntAt: learntAt)
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

extension ControlWriter {
    fileprivate mutating func backend(_ backend: BackendID) throws(ControlFailure) {
        try text(backend.name, limit: BackendID.longestName)
    }
}

extension ControlReader {
    fileprivate mutating func backend() throws(ControlFailure) -> BackendID {
        BackendID(try text(limit: BackendID.longestName))
    }

    fileprivate mutating func time() throws(ControlFailure) -> WallTime {
        WallTime(nanoseconds: try integer())
    }
}
