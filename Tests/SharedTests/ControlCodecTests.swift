// Every control message survives its datagram; nothing else is taken for one, and nothing traps.

import TestSupport
import Testing

@testable import Shared

private func figures() -> WorkerFigures {
    var figures = WorkerFigures()
    figures.connections = 3
    figures.exchanges = .max
    figures.served = .max
    figures.failed = 5
    figures.inputTokens = 1 << 40
    figures.outputTokens = 7
    return figures
}

private let key = ModelKey(backend: "gpu1", model: "größe:4b")

/// Every field has a value of its own, and one that is not usual.
private let question: AdmissionQuestion = {
    var question = AdmissionQuestion(
        client: "key-0a1b2c3d",
        candidates: [
            .init(BackendNumber(0), ModelDigest(of: "größe:4b"), isLoaded: true),
            .init(BackendNumber(.max), ModelDigest(value: .max), isLoaded: false),
            .init(BackendNumber(7), ModelDigest(of: "")),
        ])
    question.lane = .auxiliary
    question.session = 1
    question.agent = .max
    question.promptTokens = 12_000
    question.prefix = [PrefixMark(digest: 3, tokens: 4), PrefixMark(digest: .max, tokens: .max)]
    question.fingerprint = 5
    question.isRetry = true
    question.failures = 2
    return question
}()

/// As large as a question may be.
private let largestQuestion: AdmissionQuestion = {
    var question = question
    question.client = String(repeating: "c", count: AdmissionQuestion.longestClient)
    question.prefix = Array(repeating: question.prefix[0], count: AdmissionQuestion.maximumMarks)
    question.candidates = Array(repeating: question.candidates[0], count: AdmissionQuestion.maximumCandidates)
    return question
}()

private let grant: Grant = {
    var grant = Grant(BackendNumber(3), .prefix)
    grant.isTrial = true
    grant.slot = .max
    grant.ahead = 9
    grant.aheadClient = "192.0.2.1"
    grant.costs = [.init(BackendNumber(3), milliseconds: 0), .init(BackendNumber(4), milliseconds: .max)]
    return grant
}()

private func report(_ verdict: AttemptReport.Verdict) -> AttemptReport {
    var report = AttemptReport(verdict)
    report.firstByte = 1
    report.duration = .max
    report.inputTokens = 2
    report.cachedTokens = 0
    report.outputTokens = .max
    report.isLast = false
    report.isFailure = true
    return report
}

private let reports: [AttemptReport] =
    [
        .well, .notSent, .unreachable, .broken, .failed(status: 503), .firstByteTimeout, .stalled,
        .busy(rest: 60),
        .busy(rest: 0), .loading, .modelMissing,
    ].map(report) + [AttemptReport(.well)]

private let facts: ModelFacts = {
    var facts = ModelFacts(id: "größe:4b", contextWindow: 40_960, isLoaded: false, usesTools: true)
    facts.seesImages = true
    facts.thinks = false
    facts.limit = 262_144
    facts.loadedWindow = 8192
    facts.presetWindow = 0
    facts.outputLimit = 1
    facts.isRemote = true
    facts.created = 1_700_000_000
    facts.isChat = false
    facts.slots = 4
    return facts
}()

private let listing = ListingPart(
    BackendNumber(2), type: "ollama", dialect: "anthropic", isFirst: true, isLast: false,
    models: [facts, ModelFacts(id: "")])

/// As large as a part of a list may be.
private let largestListing = ListingPart(
    BackendNumber(.max), type: "", dialect: "", isFirst: false, isLast: true,
    models: Array(
        repeating: ModelFacts(
            id: String(repeating: "m", count: ListingPart.longestName), contextWindow: .max),
        count: ListingPart.models))

private let fromSupervisor: [SupervisorMessage] = [
    .backend(.init(BackendNumber(1), name: "gpu1", url: "http://h:1", priority: 100, isDiscovered: true)),
    .backend(.init(BackendNumber(.max), name: "", url: "", priority: .max, isDiscovered: false)),
    .listing(listing), .listing(largestListing),
    .condition(BackendCondition(BackendNumber(1), .ejected, isOpen: true, isLost: true, reason: "größe")),
    .condition(BackendCondition(BackendNumber(0), .unknown, isOpen: false)),
    .modelCondition(backend: BackendNumber(1), model: ModelDigest(value: .max), isOpen: true),
    .granted(ticket: .max, grant), .granted(ticket: 0, Grant(BackendNumber(0), .name)),
    .refused(ticket: 1, .queueFull(waiting: .max)), .refused(ticket: 2, .waitedTooLong),
    .refused(ticket: 3, .resting(seconds: 60)), .refused(ticket: 4, .noBackend), .superseded(ticket: 1 << 63),
    .probe(isOn: true), .probe(isOn: false), .look(backend: BackendNumber(9)), .searched,
    .status(token: .max, isLast: true, json: "{\"größe\":1}"),
    .status(token: 0, isLast: false, json: String(repeating: "x", count: maximumReportBytes)),
    .welcome(slots: 1024), .welcome(slots: .max),
    .connection(id: .max, scope: .network, peer: "[fe80::1%eth0]:65535"),
    .connection(id: 0, scope: .unix, peer: ""), .peek(id: 77, scope: .loopback, peer: "127.0.0.1:9"),
    .unpeek(id: 77), .closeIdle(count: 12), .searched, .ping(sequence: 9),
    .cut,
    .drain, .observation(ModelObservation(key, .lacks("tools"), learntAt: WallTime(nanoseconds: .max))),
    .capabilitiesInvalidated(backend: "gpu1", before: WallTime(nanoseconds: 1 << 40)),
]

