// Frames out of bytes: what counts as one, and that cuts make no difference.

import TestSupport
import Testing

@testable import Translation

@Suite("server-sent events")
struct SSEDecoderTests {
    /// Kind and data of each frame, with the bytes given in pieces.
    private func frames(_ bytes: [UInt8], cuts: [Int] = []) -> [String] {
        var decoder = SSEDecoder()
        var found: [String] = []
        func note(_ frame: SSEDecoder.Frame) {
            let bytes = frame.isJoined ? decoder.joined[frame.range] : decoder.buffer[frame.range]
            found.append("\(frame.kind):" + String(decoding: bytes, as: UTF8.self))
        }
        var start = 0
        for cut in cuts + [bytes.count] {
            decoder.append(bytes[start..<cut].span)
            start = cut
            while let frame = decoder.next() { note(frame) }
        }
        while let frame = decoder.last() { note(frame) }
        return found
    }

    static let table: [(String, [String])] = [
        ("data: a\n\ndata: b\n\n", ["data:a", "data:b"]),
        ("data:a\r\n\r\ndata:b\r\n\r\n", ["data:a", "data:b"]),
        ("data: a\r\rdata: b\r\r", ["data:a", "data:b"]),
        ("data: a\r\n\ndata: b\n\r\n", ["data:a", "data:b"]),
        ("data: a\ndata: b\n\n", ["data:a\nb"]),
        ("data: a\r\ndata: b\r\n\r\n", ["data:a\nb"]), ("data: a\rdata: b\r\r", ["data:a\nb"]),
        ("data: a\ndata\ndata: b\n\n", ["data:a\n\nb"]),
        ("data:  two blanks\n\n", ["data: two blanks"]),
        (": comment\n\n:\n\ndata: a\n: inside\n\n", ["data:a"]),
        ("\u{FEFF}data: a\n\n", ["data:a"]),
        ("event: message\nid: 1\nretry: 5\ndata: a\n\n", ["data:a"]),
        ("event: error\ndata: a\n\ndata: b\n\n", ["namedError:a", "data:b"]),
        ("event:error\ndata: a\n\n", ["namedError:a"]),
        ("event: errors\ndata: a\n\n", ["data:a"]),
        ("event: error\n\ndata: a\n\n", ["data:a"]),
        ("error: {\"x\":1}\n\ndata: [DONE]\n\n", ["errorField:{\"x\":1}", "data:[DONE]"]),
        ("{\"error\":1}\n", ["unframed:{\"error\":1}"]),
        (
            "data: {\"a\":1}\ndata: {\"b\":2}\ndata: [DONE]\n",
            ["data:{\"a\":1}", "data:{\"b\":2}", "data:[DONE]"]
        ),
        (
            "data: {\ndata:  \"a\": {}\ndata: }\ndata: {\"b\":2}\n\n",
            ["data:{\n \"a\": {}\n}", "data:{\"b\":2}"]
        ),
        ("data: a", ["data:a"]), ("data: a\n", ["data:a"]), ("data: a\ndata: b", ["data:a\nb"]),
        ("data\n\n", ["data:"]), ("data:\n\n", ["data:"]), ("database: a\n\n", []), ("dat", []), ("", []),
        ("\n\n\n", []), ("\r", []), ("nonsense\nDATA: a\n\n", []),
    ]

    @Test("what counts as a frame", arguments: table)
    func frames(_ text: String, _ expected: [String]) {
        #expect(frames(Array(text.utf8)) == expected)
    }

    @Test("cuts make no difference", arguments: table)
    func cuts(_ text: String, _ expected: [String]) {
        let bytes = Array(text.utf8)
        #expect(frames(bytes, cuts: Array(0..<bytes.count)) == expected)
        for at in 0...bytes.count { #expect(frames(bytes, cuts: [at]) == expected, "cut at \(at)") }
        var random = SeededRandom(seed: UInt64(bytes.count))
        for _ in 0..<50 {
            let cuts = (0..<4).map { _ in Int.random(in: 0...bytes.count, using: &random) }.sorted()
            #expect(frames(bytes, cuts: cuts) == expected, "cuts \(cuts)")
        }
    }

    @Test("a frame without end is given up at the limit", arguments: ["data: ", "", ": "])
    func limit(_ opening: String) {
        var decoder = SSEDecoder()
        decoder.append(Array(opening.utf8).span)
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        var found: SSEDecoder.Frame?
        for _ in 0..<18 where found == nil {
            decoder.append(piece.span)
            found = decoder.next()
        }
        #expect(found?.kind == .tooLarge)
        #expect(decoder.next() == nil)
        #expect(decoder.last() == nil)
    }

    @Test("data lines without end are given up at the limit")
    func lines() {
        var decoder = SSEDecoder()
        let line = Array("data: ".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20) + [0x0A]
        var found: SSEDecoder.Frame?
        for _ in 0..<18 where found == nil {
            decoder.append(line.span)
            found = decoder.next()
        }
        #expect(found?.kind == .tooLarge)
    }

    @Test("what was read is not kept")
    func memory() {
        var decoder = SSEDecoder()
        let frames = Array(String(repeating: "data: abc\n\n", count: 1000).utf8)
        for _ in 0..<50 {
            decoder.append(frames.span)
            while decoder.next() != nil {}
        }
        #expect(decoder.buffer.count <= frames.count)
    }
}
