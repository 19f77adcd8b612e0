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

private let fromSupervisor: [SupervisorMessage] = [
    .welcome(slots: 1024), .welcome(slots: .max),
    .connection(id: .max, scope: .network, peer: "[fe80::1%eth0]:65535"),
    .connection(id: 0, scope: .unix, peer: ""), .peek(id: 77, scope: .loopback, peer: "127.0.0.1:9"),
    .unpeek(id: 77), .closeIdle(count: 12), .permit(ticket: 1 << 63), .searched, .ping(sequence: 9),
    .cut,
    .drain, .observation(ModelObservation(key, .lacks("tools"), learntAt: WallTime(nanoseconds: .max))),
    .capabilitiesInvalidated(backend: "gpu1", before: WallTime(nanoseconds: 1 << 40)),
]

private let fromWorker: [WorkerMessage] = [
    .hello(protocolVersion: controlProtocolVersion), .ready, .accepted(id: 5), .released(count: 3),
    .peeked(id: 1, verdict: .served), .peeked(id: 2, verdict: .other), .peeked(id: 3, verdict: .gone),
    .acquire(ticket: 8, backend: "gpu1"), .release(ticket: 8), .searched,
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

@Test("a supervisor's message survives its datagram", arguments: fromSupervisor)
func supervisorRoundTrip(message: SupervisorMessage) throws {
    #expect(try SupervisorMessage(decoding: message.encoded()) == message)
}

@Test("a worker's message survives its datagram and fits in one", arguments: fromWorker)
func workerRoundTrip(message: WorkerMessage) throws {
    let bytes = try message.encoded()
    #expect(bytes.count <= maximumControlBytes)
    #expect(try WorkerMessage(decoding: bytes) == message)
}

@Test("every proper beginning of a message, and every message with a byte more, is malformed")
func cutMessages() throws {
    for bytes in try fromSupervisor.map({ try $0.encoded() }) {
        for length in 0..<bytes.count {
            #expect(throws: ControlFailure.malformed) {
                try SupervisorMessage(decoding: Array(bytes[..<length]))
            }
        }
        #expect(throws: ControlFailure.malformed) { try SupervisorMessage(decoding: bytes + [0]) }
    }
    let pong = try WorkerMessage.pong(sequence: 3, figures: figures()).encoded()
    for length in 0..<pong.count {
        #expect(throws: ControlFailure.malformed) { try WorkerMessage(decoding: Array(pong[..<length])) }
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
            bytes[1] = UInt8(random.next() % 15)
        }
        if let message = try? SupervisorMessage(decoding: bytes) { #expect(try message.encoded() == bytes) }
        if let message = try? WorkerMessage(decoding: bytes) { #expect(try message.encoded() == bytes) }
    }
}