private let fromWorker: [WorkerMessage] = [
    .admit(ticket: .max, question), .admit(ticket: 0, AdmissionQuestion(client: "", candidates: [])),
    .admit(ticket: 1, largestQuestion),
    .notices([]), .notices([.began(ticket: 1, question), .answered(ticket: 1), .refused(client: "anna")]),
    .notices(reports.map { .ended(ticket: .max, $0) }),
    .notices(Array(repeating: .refused(client: largestQuestion.client), count: ExchangeNotice.maximum)),
    .checked(backend: BackendNumber(1), .good), .checked(backend: BackendNumber(1), .bad(reason: "größe")),
    .listing(listing), .listing(largestListing),
    .discovered(name: "ollama", url: "http://127.0.0.1:11434", priority: .max), .searched,
    .askStatus(token: .max),
    .hello(protocolVersion: controlProtocolVersion), .ready, .accepted(id: 5), .released(count: 3),
    .peeked(id: 1, verdict: .served), .peeked(id: 2, verdict: .other), .peeked(id: 3, verdict: .gone),
    .searched,
    .pong(sequence: 3, figures: figures()),
    .discovered(name: "größe", url: "http://127.0.0.1:1", priority: .max),
    .drained,
    .observation(ModelObservation(key, .tokens(perThousand: .max), learntAt: WallTime(nanoseconds: 0))),
    .observation(ModelObservation(key, .automatic, learntAt: WallTime(nanoseconds: 3))),
    .observation(ModelObservation(key, .output(tokens: 8192, times: 7), learntAt: WallTime(nanoseconds: 4))),
    .observation(ModelObservation(key, .lacks("images", times: .max), learntAt: WallTime(nanoseconds: 5))),
    .observation(ModelObservation(key, .chosen, learntAt: WallTime(nanoseconds: 4))),
    .capabilitiesInvalidated(backend: "", before: WallTime(nanoseconds: .max)),
]

@Test("a supervisor's message survives its datagram and fits in one", arguments: fromSupervisor)
func supervisorRoundTrip(message: SupervisorMessage) throws {
    let bytes = try message.encoded()
    #expect(bytes.count <= maximumControlBytes)
    #expect(try SupervisorMessage(decoding: bytes) == message)
}

@Test("every kind of message is among those that were tried")
func everyKind() {
    #expect(Set(fromSupervisor.map(\.kind)) == Set(SupervisorMessage.Kind.allCases))
    #expect(Set(fromWorker.map(\.kind)) == Set(WorkerMessage.Kind.allCases))
}

@Test("a worker's message survives its datagram and fits in one", arguments: fromWorker)
func workerRoundTrip(message: WorkerMessage) throws {
    let bytes = try message.encoded()
    #expect(bytes.count <= maximumControlBytes)
    #expect(try WorkerMessage(decoding: bytes) == message)
}

@Test("every proper beginning of a message, and every message with a byte more, is malformed")
func cutMessages() throws {
    // Long ones take their time, and are cut at fewer places.
    func lengths(_ bytes: [UInt8]) -> [Int] {
        Array(stride(from: 0, to: bytes.count, by: max(1, bytes.count / 400)))
    }
    for bytes in try fromSupervisor.map({ try $0.encoded() }) {
        for length in lengths(bytes) {
            #expect(throws: ControlFailure.malformed) {
                try SupervisorMessage(decoding: Array(bytes[..<length]))
            }
        }
        #expect(throws: ControlFailure.malformed) { try SupervisorMessage(decoding: bytes + [0]) }
    }
    for bytes in try fromWorker.map({ try $0.encoded() }) {
        for length in lengths(bytes) {
            #expect(throws: ControlFailure.malformed) { try WorkerMessage(decoding: Array(bytes[..<length])) }
        }
        #expect(throws: ControlFailure.malformed) { try WorkerMessage(decoding: bytes + [0]) }
    }
}

@Test("what is not in the contract is malformed")
func foreignMessages() {
    let cases: [([UInt8], ControlFailure)] = [
        ([2, 2], .foreignFormat(2)), ([1, 0], .malformed), ([1, 12], .malformed), ([1, 14], .malformed),
        ([1, 255], .malformed),
        ([1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 3], .malformed),  // a verdict that does not exist
        ([1, 18, 255, 255, 255, 255], .tooLong), ([1, 18, 1, 0, 0, 0, 0xff], .malformed),  // not UTF-8
    ]
    for (bytes, failure) in cases {
        #expect(throws: failure) { try WorkerMessage(decoding: bytes) }
    }
    let badFlag: [UInt8] = [1, 20, 2]
    #expect(throws: ControlFailure.malformed) { try SupervisorMessage(decoding: badFlag) }
}

