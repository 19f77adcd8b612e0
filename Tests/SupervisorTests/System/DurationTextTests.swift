// Durations for people.

import Testing

@testable import Supervisor

@Suite("Durations") struct DurationTextTests {
    static let ages: [(Duration, String)] = [
        (.zero, "0s"), (.milliseconds(850), "850ms"), (.seconds(59), "59s"), (.seconds(61), "1m01s"),
        (.seconds(11_520), "3h12m"), (.seconds(90_000), "1d01h"), (.seconds(-5), "0s"),
    ]

    @Test("durations for people", arguments: ages)
    func brief(duration: Duration, text: String) { #expect(duration.brief == text) }
}
