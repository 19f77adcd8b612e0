// What travels through the client comes back as it was.

import Testing
import Translation

@Suite struct CarriersTests {
    @Test(arguments: [
        "functions.Read:0", "0", "", "call:é", "toolu_enc_x_AAAA", "call_0",
        String(repeating: "x", count: 200),
    ])
    func oddIdsComeBackExactly(id: String) {
        let client = ToolIdentifier.forClient(id, salt: "abc9")
        #expect(client.wholeMatch(of: /[a-zA-Z0-9_-]+/) != nil)
        #expect(client != ToolIdentifier.forClient(id, salt: "abd0"))
        #expect(ToolIdentifier.forUpstream(client) == id)
    }

    @Test(arguments: ["call_abcdef012345", "toolu_01ABCdef", "chatcmpl-tool-0a1b"])
    func ordinaryIdsPass(id: String) {
        #expect(ToolIdentifier.forClient(id, salt: "abc9") == id)
        #expect(ToolIdentifier.forUpstream(id) == id)
    }

    @Test(arguments: ["toolu_enc_", "toolu_enc_abc", "toolu_enc_a_!", "toolu_enc_a_A", "x"])
    func whatIsNoCarrierStays(id: String) { #expect(ToolIdentifier.forUpstream(id) == id) }

    @Test func hiddenReasoning() {
        for text in ["a", "ab", "abc", "über\n漢"] {
            let signature = ReasoningCarrier.signature(hidden: Array(text.utf8))
            #expect(ReasoningCarrier.hidden(in: signature) == Array(text.utf8))
        }
        #expect(ReasoningCarrier.hidden(in: ReasoningCarrier.signature()) == nil)
        #expect(ReasoningCarrier.hidden(in: "EqQBCgIYAhIM") == nil)
        #expect(!ReasoningCarrier.signature().isEmpty)
        // Bytes that are no text would make the backend's request invalid JSON.
        #expect(ReasoningCarrier.hidden(in: ReasoningCarrier.signature(hidden: [0x61, 0xD0])) == nil)
        #expect(ReasoningCarrier.hidden(in: "drgm1.TwGV0IG1lIHNlZS4") == nil)
    }
}
