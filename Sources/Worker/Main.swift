// dragoman-worker: to serve it is started by the supervisor, never by hand. Reads its configuration, greets,
// serves the connections it is given, and ends when it is told to or when its supervisor is gone. By hand:
// `translate`, `count`.

internal import CSystem
internal import EventLoop
internal import Glibc
internal import Shared

@main
enum WorkerMain {
    /// As EX_USAGE and EX_CONFIG of sysexits.h.
    private static let usage: Int32 = 64
    private static let badConfiguration: Int32 = 78
    private static let noLoop: Int32 = 71
    /// Kept by the allocator between two exchanges, in bytes; given back when the worker is quiet.
    private static let keptMemory: Int32 = 4 << 20

    static func main() {
        cs_keep_secrets()
        let words = Array(CommandLine.arguments.dropFirst())
        switch words {
        case []: serve()
        case ["--help"], ["-h"], ["help"]: print(help)
        case ["--version"]: print("dragoman-worker \(dragomanVersion)")
        case _ where words.first == "translate": TranslateCommand.run(Array(words.dropFirst()))
        case _ where words.first == "count": CountCommand.run(Array(words.dropFirst()))
        default:
            end(
                "dragoman-worker: unknown argument (see --help); to serve, start `dragoman` instead",
                usage)
        }
    }

    private static let help = """
        dragoman-worker is started by `dragoman` to serve. By hand:
        \(TranslateArguments.usage)
        \(CountCommand.usage)
        usage: dragoman-worker --version | --help
        """

    private static func serve() {
        let ignored = [SIGPIPE, SIGINT, SIGTERM, SIGHUP] + [SIGTTOU, SIGTTIN, SIGTSTP]
        for signal in ignored + [SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPOLL, SIGPWR] {
            // The supervisor decides when a worker ends; a signal to the whole terminal or unit must not, nor
            // a terminal that stops who writes to it from the background.
            _ = Glibc.signal(signal, SIG_IGN)
        }
        for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGQUIT] {
            // Dies at once, so that its clients learn of it and a successor starts: the runtime's backtracer
            // would hold their connections for seconds.
            _ = Glibc.signal(signal, SIG_DFL)
        }
        guard let inheritance = Inheritance.adopted() else {
            end(
                "dragoman-worker is started by `dragoman`, not by hand: no control channel on descriptor 3",
                usage)
        }
        let start: WorkerStart
        switch inheritance.prepared() {
        case .good(let good): start = good
        case .bad(let mistakes):
            end(mistakes.map(\.description).joined(separator: "\n"), badConfiguration)
        }
        cs_keep_memory(keptMemory)
        LoopExecutor.takeOverProcess()
        do throws(LoopError) {
            try LoopExecutor.shared.run { await start.run() }
        } catch {
            end("dragoman-worker: no event loop: \(error)", noLoop)
        }
    }

    private static func end(_ message: String, _ status: Int32) -> Never {
        let text = StandardError.asError(message) + "\n"
        _ = write(STDERR_FILENO, text, text.utf8.count)
        exit(status)
    }
}
