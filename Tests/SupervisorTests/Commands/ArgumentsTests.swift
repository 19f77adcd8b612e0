// The command line: what is understood, and what is refused with which words.

import Testing

@testable import Supervisor

@Suite("Command line") struct ArgumentTests {
    private static func serve(
        _ configuration: String? = nil, _ listen: [String] = [], _ workers: String? = nil
    ) -> Command {
        .serve(configuration: configuration, listen: listen, workers: workers)
    }

    static let good: [([String], Command)] = [
        ([], serve()), (["serve"], serve()),
        (["--listen", "a:1", "--listen=b:2"], serve(nil, ["a:1", "b:2"])),
        (["serve", "--config", "f", "--workers=3"], serve("f", [], "3")),
        (["check", "--config=/x=y"], .check(configuration: "/x=y")), (["check"], .check(configuration: nil)),
        (["status"], .status(json: false)), (["status", "--json"], .status(json: true)),
        (["--version"], .version), (["serve", "--help"], .help), (["-h"], .help), (["help"], .help),
        (["-v"], .version), (["help", "serve"], .help),
        (["check", "/etc/f"], .check(configuration: "/etc/f")),
        (["translate", "--help", "-"], .translate(["--help", "-"])), (["translate"], .translate([])),
    ]

    @Test("what is understood", arguments: good)
    func understood(arguments: [String], command: Command) throws {
        #expect(try Command.parse(arguments) == command)
    }

    static let bad: [([String], String)] = [
        (["reload"], "not supported in this version"), (["doctor"], "not supported in this version"),
        (["dance"], "unknown command `dance`"), (["stauts"], "did you mean `status`?"),
        (["--listen"], "needs a value"), (["--frobnicate"], "unknown option `--frobnicate` for `serve`"),
        (["status", "--config", "x"], "unknown option `--config` for `status`"),
        (["serve", "extra"], "unknown argument `extra` for `serve`"),
        (["--config", "a", "--config", "b"], "twice"), (["status", "--json=yes"], "unknown argument `=yes`"),
        (["--workers", "1", "--workers", "2"], "twice"), (["check", "a", "b"], "one file"),
        (["check", "--config", "a", "b"], "one file"), (["help", "dance"], "unknown argument"),
    ]

    @Test("what is refused, and why", arguments: bad)
    func refused(arguments: [String], reason: String) throws {
        let mistake = #expect(throws: UsageMistake.self) { try Command.parse(arguments) }
        #expect(mistake?.text.contains(reason) == true, "\(mistake?.text ?? "")")
    }

    @Test("the help fits into a terminal")
    func help() { #expect(Command.usage.split(separator: "\n").allSatisfy { $0.count <= Wording.width }) }
}
