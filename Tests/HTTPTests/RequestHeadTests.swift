// What a good head means, and which heads are refused with which status.

import Testing

@testable import HTTP

struct RequestHeadTests {
    @Test("fields, target and framing of an ordinary request")
    func ordinary() throws {
        let text =
            "POST /v1/messages?beta=true HTTP/1.1\r\nHost: localhost:8484\r\nX-API-Key:  secret \t\r\n"
            + "Content-Length: 12\r\nEmpty:\r\n\r\nhello"
        let head = try #require(try head(text))
        #expect(head.method == .post)
        #expect(head.path == "/v1/messages")
        #expect(head.version == .http11)
        #expect(head.framing == .length(12))
        #expect(head.keepAlive)
        #expect(!head.expectsContinue)
        #expect(head.authority == "localhost:8484")
        #expect(head.fieldText("x-api-key") == "secret")
        #expect(head.fieldText("empty") == "")
        #expect(head.fieldText("absent") == nil)
        #expect(head.fieldCount == 4)
        #expect(head.length == text.utf8.count - 5)
    }

    @Test(
        "methods are case-sensitive",
        arguments: [
            ("GET", Method.get), ("HEAD", .head), ("POST", .post), ("OPTIONS", .options), ("PUT", .put),
            ("DELETE", .delete), ("PATCH", .patch), ("get", .other), ("Post", .other), ("BREW", .other),
        ])
    func methods(name: String, method: Method) throws {
        #expect(try head("\(name) / HTTP/1.1\r\nHost: a\r\n\r\n")?.method == method)
    }

    @Test(
        "the path is cut from every form of target, undecoded",
        arguments: [
            ("/", "/", "a"), ("/v1/models/a%2Fb:c?limit=1", "/v1/models/a%2Fb:c", "a"), ("/x#y?z", "/x", "a"),
            ("http://b:1/p?q", "/p", "b:1"), ("HTTPS://b/p", "/p", "b"), ("http://b", "/", "b"),
            ("http://b?q", "/", "b"), ("*", "*", "a"), ("//v1//x", "//v1//x", "a"),
        ])
    func targets(target: String, path: String, authority: String) throws {
        let parsed = try #require(try head("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n"))
        #expect(parsed.path == path)
        #expect(parsed.authority == authority)
    }

    @Test(
        "the query is what stands between ? and #",
        arguments: [
            ("/a", nil), ("/a?", ""), ("/a?b=c%20d&e", "b=c%20d&e"), ("/a?b#c", "b"), ("/a#b?c", nil),
            ("http://h?q", "q"), ("/a?b?c", "b?c"),
        ] as [(String, String?)])
    func queries(target: String, query: String?) throws {
        #expect(try head("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")?.query == query)
    }

