// Who asked, and which refusals stand out in the journal.

import EventLoop
import HTTP
import Shared
import Testing

@testable import Translation
@testable import Worker

@Suite struct RequestJournalTests {
    @Test("a client is named by its key, and the name does not give the key away")
    func clientName() throws {
        let keys = AccessKeys([SecretValue(Array("key-one".utf8)), SecretValue(Array("key-two".utf8))])
        let rules = AccessRules(hosts: [], keys: keys)
        func name(_ fields: String, _ rules: AccessRules = rules) throws -> String? {
            var parser = RequestHeadParser(limits: HeadLimits(bytes: 4096))
            let text = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n"
            return rules.clientName(try #require(try parser.parse(Array(text.utf8))))
        }
        // sha256("key-one") and sha256("key-two")
        let (one, two) = (
            "key-" + SHA256.hex(Array("key-one".utf8)).prefix(8),
            "key-" + SHA256.hex(Array("key-two".utf8)).prefix(8)
        )
        #expect(try name("X-Api-Key: key-one\r\n") == one)
        #expect(try name("Authorization: Bearer key-two\r\n") == two)
        #expect(try name("X-Api-Key: wrong\r\nAuthorization: bearer key-one\r\n") == one)
        #expect(try name("X-Api-Key: key-on\r\n") == nil)
        #expect(try name("") == nil)
        #expect(try name("X-Api-Key: key-one\r\n", AccessRules(hosts: [], keys: nil)) == nil)
    }

    @Test("so many refused keys stand out in a minute, and again in the next")
    func noticeLimit() {
        var limit = NoticeLimit(count: 2, each: .seconds(60))
        let start = Instant(nanoseconds: 1)
        #expect(
            [0, 1, 2, 59].map { limit.takes(at: start.advanced(by: .seconds($0))) } == [
                true, true, false, false,
            ])
        #expect(
            [60, 61, 62].map { limit.takes(at: start.advanced(by: .seconds($0))) } == [true, true, false])
    }

    @Test("an entry tells who asked, and why it failed in our words only")
    func entry() {
        var record = ExchangeRecord(requestID: "req_1", begun: Instant(nanoseconds: 0), peer: "10.0.0.1:5")
        record.client = "key-01234567"
        func shown(_ ending: ExchangeRecord.Ending) -> String {
            "\(record.fields(ending, status: 400, firstByteAt: nil, now: Instant(nanoseconds: 1)))"
        }
        let refused = shown(.refused(.invalid("tool \(Excerpt.shown("secret")) is not known.")))
        #expect(refused.contains("10.0.0.1:5") && refused.contains("key-01234567"))
        #expect(refused.contains("tool … is not known.") && !refused.contains("secret"))
        let said = Failure.upstream(UpstreamFault(.requestRejected, status: 400, said: "secret"))
        #expect(said.error(for: .messages).message == "secret")
        #expect(!shown(.ended(.upstreamFailed(said))).contains("secret"))
        #expect(!shown(.ended(.completed)).contains("reason"))
    }
}
