// The fields of what is said of the service: backends, models, requests. See ControlCodec for the layout.

extension ControlReader {
    mutating func number() throws(ControlFailure) -> BackendNumber { BackendNumber(try integer()) }

    /// 0 = not known, else one more than the value.
    fileprivate mutating func optional<Number: FixedWidthInteger>(
        _ type: Number.Type = Int.self
    ) throws(ControlFailure) -> Number? {
        let value: UInt64 = try integer()
        guard value > 0 else { return nil }
        guard let number = Number(exactly: value - 1) else { throw .malformed }
        return number
    }

    fileprivate mutating func optionalFlag() throws(ControlFailure) -> Bool? {
        switch try integer(UInt8.self) {
        case 0: nil
        case 1: false
        case 2: true
        default: throw .malformed
        }
    }
}

extension ControlWriter {
    fileprivate mutating func optional(_ value: Int?) {
        integer(value.map { UInt64(clamping: $0) &+ 1 } ?? 0)
    }

    fileprivate mutating func optionalFlag(_ value: Bool?) { integer(UInt8(value.map { $0 ? 2 : 1 } ?? 0)) }
}

// MARK: Requests

extension PrefixMark: ControlField {
    func write(into writer: inout ControlWriter) {
        writer.integer(digest)
        writer.integer(tokens)
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        self.init(digest: try reader.integer(), tokens: try reader.integer())
    }
}

extension BackendCandidate: ControlField {
    func write(into writer: inout ControlWriter) {
        writer.integer(backend.value)
        writer.integer(model.value)
        writer.optionalFlag(isLoaded)
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        self.init(
            try reader.number(), ModelDigest(value: try reader.integer()), isLoaded: try reader.optionalFlag()
        )
    }
}

extension AdmissionQuestion: ControlField {
    func write(into writer: inout ControlWriter) throws(ControlFailure) {
        try writer.text(client, limit: Self.longestClient)
        writer.integer(lane.rawValue)
        writer.integer(session)
        writer.integer(agent)
        writer.integer(promptTokens)
        try writer.list(prefix, limit: Self.maximumMarks)
        writer.integer(fingerprint)
        writer.flag(isRetry)
        writer.integer(failures)
        try writer.list(candidates, limit: Self.maximumCandidates)
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        self.init(client: try reader.text(limit: Self.longestClient), candidates: [])
        guard let lane = Lane(rawValue: try reader.integer()) else { throw .malformed }
        self.lane = lane
        session = try reader.integer()
        agent = try reader.integer()
        promptTokens = try reader.integer()
        prefix = try reader.list(limit: Self.maximumMarks)
        fingerprint = try reader.integer()
        isRetry = try reader.flag()
        failures = try reader.integer()
        candidates = try reader.list(limit: Self.maximumCandidates)
    }
}

extension Grant.Cost: ControlField {
    func write(into writer: inout ControlWriter) {
        writer.integer(backend.value)
        writer.integer(milliseconds)
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        self.init(try reader.number(), milliseconds: try reader.integer())
    }
}

extension Grant: ControlField {
    func write(into writer: inout ControlWriter) throws(ControlFailure) {
        writer.integer(backend.value)
        writer.integer(reason.rawValue)
        writer.flag(isTrial)
        writer.optional(slot.map(Int.init))
        writer.integer(ahead)
        try writer.text(aheadClient, limit: AdmissionQuestion.longestClient)
        try writer.list(costs, limit: Self.maximumCosts)
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        let backend = try reader.number()
        guard let reason = PlacementReason(rawValue: try reader.integer()) else { throw .malformed }
        self.init(backend, reason)
        isTrial = try reader.flag()
        slot = try reader.optional(UInt16.self)
        ahead = try reader.integer()
        aheadClient = try reader.text(limit: AdmissionQuestion.longestClient)
        costs = try reader.list(limit: Self.maximumCosts)
    }
}

extension AdmissionRefusal: ControlField {
    func write(into writer: inout ControlWriter) {
        switch self {
        case .queueFull(let waiting):
            writer.integer(UInt8(0))
            writer.integer(waiting)
        case .waitedTooLong: writer.integer(UInt8(1))
        case .resting(let seconds):
            writer.integer(UInt8(2))
            writer.integer(seconds)
        case .noBackend: writer.integer(UInt8(3))
        }
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        switch try reader.integer(UInt8.self) {
        case 0: self = .queueFull(waiting: try reader.integer())
        case 1: self = .waitedTooLong
        case 2: self = .resting(seconds: try reader.integer())
        case 3: self = .noBackend
        default: throw .malformed
        }
    }
}

extension AttemptReport: ControlField {
    func write(into writer: inout ControlWriter) {
        let (number, detail) = verdict.coded
        writer.integer(number)
        writer.integer(detail)
        writer.integer(firstByte)
        writer.integer(duration)
        writer.integer(inputTokens)
        writer.optional(cachedTokens.map(Int.init))
        writer.integer(outputTokens)
        writer.flag(isLast)
        writer.flag(isFailure)
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        guard let verdict = Verdict(number: try reader.integer(), detail: try reader.integer()) else {
            throw .malformed
        }
        self.init(verdict)
        firstByte = try reader.integer()
        duration = try reader.integer()
        inputTokens = try reader.integer()
        cachedTokens = try reader.optional(UInt32.self)
        outputTokens = try reader.integer()
        isLast = try reader.flag()
        isFailure = try reader.flag()
    }
}

