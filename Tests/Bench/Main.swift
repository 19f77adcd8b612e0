// dragoman-bench: a mock backend, a load generator and the suite that measures Dragoman with both,
// beside nginx and the bare mock. Not installed. Each role is one process with one thread; what
// it costs itself must stay small against what it measures.

import Glibc

@main
enum Bench {
    static func main() {
        var words = Array(CommandLine.arguments.dropFirst())
        // Options without a command are the suite's: that is what `make bench` runs.
        var command = "suite"
        if let first = words.first, !first.hasPrefix("--") || first == "--help" {
            command = words.removeFirst()
        }
        do {
            switch command {
            case "mock": try MockServer.run(Options(words))
            case "load": try LoadCommand.run(Options(words))
            case "suite": try Suite.run(Options(words))
            case "--help", "-h", "help": print(usage)
            default: fail("unknown command \(command)\n\(usage)")
            }
        } catch {
            fail("dragoman-bench \(command): \(error)")
        }
    }

    static let usage = """
        usage: dragoman-bench mock  [--port N]
               dragoman-bench load  --target NAME=API@PORT … [--mode closed|once|open|alternate]
                                    [--connections N] [--seconds S] [--rate R] [--ramp S] [--requests N]
                                    [--tokens N] [--delay-ms N] [--first-ms N] [--per-write N] [--whole] [--spoil 1|2|3]
                                    [--size BYTES] [--timeout S] [--out FILE]
               dragoman-bench [suite] [--dragoman PATH] [--nginx PATH] [--only PHASE,…] [--streams N]
                                    [--results FOLDER] [--quick]
        API is anthropic or openai. A directive for the mock can stand in the last user message:
        [[bench tokens=100 delay_ms=50 first_ms=0 per_write=1 id=7]]
        """

    static func fail(_ text: String) -> Never {
        writeError(text + "\n")
        exit(2)
    }
}

struct BenchError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }

    /// The last system call's failure, named.
    static func system(_ what: String) -> BenchError {
        BenchError("\(what): \(String(cString: strerror(errno)))")
    }
}
