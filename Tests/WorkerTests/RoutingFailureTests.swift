// What clients are told when their requests go nowhere.

import Routing
import Testing
import Translation

@testable import Worker

@Suite struct RoutingFailureTests {
    private static func told(_ failure: RoutingFailure) -> ClientError {
        Failure(failure).error(for: .messages)
    }

    @Test func toldToClients() {
        let unknown = Self.told(.unknownModel(String(repeating: "x", count: 500), .nearest("alpha")))
        #expect(unknown.status == 404 && unknown.type == "not_found_error" && unknown.shouldRetry == false)
        #expect(unknown.message.count < 200 && unknown.message.hasSuffix("; the nearest is alpha."))
        let some = Self.told(.unknownModel("x", .some(["a1", "b2", "c3", "d4", "e5"], more: true)))
        #expect(some.message == "model: x is not known; some of those available are a1, b2, c3, d4, e5.")
        #expect(
            Self.told(.unknownModel("gpt-4o", .some(["demo"], more: false))).message
                == "model: gpt-4o is not known; available is demo.")
        let nothing = Self.told(.nothingToServe(isConfigured: true))
        #expect(nothing.status == 529 && nothing.type == "overloaded_error" && nothing.retryAfter == 5)
        #expect(nothing.shouldRetry == nil)
        let empty = Self.told(.noModels(["hf"]))
        #expect(
            empty.status == 404 && empty.shouldRetry == false
                && empty.message.contains("the backend hf answers but lists no models"))
        let lost = Self.told(.lost(["gpu1", "gpu2"]))
        #expect(lost.status == 502 && lost.shouldRetry == false && lost.message.contains("gpu1, gpu2"))
    }
}
