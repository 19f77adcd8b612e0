// `dragoman`: the command line leads to a command, its result to the exit status.

import CSystem
import Glibc
import Shared

/// Exit statuses, as in sysexits.h.
enum ExitStatus {
    static let success: Int32 = 0
    static let failure: Int32 = 1
    static let usage: Int32 = 64
    static let unavailable: Int32 = 69
    static let osError: Int32 = 71
    static let configuration: Int32 = 78
}

@main
enum SupervisorMain {
    static func main() {
        cs_keep_secrets()
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    private static func run(_ arguments: [String]) -> Int32 {
        do throws(UsageMistake) {
            switch try Command.parse(arguments) {
            case .serve(let configuration, let listen, let workers):
                return ServeCommand.run(
                    configuration, ConfigurationOverrides(listen: listen, workers: workers))
            case .check(let configuration): return CheckCommand.run(configuration)
            case .status(let json): return StatusCommand.run(json: json)
            case .translate(let words): return translate(words)
            case .version:
                say("dragoman \(dragomanVersion)")
                return ExitStatus.success
            case .help:
                say(Command.usage)
                return ExitStatus.success
            }
        } catch {
            complain("\(error.text) (see `dragoman --help`)")
            return ExitStatus.usage
        }
    }

    /// The worker's own command, found without knowing where its program lies.
    private static func translate(_ words: [String]) -> Int32 {
        guard let executable = WorkerPlan.findExecutable() else {
            complain("dragoman-worker is neither beside this program nor in ../libexec/dragoman")
            return ExitStatus.unavailable
        }
        let all = ["dragoman-worker", "translate"] + words
        var arguments: [UnsafeMutablePointer<CChar>?] = all.map { strdup($0) } + [nil]
        execv(executable, &arguments)
        complain("\(executable): \(errorText(errno))")
        return ExitStatus.osError
    }
}

/// A line for stdout, of commands that end; the daemon itself never calls this.
func say(_ text: String) { put(text, STDOUT_FILENO) }

/// A line for stderr, before there is a log or of commands that end.
func complain(_ text: String) { complainPlainly("dragoman: " + text) }

/// The same without the program's name.
func complainPlainly(_ text: String) { put(StandardError.asError(text), STDERR_FILENO) }

private func put(_ text: String, _ descriptor: Int32) {
    var rest = Array((text.hasSuffix("\n") ? text : text + "\n").utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 || errno == EINTR else { return }
        rest = rest.dropFirst(max(count, 0))
    }
}
