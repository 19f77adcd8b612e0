// However bytes are cut, the outcome is the same; whatever bytes come, nothing traps.

import TestSupport
import Testing

@testable import HTTP

struct CutTests {
    static let heads = [
        "POST /v1/messages?beta=true HTTP/1.1\r\nHost: localhost\r\nUser-Agent: claude-cli/2\r\nContent-Length: 2\r\n\r\n",
        "\r\nGET http://a/b HTTP/1.0\r\nX-Long-Field-Name: some value with\ttabs\r\nB:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    ]

    @Test("a head under every single cut and under random cuts", arguments: heads)
    func cutHeads(text: String) {
        let bytes = Array(text.utf8)
        let whole = parseHead(bytes)
        #expect(whole != .incomplete)
        for cut in 0...bytes.count { #expect(parseHead(bytes, cuts: [cut]) == whole, "cut at \(cut)") }
        #expect(parseHead(bytes, cuts: Array(0...bytes.count)) == whole, "byte by byte")
        var random = SeededRandom(seed: 1)
        for _ in 0..<200 {
            let cuts = random.cuts(bytes.count)
            #expect(parseHead(bytes, cuts: cuts) == whole, "cuts at \(cuts)")
        }
    }

    @Test("no strict prefix of a good head is complete")
    func prefixes() {
        let bytes = Array(Self.heads[0].utf8)
        for count in 0..<bytes.count { #expect(parseHead(Array(bytes[..<count])) == .incomplete) }
    }

    @Test("a dripping head is searched only once")
    func dripping() throws {
        // 60 KB byte by byte: quadratic work would be some 1.8 billion steps.
        let filler = String(repeating: "x", count: 60_000)
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nX: \(filler)\r\n\r\n".utf8)
        var parser = RequestHeadParser()
        var buffer: [UInt8] = []
        buffer.reserveCapacity(bytes.count)
        var found: RequestHead?
        let clock = ContinuousClock()
        let spent = try clock.measure {
            for byte in bytes {
                buffer.append(byte)
                found = try parser.parse(buffer)
            }
        }
        #expect(found?.fieldCount == 2)
        #expect(spent < .seconds(5))
    }

    @Test("mutated heads and garbage never trap, and cuts change nothing")
    func garbage() {
        var random = SeededRandom(seed: 7)
        for round in 0..<4000 {
            var bytes = Array(Self.heads[round % Self.heads.count].utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...2, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: at)
                default: bytes.insert([0, 10, 13, 32, 58].randomElement(using: &random) ?? 0, at: at)
                }
            }
            let whole = parseHead(bytes)
            let cuts = random.cuts(bytes.count)
            // In pieces a refusal may come later (with the empty line, or by deadline), but never turn into acceptance.
            let cut = parseHead(bytes, cuts: cuts)
            if case .refused = whole {
                if case .complete = cut { Issue.record("cut \(cuts) accepts \(bytes)") }
            } else {
                #expect(cut == whole)
            }
        }
    }
}
