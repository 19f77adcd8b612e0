// When each control message is permitted, as a table: whoever changes a line changes the contract.

import Testing

@testable import Shared

@Suite("Permissions") struct WorkerPhaseTests {
    static let table = """
                                   greeting welcomed serving draining drained ending
        from the supervisor
          welcome                  x        .        .       .        .       .
          connection               .        .        x       .        .       .
          peek                     .        .        x       .        .       .
          unpeek                   .        .        x       x        x       .
          closeIdle                .        .        x       x        x       .
          ping                     x        x        x       x        x       .
          drain                    .        .        x       .        .       .
          observation              .        x        x       x        x       .
          capabilitiesInvalidated  .        x        x       x        x       .
          cut                      .        .        x       x        x       .
          backend                  .        x        x       x        x       .
          listing                  .        x        x       x        x       .
          condition                .        x        x       x        x       .
          modelCondition           .        x        x       x        x       .
          granted                  .        .        x       x        x       .
          refused                  .        .        x       x        x       .
          superseded               .        .        x       x        x       .
          probe                    .        x        x       x        x       .
          status                   .        .        x       x        x       .
          look                     .        x        x       x        x       .
          searched                 .        x        x       x        x       .
        from the worker
          hello                    x        .        .       .        .       .
          ready                    .        x        .       .        .       .
          accepted                 .        .        x       x        .       x
          released                 .        .        x       x        .       x
          peeked                   .        .        x       x        .       x
          pong                     .        x        x       x        x       .
          drained                  .        .        .       x        .       .
          observation              .        x        x       x        x       .
          capabilitiesInvalidated  .        x        x       x        x       .
          admit                    .        .        x       x        .       .
          notices                  .        .        x       x        x       .
          checked                  .        x        x       x        x       .
          listing                  .        x        x       x        x       .
          discovered               .        x        x       x        x       .
          askStatus                .        .        x       x        .       .
          searched                 .        x        x       x        x       .
        """

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 1))
    }

    private static func row(_ name: String, _ phases: WorkerPhases) -> String {
        var line = padded("  \(name)", 27)
        for phase in WorkerPhase.allCases {
            line += padded(phases.contains(WorkerPhases(phase)) ? "x" : ".", "\(phase)".count + 1)
        }
        return line
    }

    private static func trimmed(_ line: some StringProtocol) -> String {
        String(line.reversed().drop { $0 == " " }.reversed())
    }

    @Test("the table of permissions")
    func golden() {
        var lines = [
            String(repeating: " ", count: 27) + WorkerPhase.allCases.map { "\($0)" }.joined(separator: " ")
        ]
        lines.append("from the supervisor")
        lines += SupervisorMessage.Kind.allCases.map { Self.row("\($0)", $0.phases) }
        lines.append("from the worker")
        lines += WorkerMessage.Kind.allCases.map { Self.row("\($0)", $0.phases) }
        #expect(lines.map(Self.trimmed) == Self.table.split(separator: "\n").map(Self.trimmed))
    }

    @Test("a message is permitted where its kind is")
    func messages() {
        #expect(WorkerMessage.accepted(id: 1).isPermitted(in: .ending))
        #expect(!WorkerMessage.askStatus(token: 1).isPermitted(in: .ending))
        #expect(SupervisorMessage.cut.isPermitted(in: .draining))
        #expect(!SupervisorMessage.drain.isPermitted(in: .draining))
    }
}
