// When the successor of a worker starts.

import Testing

@testable import Supervisor

@Suite("Restart policy") struct RestartPolicyTests {
    @Test("a worker that had served is followed at once, however often")
    func proven() {
        var policy = RestartPolicy(maximum: .seconds(30))
        for _ in 0..<50 { #expect(policy.ended(proven: true) == .zero) }
    }

    @Test("one that dies before serving is followed after a delay that doubles up to the limit, for ever")
    func doubling() {
        var policy = RestartPolicy(maximum: .seconds(30))
        let milliseconds = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]
        #expect(
            milliseconds.map { _ in policy.ended(proven: false) } == milliseconds.map { .milliseconds($0) })
        for _ in 0..<1000 { #expect(policy.ended(proven: false) == .seconds(30)) }
    }

    @Test("a life that served wipes the slate")
    func wiped() {
        var policy = RestartPolicy(maximum: .seconds(30))
        for _ in 0..<5 { _ = policy.ended(proven: false) }
        #expect(policy.ended(proven: true) == .zero)
        #expect(policy.ended(proven: false) == .milliseconds(100))
    }

    @Test("a limit below the first delay holds too")
    func lowLimit() {
        var policy = RestartPolicy(maximum: .milliseconds(10))
        #expect(policy.ended(proven: false) == .milliseconds(10))
    }
}
