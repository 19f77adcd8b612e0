// Which worker gets a connection, and which close idle ones.

import Shared
import Testing

@testable import Supervisor

@Suite("Dispatch") struct DispatchTests {
    private static func candidate(
        _ worker: WorkerID, free: Int, unacknowledged: Int = 0, idle: Int = 0, quiet: Bool = false
    ) -> Candidate {
        Candidate(worker: worker, free: free, unacknowledged: unacknowledged, idle: idle, isQuiet: quiet)
    }

    static let choices: [([Candidate], WorkerID?)] = [
        ([], nil),
        ([candidate(0, free: 0), candidate(1, free: 0)], nil),
        ([candidate(0, free: 3), candidate(1, free: 5), candidate(2, free: 4)], 1),
        ([candidate(2, free: 5), candidate(0, free: 5), candidate(1, free: 5)], 0),
        ([candidate(0, free: 5, unacknowledged: 2), candidate(1, free: 5, unacknowledged: 1)], 1),
        ([candidate(0, free: 900, quiet: true), candidate(1, free: 1)], 1),
        ([candidate(0, free: 900, quiet: true), candidate(1, free: 0)], 0),
        ([candidate(0, free: 900, unacknowledged: Dispatch.maximumUnacknowledged)], nil),
        ([candidate(0, free: 900, unacknowledged: 64), candidate(1, free: 1)], 1),
    ]

    @Test("the most room wins; never none, never one that swallows", arguments: choices)
    func choose(candidates: [Candidate], expected: WorkerID?) {
        #expect(Dispatch.choose(among: candidates) == expected)
    }

    @Test("idle connections are asked for where they are known, then of everybody, never of a quiet worker")
    func closingIdle() {
        let workers = [
            Self.candidate(0, free: 0, idle: 2), Self.candidate(1, free: 0, idle: 7),
            Self.candidate(2, free: 0), Self.candidate(3, free: 0, idle: 9, quiet: true),
        ]
        #expect(
            Dispatch.closingIdle(10, among: workers).map { [Int($0.worker.life), $0.count] } == [
                [1, 7], [0, 2], [2, 1],
            ])
        #expect(Dispatch.closingIdle(3, among: workers).map { [Int($0.worker.life), $0.count] } == [[1, 3]])
        #expect(Dispatch.closingIdle(0, among: workers).isEmpty)
    }
}
