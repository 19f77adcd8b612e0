// Who asks, in which conversation, and how urgent it is.

import HTTP
import Shared
import Testing
import Translation

@testable import Worker

struct RequestOriginTests {
    private static func origin(
        _ fields: String, model: String = "qwen3", session: String? = nil,
        traits: RequestTraits? = RequestTraits()
    ) throws -> RequestOrigin {
        var parser = RequestHeadParser()
        let lines = fields.split(separator: "|").map { "\($0)\r\n" }.joined()
        let head = try #require(
            try parser.parse(Array("POST /v1/messages HTTP/1.1\r\nHost: a\r\n\(lines)\r\n".utf8)))
        return RequestOrigin(
            head, model: model, session: { session }, traits: traits.map { known in { known } })
    }

    private static func traits(_ change: (inout RequestTraits) -> Void) -> RequestTraits {
        var traits = RequestTraits()
        change(&traits)
        return traits
    }

    @Test(
        "the lane: the client's word for it first, then its other marks, then the name of the model",
        arguments: [
            ("", "qwen3", RequestTraits(), Lane.main),
            ("x-claude-code-request-class: main", "claude-haiku-4-5", .init(), .main),
            (
                "x-claude-code-request-class: MAIN", "claude-haiku-4-5", traits { $0.isBackground = true },
                .main
            ),
            ("x-claude-code-request-class: subagent", "m", .init(), .subagent),
            ("x-claude-code-request-class: workflow", "m", .init(), .subagent),
            ("x-claude-code-request-class: compaction", "m", .init(), .compaction),
            ("x-claude-1p-request-class: auxiliary", "m", .init(), .auxiliary),
            ("x-claude-code-request-class: nonsense é|x-claude-code-agent-id: a", "m", .init(), .subagent),
            ("x-claude-code-request-class:", "claude-haiku-4-5", .init(), .auxiliary),
            ("x-claude-code-agent-id: a1", "m", .init(), .subagent),
            ("", "m", traits { $0.isSubagent = true }, .subagent),
            ("", "m", traits { $0.isCompaction = true }, .compaction),
            ("x-claude-code-agent-id: a1", "m", traits { $0.isCompaction = true }, .compaction),
            ("", "m", traits { $0.isBackground = true }, .auxiliary),
            ("", "Claude-Haiku-4-5", .init(), .auxiliary), ("", "haiku-writer", .init(), .main),
        ] as [(String, String, RequestTraits, Lane)])
    func lanes(fields: String, model: String, traits: RequestTraits, expected: Lane) throws {
        #expect(try Self.origin(fields, model: model, traits: traits).lane == expected)
    }

    @Test("conversation and agent, from the head or from the body, are the same digest everywhere")
    func session() throws {
        let id = "0c1f2b64-2ab2-4a1b-8a5e-5f1a6c0de9aa"
        let head = try Self.origin("X-Claude-Code-Session-Id: \(id)")
        let body = try Self.origin("", session: id)
        #expect(try Self.origin("X-Claude-Code-Session-Id: \(id)", session: "other") == head)
        #expect(try Self.origin("X-Claude-Code-Request-Class: compaction", traits: nil).lane == .main)
        #expect(head.session != 0 && head == body && head.agent == 0)
        let agent = try Self.origin("X-Claude-Code-Session-Id: \(id)|X-Claude-Code-Agent-Id: a7")
        #expect(agent.session == head.session && agent.agent != 0)
        let other = try Self.origin("X-Claude-Code-Session-Id: \(id)|X-Claude-Code-Agent-Id: a8")
        #expect(other.agent != agent.agent)
        #expect(try Self.origin("X-Claude-Code-Agent-Id: a7").agent == 0)
        #expect(try Self.origin("X-Claude-Code-Session-Id:").session == 0)
    }

    @Test(
        "a request that is sent again says so",
        arguments: [("", false), ("0", false), ("1", true), ("12", true), ("x", false)])
    func retries(count: String, expected: Bool) throws {
        #expect(try Self.origin("X-Stainless-Retry-Count: \(count)").isRetry == expected)
    }

    @Test(
        "a client is its address; of IPv6 its network",
        arguments: [
            ("192.0.2.7:40312", ListenerScope.network, "192.0.2.7"),
            ("127.0.0.1:40312", .loopback, "127.0.0.1"), ("[::1]:5000", .loopback, "::1"),
            ("[2001:db8:1:2:3:4:5:6]:443", .network, "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]:443", .network, "2001:db8:1:2::/64"),
            ("[fe80::1%eth0]:443", .network, "fe80:0:0:0::/64"),
            ("[::ffff:192.0.2.7]:443", .network, "192.0.2.7"), ("pid 7 uid 1000", .unix, "unix"),
            ("", .network, "unix"), ("[nonsense]:1", .network, "nonsense"),
        ])
    func addresses(peer: String, scope: ListenerScope, expected: String) {
        #expect(ClientAddress.account(peer, scope) == expected)
        #expect(expected.utf8.count <= AdmissionQuestion.longestClient)
    }
}

struct ClientNameTests {
    @Test("a name is cut between characters", arguments: [1, 63, 64, 65, 200])
    func bounds(count: Int) {
        for letter in ["a", "é", "👩‍👩‍👧"] {
            let name = AdmissionQuestion.bounded(String(repeating: letter, count: count))
            #expect(
                name.utf8.count <= AdmissionQuestion.longestClient && name.allSatisfy { "\($0)" == letter })
        }
    }
}

struct LocalClientTests {
    @Test(
        "the status is for this machine, and for nobody whom a proxy on it lets in",
        arguments: [
            ("Host: localhost:8484", ListenerScope.loopback, true), ("Host: [::1]:8484", .loopback, true),
            ("Host: gateway.lan", .loopback, false), ("Host: localhost|Via: 1.1 a", .loopback, false),
            ("Host: localhost|X-Forwarded-For: 192.0.2.1", .loopback, false),
            ("Host: localhost|Forwarded: for=192.0.2.1", .loopback, false),
            ("Host: localhost|X-Real-IP: 192.0.2.1", .loopback, false),
            ("Host: localhost", .network, false), ("Host: anything|Via: 1.1 a", .unix, true),
        ])
    func status(fields: String, scope: ListenerScope, isLocal: Bool) throws {
        var parser = RequestHeadParser()
        let lines = fields.split(separator: "|").map { "\($0)\r\n" }.joined()
        let head = try #require(try parser.parse(Array("GET /status HTTP/1.1\r\n\(lines)\r\n".utf8)))
        let keys = try HeldSecrets(Configuration(), SecretSources { _ in nil }).access
        let rules = AccessRules(hosts: ["gateway.lan"], keys: keys)
        switch rules.admit(head, scope: scope) {
        case .endpoint(let endpoint): #expect(endpoint == .status && isLocal)
        case .refused(let failure, _):
            #expect(!isLocal && failure.error(for: .messages).status == 403)
        }
    }
}
