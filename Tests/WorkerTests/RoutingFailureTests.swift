// What clients are told when their requests go nowhere.

import Routing
import Testing
import Translation

@testable import Worker

@Suite struct RoutingFailureTests {
    @Test func toldToClients() {
        let unknown = RoutingFailure.unknownModel(String(repeating: "x", count: 500), .nearest("alpha"))
            .clientError
        #expect(unknown.status == 404 && unknown.kind == .notFound && unknown.shouldRetry == false)
        #expect(unknown.message.count < 200 && unknown.message.hasSuffix("; the nearest is alpha."))
        let some = RoutingFailure.unknownModel("x", .some(["a1", "b2", "c3", "d4", "e5"], more: true))
            .clientError
        #expect(some.message == "model: x is not known; some of those available are a1, b2, c3, d4, e5.")
        #expect(
            RoutingFailure.unknownModel("gpt-4o", .some(["demo"], more: false)).clientError.message
                == "model: gpt-4o is not known; available is demo.")
        let nothing = RoutingFailure.nothingToServe(isConfigured: true).clientError
        #expect(nothing.status == 529 && nothing.kind == .overloaded && nothing.retryAfter == 5)
        #expect(nothing.shouldRetry == nil)
        let empty = RoutingFailure.noModels(["hf"]).clientError
        #expect(
            empty.status == 404 && empty.shouldRetry == false
                && empty.message.contains("the backend hf answers but lists no models"))
        let lost = RoutingFailure.lost(["gpu1", "gpu2"]).clientError
        #expect(lost.status == 502 && lost.shouldRetry == false && lost.message.contains("gpu1, gpu2"))
    }
}