extension AttemptReport.Verdict {
    /// The number of the case, and what it carries.
    fileprivate var coded: (UInt8, UInt16) {
        switch self {
        case .well: (0, 0)
        case .notSent: (1, 0)
        case .unreachable: (2, 0)
        case .broken: (3, 0)
        case .failed(let status): (4, status)
        case .firstByteTimeout: (5, 0)
        case .stalled: (6, 0)
        case .busy(let rest): (7, rest)
        case .loading: (8, 0)
        case .modelMissing: (9, 0)
        }
    }

    fileprivate init?(number: UInt8, detail: UInt16) {
        let plain: [Self?] = [
            .well, .notSent, .unreachable, .broken, nil, .firstByteTimeout, .stalled, nil, .loading,
            .modelMissing,
        ]
        switch number {
        case 4: self = .failed(status: detail)
        case 7: self = .busy(rest: detail)
        default:
            guard detail == 0, plain.indices.contains(Int(number)), let verdict = plain[Int(number)] else {
                return nil
            }
            self = verdict
        }
    }
}

extension ExchangeNotice: ControlField {
    func write(into writer: inout ControlWriter) throws(ControlFailure) {
        switch self {
        case .began(let ticket, let question):
            writer.integer(UInt8(0))
            writer.integer(ticket)
            try question.write(into: &writer)
        case .answered(let ticket):
            writer.integer(UInt8(1))
            writer.integer(ticket)
        case .ended(let ticket, let report):
            writer.integer(UInt8(2))
            writer.integer(ticket)
            report.write(into: &writer)
        case .refused(let client):
            writer.integer(UInt8(3))
            try writer.text(client, limit: AdmissionQuestion.longestClient)
        }
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        switch try reader.integer(UInt8.self) {
        case 0:
            self = .began(ticket: try reader.integer(), try AdmissionQuestion(from: &reader))
        case 1: self = .answered(ticket: try reader.integer())
        case 2: self = .ended(ticket: try reader.integer(), try AttemptReport(from: &reader))
        case 3: self = .refused(client: try reader.text(limit: AdmissionQuestion.longestClient))
        default: throw .malformed
        }
    }
}

// MARK: Backends

extension BackendAnnouncement: ControlField {
    func write(into writer: inout ControlWriter) throws(ControlFailure) {
        writer.integer(number.value)
        try writer.text(name, limit: BackendID.longestName)
        try writer.text(url, limit: Self.longestURL)
        writer.integer(priority)
        writer.flag(isDiscovered)
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        self.init(
            try reader.number(), name: try reader.text(limit: BackendID.longestName),
            url: try reader.text(limit: Self.longestURL), priority: try reader.integer(),
            isDiscovered: try reader.flag())
    }
}

extension CheckResult: ControlField {
    func write(into writer: inout ControlWriter) throws(ControlFailure) {
        switch self {
        case .good: writer.flag(true)
        case .bad(let reason):
            writer.flag(false)
            try writer.text(reason, limit: Self.longestReason)
        }
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        self = try reader.flag() ? .good : .bad(reason: try reader.text(limit: Self.longestReason))
    }
}

extension ListingPart: ControlField {
    private static let longestWord = 32

    func write(into writer: inout ControlWriter) throws(ControlFailure) {
        writer.integer(backend.value)
        try writer.text(type, limit: Self.longestWord)
        try writer.text(dialect, limit: Self.longestWord)
        writer.flag(isFirst)
        writer.flag(isLast)
        try writer.list(models, limit: Self.models)
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        self.init(
            try reader.number(), type: try reader.text(limit: Self.longestWord),
            dialect: try reader.text(limit: Self.longestWord), isFirst: try reader.flag(),
            isLast: try reader.flag(), models: try reader.list(limit: Self.models))
    }
}

extension ModelFacts: ControlField {
    func write(into writer: inout ControlWriter) throws(ControlFailure) {
        try writer.text(id, limit: ListingPart.longestName)
        for number in [contextWindow, limit, loadedWindow, presetWindow, outputLimit, created, slots] {
            writer.optional(number)
        }
        for flag in [isLoaded, usesTools, seesImages, thinks] { writer.optionalFlag(flag) }
        writer.flag(isRemote)
        writer.flag(isChat)
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        self.init(id: try reader.text(limit: ListingPart.longestName))
        contextWindow = try reader.optional()
        limit = try reader.optional()
        loadedWindow = try reader.optional()
        presetWindow = try reader.optional()
        outputLimit = try reader.optional()
        created = try reader.optional()
        slots = try reader.optional()
        isLoaded = try reader.optionalFlag()
        usesTools = try reader.optionalFlag()
        seesImages = try reader.optionalFlag()
        thinks = try reader.optionalFlag()
        isRemote = try reader.flag()
        isChat = try reader.flag()
    }
}

extension BackendCondition: ControlField {
    func write(into writer: inout ControlWriter) throws(ControlFailure) {
        writer.integer(backend.value)
        writer.integer(UInt8(BackendState.allCases.firstIndex(of: state) ?? 0))
        writer.flag(isOpen)
        writer.flag(isLost)
        try writer.text(reason, limit: CheckResult.longestReason)
    }

    init(from reader: inout ControlReader) throws(ControlFailure) {
        let backend = try reader.number()
        let state = Int(try reader.integer(UInt8.self))
        guard BackendState.allCases.indices.contains(state) else { throw .malformed }
        self.init(
            backend, BackendState.allCases[state], isOpen: try reader.flag(), isLost: try reader.flag(),
            reason: try reader.text(limit: CheckResult.longestReason))
    }
}
