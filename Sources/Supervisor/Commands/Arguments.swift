// The command line. Pure. Holds: what is not understood is refused with a reason (exit 64), never passed
// over.

import Shared

enum Command: Equatable, Sendable {
    case serve(configuration: String?, listen: [String], workers: String?)
    case check(configuration: String?)
    case status(json: Bool)
    /// What stands behind `translate`; the worker judges it.
    case translate([String])
    case version
    case help

    static let usage = """
        usage: dragoman [serve] [--config FILE] [--listen ADDR]… [--workers N]
               dragoman check [FILE | --config FILE]
               dragoman status [--json]
               dragoman translate --from anthropic --to openai|ollama [FILE]
               dragoman --version | --help

        serve      (default) supervise workers that answer Messages API requests with
                   local models
        check      report every mistake in the configuration, or print what is in effect
        status     ask the running daemon: workers, connections, backends
        translate  print the request a backend would receive; nothing is sent

        The configuration is the first of --config, $DRAGOMAN_CONFIG,
        /etc/dragoman/dragoman.yaml and the built-in defaults (127.0.0.1:8484, backends
        on their usual ports). ADDR is host:port, a port of 127.0.0.1, [::1]:port or
        unix:/path, and may be repeated; N is 1…256 or auto. Sockets passed by systemd
        take precedence over ADDR.

        """

    private static let commands = ["serve", "check", "status", "translate", "help", "version"]
    /// Commands that are known but belong to later versions.
    private static let later = ["reload", "doctor", "claude", "env", "models", "watch"]

    /// The command in `arguments` (without the program's name).
    static func parse(_ arguments: [String]) throws(UsageMistake) -> Command {
        var words = Words(arguments[...])
        guard let first = words.peek, !first.hasPrefix("-") else { return try options(of: "serve", &words) }
        words.skip()
        guard !later.contains(first) else {
            throw UsageMistake("`\(first)` is not supported in this version")
        }
        guard commands.contains(first) else {
            let near = Nearest.name(to: first, among: commands).map { ": did you mean `\($0)`?" } ?? ""
            throw UsageMistake("unknown command `\(first)`\(near)")
        }
        if first == "translate" { return .translate(Array(arguments.dropFirst())) }
        return try options(of: first, &words)
    }

    private static func options(of command: String, _ words: inout Words) throws(UsageMistake) -> Command {
        var configuration: String?
        var listen: [String] = []
        var workers: String?
        var json = false
        while let option = words.next() {
            switch (option, command) {
            case ("--help", _), ("-h", _): return .help
            case ("--version", _), ("-V", _), ("-v", _): return .version
            case ("--config", "serve"), ("--config", "check"):
                guard configuration == nil else { throw UsageMistake("--config is given twice") }
                configuration = try words.value(of: option)
            case (let file, "check") where !file.hasPrefix("-") && !file.hasPrefix("="):
                guard configuration == nil else { throw UsageMistake("`check` takes one file") }
                configuration = file
            case ("--listen", "serve"): listen.append(try words.value(of: option))
            case ("--workers", "serve"):
                guard workers == nil else { throw UsageMistake("--workers is given twice") }
                workers = try words.value(of: option)
            case ("--json", "status"): json = true
            // There is one help for all of them.
            case (let word, "help") where commands.contains(word): break
            default:
                let kind = option.hasPrefix("-") ? "option" : "argument"
                throw UsageMistake("unknown \(kind) `\(option)` for `\(command)`")
            }
        }
        switch command {
        case "check": return .check(configuration: configuration)
        case "status": return .status(json: json)
        case "help": return .help
        case "version": return .version
        default: return .serve(configuration: configuration, listen: listen, workers: workers)
        }
    }
}

struct UsageMistake: Error, Equatable {
    let text: String

    init(_ text: String) { self.text = text }
}

/// Words of a command line; `--name=value` counts as two.
private struct Words {
    private var rest: ArraySlice<String>
    private var attached: String?

    init(_ rest: ArraySlice<String>) { self.rest = rest }

    var peek: String? { rest.first }

    mutating func skip() { rest = rest.dropFirst() }

    mutating func next() -> String? {
        guard attached == nil else { return attached.map { "=" + $0 } }
        guard let word = rest.popFirst() else { return nil }
        guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else { return word }
        attached = String(word[word.index(after: equals)...])
        return String(word[..<equals])
    }

    mutating func value(of option: String) throws(UsageMistake) -> String {
        if let value = attached {
            attached = nil
            return value
        }
        guard let value = rest.popFirst() else { throw UsageMistake("\(option) needs a value") }
        return value
    }
}