    @Test(
        "keep-alive by version and Connection",
        arguments: [
            ("1.1", "", true), ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: foo , CLOSE\r\n", false), ("1.1", "Connection: keep-alive\r\n", true),
            ("1.0", "", false), ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false), ("1.9", "", true),
            ("1.1", "Connection: foo\r\nConnection: close\r\n", false), ("1.1", "Connection: ,,\r\n", true),
        ])
    func persistence(version: String, field: String, keepAlive: Bool) throws {
        #expect(try head("GET / HTTP/\(version)\r\nHost: a\r\n\(field)\r\n")?.keepAlive == keepAlive)
    }

    @Test(
        "body framing",
        arguments: [
            ("", RequestFraming.none), ("Content-Length: 0\r\n", .length(0)),
            ("content-length: 00017\r\n", .length(17)), ("Transfer-Encoding: Chunked\r\n", .chunked),
            ("Content-Length: 99999999999999999999999999\r\n", .length(.max)),
            ("Content-Length: 9223372036854775807\r\n", .length(.max)),
        ])
    func framing(field: String, framing: RequestFraming) throws {
        #expect(try head("POST / HTTP/1.1\r\nHost: a\r\n\(field)\r\n")?.framing == framing)
    }

    @Test("Expect is met, and ignored for HTTP/1.0")
    func expectation() throws {
        #expect(
            try head("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n")?.expectsContinue == true)
        #expect(try head("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")?.expectsContinue == false)
    }

    @Test(
        "what is not strict HTTP/1.1 is refused",
        arguments: [
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", FramingFailure.requestLine, 400),
            ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .requestLine, 400), ("GET /\r\n\r\n", .requestLine, 400),
            ("GET / http/1.1\r\n\r\n", .requestLine, 400), ("GET /\u{1} HTTP/1.1\r\n\r\n", .requestLine, 400),
            ("\u{16}\u{3}\u{1}", .requestLine, 400), (" GET / HTTP/1.1\r\n\r\n", .requestLine, 400),
            ("GET /é HTTP/1.1\r\n\r\n", .requestLine, 400), ("GET /\tx HTTP/1.1\r\n\r\n", .requestLine, 400),
            ("GET x HTTP/1.1\r\nHost: a\r\n\r\n", .requestTarget, 400),
            ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", .requestTarget, 400),
            ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", .requestTarget, 400),
            ("GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n", .requestTarget, 400),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .version, 505), ("GET / HTTP/0.9\r\n\r\n", .version, 505),
            ("GET / HTTP/1.1\nHost: a\n\n", .bareLineFeed, 400),
            ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", .bareLineFeed, 400),
            ("\nGET / HTTP/1.1", .bareLineFeed, 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed, 400),
            ("GET / HTTP/1.1\rHost: a\r\n\r\n", .bareCarriageReturn, 400),
            ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", .bareCarriageReturn, 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n\rX", .bareCarriageReturn, 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", .foldedField, 400),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", .blankBeforeColon, 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", .fieldName, 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", .fieldName, 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", .fieldName, 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: b\u{0}c\r\n\r\n", .fieldValue, 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: 12345678b\u{7f}c\r\n\r\n", .fieldValue, 400),
            ("GET / HTTP/1.1\r\n\r\n", .host, 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", .host, 400),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .host, 400),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .host, 400),
            ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", .host, 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", .contentLength, 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", .contentLength, 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", .contentLength, 400),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
                .repeatedContentLength, 400
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                .lengthAndChunked, 400
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .transferEncoding,
                501
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip,\tChunked\r\n\r\n", .transferEncoding,
                501
            ),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", .transferEncodingOpen, 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", .transferEncodingOpen, 400),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
                .transferEncodingOpen, 400
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n", .transferEncodingOpen,
                400
            ),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", .transferEncodingOpen, 400),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                .transferEncodingOpen, 400
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
                .transferEncodingOpen, 400
            ),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .chunkedInHTTP10, 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", .expectation, 417),
        ])
    func refused(text: String, failure: FramingFailure, status: Int) {
        #expect(parseHead(Array(text.utf8)) == .refused(failure))
        #expect(failure.status == status)
    }

    @Test("limits: request line, bytes, fields; just below passes")
    func limits() {
        let limits = HeadLimits(bytes: 400, requestLine: 100, fields: 4)
        func outcome(_ text: String) -> HeadOutcome { parseHead(Array(text.utf8), limits: limits) }
        let path = "/" + String(repeating: "a", count: 85)
        #expect(outcome("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n") != .refused(.requestLineTooLong))
        #expect(outcome("GET \(path)bc HTTP/1.1\r\nHost: a\r\n\r\n") == .refused(.requestLineTooLong))
        #expect(outcome("GET \(path)" + String(repeating: "a", count: 20)) == .refused(.requestLineTooLong))
        let four = "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nA: b\r\nA: b\r\n"
        #expect(outcome(four + "\r\n") == .complete(length: 45, path: "/", fields: 4))
        #expect(outcome(four + "A: b\r\n\r\n") == .refused(.tooManyFields))
        let filler = String(repeating: "x", count: 400 - 30)
        #expect(outcome("GET / HTTP/1.1\r\nHost: a\r\nX: \(filler)\r\n\r\n") == .refused(.headTooLarge))
        #expect(outcome("GET / HTTP/1.1\r\nHost: a\r\nX: \(filler)yyyyyyy") == .refused(.headTooLarge))
        #expect(FramingFailure.requestLineTooLong.status == 414)
        #expect(FramingFailure.tooManyFields.status == 431 && FramingFailure.headTooLarge.status == 431)
    }

    @Test("empty lines before the request line are tolerated, but not endlessly")
    func leadingLines() {
        let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(parseHead(Array(("\r\n" + text).utf8)) == .complete(length: 29, path: "/", fields: 1))
        #expect(parseHead(Array(("\r\n\r\n\r\n" + text).utf8)) == .refused(.requestLine))
    }

    @Test("a head that begins behind another one")
    func pipelined() throws {
        let first = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
        let second = "GET http://q/2 HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n"
        let bytes = Array((first + second).utf8)
        var one = RequestHeadParser()
        let head1 = try #require(try one.parse(bytes))
        #expect(head1.path == "/1")
        var two = RequestHeadParser()
        let head2 = try #require(try two.parse(bytes, from: head1.length))
        #expect(head2.path == "/2")
        #expect(head2.authority == "q")
        #expect(head2.fieldText("x") == "y")
        #expect(head1.length + head2.length == bytes.count)
    }

    @Test(
        "percent-decoding of a segment",
        arguments: [
            ("a%2Fb:c", "a/b:c"), ("qwen3:8b", "qwen3:8b"), ("%", nil), ("%2", nil), ("%zz", nil),
            ("%ff", nil),
            ("%C3%A9", "é"), ("", ""), ("%2525", "%25"),
        ] as [(String, String?)])
    func percent(segment: String, decoded: String?) {
        #expect(percentDecoded(segment) == decoded)
    }
}
