// The chunked coding: tables, cuts, limits.

import TestSupport
import Testing

@testable import HTTP

private enum Decoded: Equatable {
    case body(String, used: Int, done: Bool)
    case refused(FramingFailure)
}

private func decode(_ bytes: [UInt8], cuts: [Int] = [], limit: Int = 1 << 20) -> Decoded {
    var decoder = ChunkedDecoder(limit: limit)
    var body: [UInt8] = []
    var used = 0
    do {
        for end in cuts + [bytes.count] where end > used {
            used += try decoder.decode(bytes[used..<end], into: &body)
        }
    } catch {
        return .refused(error)
    }
    return .body(String(decoding: body, as: UTF8.self), used: used, done: decoder.isDone)
}

struct ChunkedDecoderTests {
    static let good: [(String, String, Int)] = [
        ("0\r\n\r\n", "", 0), ("5\r\nhello\r\n0\r\n\r\nGET", "hello", 3),
        ("A;a=b;c=\"d\"\r\n0123456789\r\n01 ; x\r\n!\r\n0\r\nTrailer: a\tb\r\nB:\r\n\r\n", "0123456789!", 0),
        ("1\r\n\r\r\n1\r\n\n\r\n000\r\n\r\n", "\r\n", 0),
        ("1 \t; a = b ;c=\"\\\"\u{e9};\t\" ;d\r\nx\r\n0\r\n\r\n", "x", 0),
    ]

    @Test("bodies, and what follows them is left alone", arguments: good)
    func bodies(text: String, body: String, left: Int) {
        let bytes = Array(text.utf8)
        let expected = Decoded.body(body, used: bytes.count - left, done: true)
        #expect(decode(bytes) == expected)
        #expect(decode(bytes, cuts: Array(0...bytes.count)) == expected)
        var random = SeededRandom(seed: 3)
        for _ in 0..<100 { #expect(decode(bytes, cuts: random.cuts(bytes.count)) == expected) }
        for count in 0..<(bytes.count - left) {
            guard case .body(_, let used, let done) = decode(Array(bytes[..<count])) else {
                Issue.record("prefix of \(count) bytes refused")
                continue
            }
            #expect(used == count && !done)
        }
    }

    @Test(
        "what is refused",
        arguments: [
            ("\r\n", FramingFailure.chunkSize), ("x\r\n", .chunkSize), ("5 5\r\n", .chunkExtension),
            ("5\n", .chunkSize),
            ("5\rx", .chunkSize), ("-1\r\n", .chunkSize), ("0x5\r\n", .chunkSize), (";a\r\n", .chunkSize),
            ("00000000000000001\r\n", .chunkSize), ("5;\u{0}\r\n", .chunkExtension),
            ("5;a\nb\r\n", .chunkExtension), ("5;\r\n", .chunkExtension), ("5;a;\r\n", .chunkExtension),
            ("5;bad[token]\r\n", .chunkExtension), ("5 \r\n", .chunkExtension), ("5\t\r\n", .chunkExtension),
            ("5;a=\r\n", .chunkExtension), ("5;a \r\n", .chunkExtension), ("5;a=b \r\n", .chunkExtension),
            ("5;a=\"b\r\n", .chunkExtension), ("5;a=\"b\"c\r\n", .chunkExtension),
            ("5;a=b c\r\n", .chunkExtension), ("5;a b\r\n", .chunkExtension), ("5;=b\r\n", .chunkExtension),
            ("FFFFFFFFFFFFFFFF\r\n", .bodyTooLarge), ("7fffffffffffffff\r\n", .bodyTooLarge),
            ("11\r\n", .bodyTooLarge), ("5\r\nhelloX", .chunkEnd), ("5\r\nhello\n", .chunkEnd),
            ("5\r\nhello\rX", .chunkEnd), ("0\r\n a: b\r\n\r\n", .trailer), ("0\r\n\rX", .trailer),
            ("0\r\na: b\rX", .trailer), ("0\r\na: \u{1}", .trailer), ("0\r\na: b\n", .trailer),
        ])
    func refused(text: String, failure: FramingFailure) {
        #expect(decode(Array(text.utf8), limit: 16) == .refused(failure))
    }

    @Test("limits count over the whole body")
    func limits() {
        let nine = "8\r\n12345678\r\n"
        #expect(
            decode(Array((nine + nine + "0\r\n\r\n").utf8), limit: 16)
                == .body("1234567812345678", used: 31, done: true))
        #expect(decode(Array((nine + nine + "1\r\n").utf8), limit: 16) == .refused(.bodyTooLarge))
        let long =
            "1;" + String(repeating: "e", count: ChunkedDecoder.maximumExtensionBytes / 2) + "\r\nx\r\n"
        #expect(decode(Array((long + long).utf8)) == .refused(.chunkExtensionTooLong))
        let trailers = String(repeating: "t: 4567\r\n", count: ChunkedDecoder.maximumTrailerBytes / 9 + 1)
        #expect(decode(Array(("0\r\n" + trailers).utf8)) == .refused(.trailerTooLarge))
    }

    @Test("garbage never traps")
    func garbage() {
        var random = SeededRandom(seed: 11)
        let alphabet = Array("0159afF;\r\n x:=\"\\\u{0}".utf8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? 0
            }
            let whole = decode(bytes)
            #expect(decode(bytes, cuts: random.cuts(bytes.count)) == whole)
        }
    }
}
