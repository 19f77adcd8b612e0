// Lines out of bytes: what counts as one, and that cuts make no difference.

import TestSupport
import Testing

@testable import Translation

@Suite("lines of JSON")
struct LineDecoderTests {
    private func lines(_ bytes: [UInt8], cuts: [Int] = []) -> [String] {
        var decoder = LineDecoder()
        var found: [String] = []
        var start = 0
        for cut in cuts + [bytes.count] {
            decoder.append(bytes[start..<cut].span)
            start = cut
            while let range = decoder.next() {
                found.append(String(decoding: decoder.buffer[range], as: UTF8.self))
            }
        }
        while let range = decoder.last() {
            found.append(String(decoding: decoder.buffer[range], as: UTF8.self))
        }
        return found
    }

    static let table: [(String, [String])] = [
        ("", []), ("\n\n \r\n", []), ("a\nb\n", ["a", "b"]), ("a\r\nb\r\n", ["a", "b"]),
        ("a\nb", ["a", "b"]),
        ("\n\n a \n\n\tb\n", ["a", "b"]), ("\u{FEFF}a\nb\n", ["a", "b"]),
        ("\n\u{FEFF}\na\n", ["a"]), ("a\n\u{FEFF}b\n", ["a", "\u{FEFF}b"]), ("a", ["a"]),
        ("é\n日本", ["é", "日本"]),
        ("a\rb\n", ["a\rb"]),
    ]

    @Test("whatever the cuts", arguments: table)
    func anyCuts(_ text: String, _ expected: [String]) {
        let bytes = Array(text.utf8)
        #expect(lines(bytes) == expected.filter { !$0.isEmpty })
        #expect(lines(bytes, cuts: Array(0..<bytes.count)) == expected.filter { !$0.isEmpty })
        for cut in 0...bytes.count { #expect(lines(bytes, cuts: [cut]) == expected.filter { !$0.isEmpty }) }
    }

    @Test("random lines, random cuts", arguments: 0..<20)
    func random(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        for _ in 0..<50 {
            let length = Int.random(in: 0...200, using: &random)
            let alphabet = Array("ab{}\n\n\r \u{FEFF}".utf8)
            let bytes = (0..<length).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            let cuts = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                Int.random(in: 0...length, using: &random)
            }.sorted()
            #expect(lines(bytes, cuts: cuts) == lines(bytes))
        }
    }

    @Test("a line of 17 MiB is one; one beyond the limit ends it")
    func limits() {
        var decoder = LineDecoder()
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 0..<17 {
            decoder.append(piece.span)
            #expect(decoder.next() == nil)
        }
        decoder.append([0x0A].span)
        #expect(decoder.next()?.count == 17 << 20)
        for _ in 0..<34 {
            decoder.append(piece.span)
            #expect(decoder.next() == nil)
        }
        #expect(decoder.hasOverflowed && decoder.last() == nil)
        #expect(decoder.buffer.count <= LineDecoder.lineLimit + 2 << 20)
    }
}
