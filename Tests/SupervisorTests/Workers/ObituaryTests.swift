// What is said of a worker that has ended.

import Shared
import Testing

@testable import Supervisor

@Suite("Obituary") struct ObituaryTests {
    @Test("signals have their names")
    func signals() {
        #expect(signalName(9) == "SIGKILL")
        #expect(signalName(11) == "SIGSEGV")
        #expect(signalName(40) == "signal 40")
    }

    @Test("when the successor starts")
    func restartText() {
        func text(_ restart: Duration?) -> String {
            Obituary(
                worker: 0, number: 0, pid: 1, age: .zero, served: 0, connections: 0, ending: .signalled(9),
                killedFor: nil, restart: restart, wasClean: false
            ).restartText
        }
        #expect(text(.zero) == "now")
        #expect(text(.milliseconds(400)) == "in 400ms")
        #expect(text(nil) == "never")
    }
}