@Test("a text beyond its limit is refused before it is sent")
func longTexts() throws {
    func status(_ count: Int) -> SupervisorMessage {
        .status(token: 1, isLast: false, json: String(repeating: "x", count: count))
    }
    let longest = status(maximumReportBytes)
    #expect(try longest.encoded().count <= maximumControlBytes)
    #expect(try SupervisorMessage(decoding: longest.encoded()) == longest)
    #expect(throws: ControlFailure.tooLong) { try status(maximumReportBytes + 1).encoded() }
    let name = String(repeating: "n", count: ModelObservation.longestName + 1)
    for key in [ModelKey(backend: BackendID(name), model: ""), .init(backend: "", model: name)] {
        let observation = ModelObservation(key, .tokens(perThousand: 1), learntAt: WallTime(nanoseconds: 1))
        #expect(throws: ControlFailure.tooLong) { try WorkerMessage.observation(observation).encoded() }
        #expect(!observation.isTellable)
    }
    let peer = String(repeating: "p", count: maximumPeerBytes + 1)
    #expect(throws: ControlFailure.tooLong) {
        try SupervisorMessage.connection(id: 1, scope: .unix, peer: peer).encoded()
    }
}

@Test("lists and texts beyond their limits are refused, on both ends")
func longLists() throws {
    let name = String(repeating: "n", count: 1 + ListingPart.longestName)
    func part(_ models: [ModelFacts], type: String = "") -> ListingPart {
        ListingPart(BackendNumber(0), type: type, dialect: "", isFirst: true, isLast: true, models: models)
    }
    var crowded = largestQuestion
    crowded.candidates.append(crowded.candidates[0])
    var marked = largestQuestion
    marked.prefix.append(marked.prefix[0])
    var named = question
    named.client = largestQuestion.client + "x"
    let tooLong: [WorkerMessage] = [
        .admit(ticket: 0, crowded), .admit(ticket: 0, marked), .admit(ticket: 0, named),
        .listing(part([ModelFacts(id: name)])), .listing(part(largestListing.models + [facts])),
        .listing(part([], type: String(repeating: "t", count: 33))),
        .notices(Array(repeating: .answered(ticket: 1), count: ExchangeNotice.maximum + 1)),
        .checked(
            backend: BackendNumber(0),
            .bad(reason: String(repeating: "r", count: CheckResult.longestReason + 1))),
        .discovered(name: name, url: "", priority: 0),
        .discovered(
            name: "", url: String(repeating: "u", count: BackendAnnouncement.longestURL + 1), priority: 0),
    ]
    for message in tooLong { #expect(throws: ControlFailure.tooLong) { try message.encoded() } }
    // One candidate more than there may be, as another program could write it.
    var bytes = try WorkerMessage.notices([]).encoded()
    bytes[2] = UInt8(ExchangeNotice.maximum + 1)
    #expect(throws: ControlFailure.tooLong) { try WorkerMessage(decoding: bytes) }
}

@Test(
    "a message with wrong bytes in it is a failure, or another message of these bytes",
    arguments: 1...4)
func nearGarbage(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let worker = try fromWorker.map { try $0.encoded() }.filter { $0.count < 2000 }
    let supervisor = try fromSupervisor.map { try $0.encoded() }.filter { $0.count < 2000 }
    for _ in 0..<4000 {
        for (all, isWorker) in [(worker, true), (supervisor, false)] {
            var bytes = all.randomElement(using: &random) ?? []
            for _ in 0...(random.next() % 3) {
                bytes[Int.random(in: 2..<max(3, bytes.count), using: &random) % bytes.count] = UInt8(
                    truncatingIfNeeded: random.next())
            }
            if isWorker {
                guard let message = try? WorkerMessage(decoding: bytes) else { continue }
                #expect(try message.encoded() == bytes)
            } else {
                guard let message = try? SupervisorMessage(decoding: bytes) else { continue }
                #expect(try message.encoded() == bytes)
            }
        }
    }
}

@Test("garbage decodes to a failure or to a message that encodes to the same bytes", arguments: 1...8)
func garbage(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<20_000 {
        var bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
        }
        // Mostly the right format and a known kind, or nearly nothing gets past the first two bytes.
        if bytes.count >= 2, random.next() % 4 != 0 {
            bytes[0] = 1
            bytes[1] = UInt8(random.next() % 25)
        }
        if let message = try? SupervisorMessage(decoding: bytes) { #expect(try message.encoded() == bytes) }
        if let message = try? WorkerMessage(decoding: bytes) { #expect(try message.encoded() == bytes) }
    }
}
