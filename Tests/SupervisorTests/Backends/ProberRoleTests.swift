// Who asks the backends: one worker, and another one when it ends.

import Shared
import Testing

@testable import Supervisor

/// `3+ 5-`: worker 3 has the role from now on, 5 no more.
private func said(_ role: inout ProberRole) -> String {
    role.settle().map { "\($0.worker.life)\($0.isOn ? "+" : "-")" }.joined(separator: " ")
}

@Suite("Prober's role") struct ProberRoleTests {
    @Test("the oldest that serves has it, until it ends")
    func oldest() {
        var role = ProberRole()
        #expect(said(&role) == "")
        role.opened(5)
        role.opened(3)
        #expect(said(&role) == "3+" && said(&role) == "")
        // One that is older comes later: it stays where it is.
        role.opened(1)
        #expect(said(&role) == "")
        role.died(3)
        #expect(said(&role) == "1+")
        role.closed(1)
        #expect(said(&role) == "1- 5+")
        role.died(1)
        #expect(said(&role) == "")
        role.died(5)
        #expect(said(&role) == "" && role.worker == nil)
    }

    @Test("while all finish it stays, and moves on with a death")
    func draining() {
        var role = ProberRole()
        for worker in [0, 1, 2] as [WorkerID] { role.opened(worker) }
        #expect(said(&role) == "0+")
        for worker in [0, 1, 2] as [WorkerID] { role.closed(worker) }
        #expect(said(&role) == "")
        role.died(0)
        #expect(said(&role) == "1+")
        role.opened(7)
        #expect(said(&role) == "1- 7+")
        // Never opened: nobody.
        role.closed(9)
        role.died(7)
        #expect(said(&role) == "1+")
    }

    @Test("it is asked to look at a backend once a second, at each by itself")
    func looks() {
        var role = ProberRole()
        #expect(role.look(at: 0, at: 0) == nil)
        role.opened(4)
        _ = role.settle()
        #expect(role.look(at: 0, at: 0) == 4 && role.look(at: 0, at: .seconds(0.9)) == nil)
        #expect(role.look(at: 1, at: .seconds(0.9)) == 4)
        #expect(role.look(at: 0, at: .seconds(1)) == 4)
        // A successor is asked anew.
        role.opened(6)
        role.died(4)
        _ = role.settle()
        #expect(role.look(at: 0, at: .seconds(1)) == 6)
    }
}

@Suite("Limit of lines") struct LineLimitTests {
    @Test("twenty a minute and backend, then their number when the minute is over")
    func limit() {
        var limit = LineLimit()
        let admitted = (0..<1000).count { limit.admits(0, at: .seconds(Double($0) / 100)) }
        #expect(admitted == LineLimit.lines)
        let other = limit.admits(1, at: .seconds(9))
        #expect(other)
        #expect(limit.nextDeadline == .seconds(60) && limit.due(at: .seconds(59)).isEmpty)
        let due = limit.due(at: .seconds(60))
        #expect(due.map(\.backend) == [0] && due.map(\.kept) == [980])
        let again = limit.admits(0, at: .seconds(61))
        #expect(again && limit.nextDeadline == nil)
    }

    @Test("a minute without too many lines is forgotten when the next line comes")
    func quiet() {
        var limit = LineLimit()
        for minute in 0..<10 {
            let admitted = (0..<20).count { _ in limit.admits(0, at: .seconds(Double(minute) * 61)) }
            #expect(admitted == 20 && limit.nextDeadline == nil)
        }
    }
}
