// What comes over sockets: request heads and chunked bodies judged the same however they were cut; control
// messages that are decoded are the ones that were encoded.

import TestSupport

@testable import HTTP
@testable import Shared

private enum HeadVerdict: Equatable {
    case complete(length: Int, path: String, query: String?, authority: String?, fields: Int)
    case incomplete
    case refused(FramingFailure)

    init(_ bytes: [UInt8], cuts: [Int]) {
        var parser = RequestHeadParser(limits: HeadLimits(bytes: 2048, requestLine: 512, fields: 16))
        do {
            for end in cuts + [bytes.count] {
                guard let head = try parser.parse(Array(bytes[..<end])) else { continue }
                Self.look(at: head, bytes)
                self = .complete(
                    length: head.length, path: head.path, query: head.query, authority: head.authority,
                    fields: head.fieldCount)
                return
            }
            self = .incomplete
        } catch {
            self = .refused(error)
        }
    }

    private static func look(at head: RequestHead, _ bytes: [UInt8]) {
        expect(head.length <= bytes.count && head.fieldCount <= 16, "a head within its bytes and limits")
        expect(head.path.hasPrefix("/") || head.path == "*", "a path is a path: \(head.path)")
        expect(head.version == .http10 || head.authority != nil, "a request names its host")
        if case .length(let count) = head.framing { expect(count >= 0, "a length is not negative") }
        for name: StaticString in [
            "host", "content-length", "transfer-encoding", "x-api-key", "authorization",
        ] {
            let value = head.field(name) ?? []
            expect(!value.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }, "no control byte in a field")
            expect(head.hasField(name) == (head.fieldText(name) != nil), "a field has a text")
        }
        for segment in head.path.split(separator: "/") { _ = percentDecoded(segment) }
    }
}

/// Request heads.
func fuzzHead(_ bytes: [UInt8], _ random: inout SeededRandom) {
    let whole = HeadVerdict(bytes, cuts: [])
    let cuts = random.cuts(bytes.count)
    let cut = HeadVerdict(bytes, cuts: cuts)
    switch whole {
    case .complete, .incomplete: expect(cut == whole, "\(whole), cut at \(cuts) \(cut)")
    // In pieces a refusal may come later, but never turns into acceptance.
    case .refused: if case .complete = cut { expect(false, "\(whole), cut at \(cuts) \(cut)") }
    }
}

private struct DecodedBody: Equatable {
    var body: [UInt8] = []
    var used = 0
    var isDone = false
    var failure: FramingFailure?

    init(_ bytes: [UInt8], cuts: [Int], limit: Int) {
        var decoder = ChunkedDecoder(limit: limit)
        do {
            for end in cuts + [bytes.count] where end > used {
                used += try decoder.decode(bytes[used..<end], into: &body)
                expect(used <= end && (used == end || decoder.isDone), "all is used until the end")
            }
        } catch {
            failure = error
            used = 0
        }
        isDone = decoder.isDone
        expect(body.count <= limit, "a body within its limit")
    }
}

/// Chunked bodies.
func fuzzChunked(_ bytes: [UInt8], _ random: inout SeededRandom) {
    let limit = Int.random(in: 0...2048, using: &random)
    let cuts = random.cuts(bytes.count)
    let whole = DecodedBody(bytes, cuts: [], limit: limit)
    expect(DecodedBody(bytes, cuts: cuts, limit: limit) == whole, "the same body when cut at \(cuts)")

    // The input as a body: encoded in random chunks it comes back, and what follows stays.
    var encoded: [UInt8] = []
    var start = 0
    for cut in random.cuts(bytes.count) + [bytes.count] where cut > start {
        encoded +=
            Array(String(cut - start, radix: 16).utf8) + [0x0D, 0x0A] + bytes[start..<cut] + [0x0D, 0x0A]
        start = cut
    }
    encoded += Array("0\r\n\r\n".utf8)
    let decoded = DecodedBody(
        encoded + Array("GET".utf8), cuts: random.cuts(encoded.count + 3), limit: bytes.count)
    expect(
        decoded.body == bytes && decoded.used == encoded.count && decoded.isDone && decoded.failure == nil,
        "a body comes back from its chunks")
}

/// Control messages.
func fuzzControl(_ bytes: [UInt8], _ random: inout SeededRandom) {
    decode(SupervisorMessage.self, bytes)
    decode(WorkerMessage.self, bytes)
    let text = String(decoding: bytes, as: UTF8.self)
    let number = UInt64.random(in: 0 ... .max, using: &random)
    let small = UInt32(truncatingIfNeeded: number)
    var figures = WorkerFigures()
    figures.connections = small
    figures.inputTokens = number
    let scope = ListenerScope(rawValue: UInt8(number % 3)) ?? .unix
    for message: SupervisorMessage in [
        .connection(id: number, scope: scope, peer: text), .peek(id: number, scope: scope, peer: text),
        .welcome(slots: small), .ping(sequence: number),
    ] { encode(message, tooLong: text.utf8.count > maximumPeerBytes) }
    for message: WorkerMessage in [
        .pong(sequence: number, figures: figures), .peeked(id: number, verdict: .gone),
    ] { encode(message, tooLong: false) }
    encode(
        SupervisorMessage.status(token: number, isLast: number & 1 == 0, json: text),
        tooLong: text.utf8.count > maximumReportBytes)
    let backend = BackendID(text)
    let isTooLong = text.utf8.count > BackendID.longestName
    encode(WorkerMessage.discovered(name: text, url: "", priority: small), tooLong: isTooLong)
    encode(
        WorkerMessage.notices([.refused(client: text), .answered(ticket: number)]),
        tooLong: text.utf8.count > AdmissionQuestion.longestClient)
    let observation = ModelObservation(
        .init(backend: backend, model: text), .lacks(text), learntAt: WallTime(nanoseconds: number))
    encode(WorkerMessage.observation(observation), tooLong: !observation.isTellable)
    encode(SupervisorMessage.observation(observation), tooLong: !observation.isTellable)
}

private func decode<Message: ControlCodable>(_ type: Message.Type, _ bytes: [UInt8]) {
    guard let message = try? Message(decoding: bytes) else { return }
    expect((try? message.encoded()) == bytes, "one message, one datagram: \(message)")
}

private func encode<Message: ControlCodable>(_ message: Message, tooLong: Bool) {
    do throws(ControlFailure) {
        let bytes = try message.encoded()
        expect(bytes.count <= maximumControlBytes, "a message fits its datagram")
        expect(try Message(decoding: bytes) == message, "what is decoded was encoded")
    } catch {
        expect(tooLong && error == .tooLong, "\(message) \(error)")
    }
}
