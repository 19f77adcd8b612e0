// Who may come in: Host names on loopback, keys, preflights, encodings.

import HTTP
import Shared
import Testing
import Translation

@testable import Worker

struct AccessTests {
    private func head(_ fields: String, line: String = "POST /v1/messages HTTP/1.1") throws -> RequestHead {
        var parser = RequestHeadParser()
        return try #require(try parser.parse(Array("\(line)\r\n\(fields)\r\n".utf8)))
    }

    private func status(_ admission: Admission) -> Int {
        switch admission {
        case .endpoint: 200
        case .refused(let failure, _): failure.error(for: .messages).status
        }
    }

    private let open = AccessRules(hosts: ["Gateway.LAN"], keys: nil)

    @Test(
        "Host names on a loopback listener",
        arguments: [
            ("localhost", 200), ("LOCALHOST:8484", 200), ("127.0.0.1", 200), ("127.0.0.1:1", 200),
            ("[::1]", 200),
            ("[::1]:8484", 200), ("localhost.", 200), ("gateway.lan:80", 200), ("evil.example", 403),
            ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403), ("10.0.0.1", 403), ("", 403),
            ("[::2]", 403),
        ])
    func hosts(host: String, expected: Int) throws {
        let head = try head("Host: \(host)\r\n")
        #expect(status(open.admit(head, scope: .loopback)) == expected)
        #expect(status(open.admit(head, scope: .network)) == 200)
        #expect(status(open.admit(head, scope: .unix)) == 200)
    }

    @Test("HTTP/1.0 may come without a Host; an absolute target overrules it")
    func hostForms() throws {
        let old = try head("", line: "POST /v1/messages HTTP/1.0")
        #expect(status(open.admit(old, scope: .loopback)) == 200)
        let absolute = try head("Host: localhost\r\n", line: "POST http://evil/v1/messages HTTP/1.1")
        #expect(status(open.admit(absolute, scope: .loopback)) == 403)
    }

    @Test(
        "web pages on a loopback scope: what the user opened from here or has named, nothing else",
        arguments: [
            ("", 200), ("Origin: http://127.0.0.1:8484\r\n", 200), ("Origin: http://localhost:8484\r\n", 200),
            ("Origin: http://[::1]:8484\r\n", 200), ("Origin: HTTP://LOCALHOST:8484\r\n", 200),
            ("Origin: http://gateway.lan\r\n", 200), ("Origin: https://Gateway.Lan:444\r\n", 200),
            ("Origin: http://127.0.0.1:3000\r\n", 403), ("Origin: http://localhost\r\n", 403),
            ("Origin: https://evil.example\r\n", 403), ("Origin: http://evil.example:8484\r\n", 403),
            ("Origin: null\r\n", 403), ("Origin:\r\n", 403), ("Origin: localhost:8484\r\n", 403),
            ("Origin: http://localhost:8484@evil.example\r\n", 403),
            ("Origin: http://localhost:8484.evil.example\r\n", 403),
            ("Origin: http://localhost:8484/x\r\n", 403), ("Origin: chrome-extension://abc\r\n", 403),
            ("Origin: http://localhost:8484\r\nOrigin: https://evil.example\r\n", 403),
            ("Origin: http://localhost:8484\r\nSec-Fetch-Site: same-origin\r\n", 200),
            // The origin is the better witness: a page on another port of this host that the user has named.
            ("Origin: http://gateway.lan:3000\r\nSec-Fetch-Site: cross-site\r\n", 200),
            ("Sec-Fetch-Site: cross-site\r\n", 403), ("Sec-Fetch-Site: same-site\r\n", 403),
            ("Sec-Fetch-Site: Cross-Site\r\n", 403), ("Sec-Fetch-Site: same-origin\r\n", 200),
            ("Sec-Fetch-Site: none\r\n", 200),
        ])
    func pages(fields: String, expected: Int) throws {
        for line in ["POST /v1/messages HTTP/1.1", "GET /v1/models HTTP/1.1", "GET /health HTTP/1.1"] {
            let head = try head("Host: localhost\r\n\(fields)", line: line)
            #expect(status(open.admit(head, scope: .loopback, port: { 8484 })) == expected)
            #expect(status(open.admit(head, scope: .network, port: { 8484 })) == 200)
            #expect(status(open.admit(head, scope: .unix)) == 200)
        }
    }

    @Test(
        "keys in either header, one good one is enough",
        arguments: [
            ("", 401), ("x-api-key: one\r\n", 200), ("Authorization: Bearer two\r\n", 200),
            ("Authorization: bearer  two\r\n", 200),
            ("x-api-key: wrong\r\nAuthorization: Bearer one\r\n", 200),
            ("x-api-key: on\r\n", 401), ("x-api-key: onee\r\n", 401), ("Authorization: two\r\n", 401),
            ("Authorization: Basic two\r\n", 401), ("x-api-key:\r\n", 401),
        ])
    func keys(fields: String, expected: Int) throws {
        let keys = AccessKeys([SecretValue(Array("one".utf8)), SecretValue(Array("two".utf8))])
        let rules = AccessRules(hosts: [], keys: keys)
        #expect(status(rules.admit(try head("Host: a\r\n\(fields)"), scope: .network)) == expected)
        for path in ["/health", "/ready", "/api/hello"] {
            let probe = try head("Host: a\r\n", line: "GET \(path) HTTP/1.1")
            #expect(status(rules.admit(probe, scope: .network)) == 200)
        }
        let models = try head("Host: a\r\n\(fields)", line: "GET /v1/models HTTP/1.1")
        #expect(status(rules.admit(models, scope: .network)) == expected)
    }

    @Test("preflights and encoded bodies are refused, wrong methods say what is allowed")
    func refusals() throws {
        let preflight = try head("Host: a\r\nOrigin: http://evil\r\n", line: "OPTIONS /v1/messages HTTP/1.1")
        #expect(status(open.admit(preflight, scope: .network)) == 403)
        #expect(status(open.admit(try head("Host: a\r\nContent-Encoding: gzip\r\n"), scope: .network)) == 400)
        #expect(
            status(open.admit(try head("Host: a\r\nContent-Encoding: identity\r\n"), scope: .network)) == 200)
        guard
            case .refused(let failure, let fields) = open.admit(
                try head("Host: a\r\n", line: "GET /v1/messages HTTP/1.1"), scope: .network)
        else {
            Issue.record("GET is not refused")
            return
        }
        #expect(failure == .request(.wrongMethod(path: "/v1/messages", allowed: "POST")))
        #expect(fields == [.init("allow", "POST")])
    }
}

struct PeekedRequestTests {
    @Test(
        "what the first bytes of a waiting connection say",
        arguments: [
            ("", PeekedRequest.undecided), ("G", .undecided), ("GET /health HTTP/1.1\r\n", .undecided),
            ("POST /v1/messages HTTP/1.1\r\n", .other), ("P", .other), ("\u{16}", .other),
            ("GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n", .other), ("GET /health HTTP/9\r\n", .other),
            ("GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", .other),
            ("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", .probe(.health, length: 33)),
            ("HEAD /ready HTTP/1.1\r\nHost: a\r\n\r\nrest", .probe(.ready, length: 33)),
        ])
    func judged(text: String, expected: PeekedRequest) {
        #expect(PeekedRequest.judge(Array(text.utf8)).0 == expected)
    }

    @Test("an endless head is not waited for")
    func endless() {
        let bytes = Array(("GET /health HTTP/1.1\r\nX: " + String(repeating: "x", count: 9000)).utf8)
        #expect(PeekedRequest.judge(Array(bytes.prefix(ServingLimits.peekedBytes))).0 == .other)
    }
}
