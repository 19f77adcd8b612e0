// The bytes of an answer's head and chunks.

import Testing

@testable import HTTP

struct ResponseHeadTests {
    private func text(_ head: ResponseHead) -> String {
        var output: [UInt8] = []
        head.append(to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test("framings")
    func framings() {
        let field = ResponseHead.Field("content-type", "application/json")
        #expect(
            text(ResponseHead(status: 200, framing: .length(12), fields: [field]))
                == "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n")
        #expect(
            text(ResponseHead(status: 529, framing: .chunked, closes: true))
                == "HTTP/1.1 529 Overloaded\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n")
        #expect(
            text(ResponseHead(status: 799, framing: .untilClose))
                == "HTTP/1.1 799 Status\r\nconnection: close\r\n\r\n")
    }

    @Test(
        "dates",
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (Int.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ])
    func dates(seconds: Int, text: String) { #expect(HTTPDate.text(secondsSince1970: seconds) == text) }

    @Test("a value cannot smuggle a line into the head")
    func smuggling() {
        let head = ResponseHead(
            status: 200, framing: .length(0), fields: [.init("x", "a\r\nset-cookie: b\u{0}é")])
        #expect(text(head) == "HTTP/1.1 200 OK\r\nx: a??set-cookie: b???\r\ncontent-length: 0\r\n\r\n")
    }

    @Test("chunks", arguments: [1, 9, 10, 15, 16, 17, 255, 256, 4095, 4096, 65_535, 65_536, 1_048_576])
    func chunks(count: Int) throws {
        let body = [UInt8](repeating: 0x61, count: count)
        var output: [UInt8] = []
        Chunk.append(body, to: &output)
        #expect(output.starts(with: Array((String(count, radix: 16) + "\r\n").utf8)))
        Chunk.append([], to: &output)
        Chunk.appendEnd(to: &output)
        var decoder = ChunkedDecoder(limit: count)
        var decoded: [UInt8] = []
        #expect(try decoder.decode(output[...], into: &decoded) == output.count)
        #expect(decoder.isDone && decoded == body)
    }
}
