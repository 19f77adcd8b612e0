// What is wrong with a configuration, in the operator's words, and the rules between keys. All mistakes
// of a file are collected and told at once, in the order of its lines.

/// One mistake: `file:line: key: expected …, found …`.
public struct Mistake: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file's name, or `command line`.
    public var source: String
    /// 1…; nil when there is no line to point at.
    public var line: Int?
    /// Such as `timeouts.idle` or `backends[0].url`; "" = the whole file.
    public var key: String
    public var text: String

    public init(source: String, line: Int?, key: String, text: String) {
        self.source = source
        self.line = line
        self.key = key
        self.text = text
    }

    public var description: String {
        let place = line.map { "\(source):\($0)" } ?? source
        return key.isEmpty ? "\(place): \(text)" : "\(place): \(key): \(text)"
    }
}

public enum ConfigurationResult: Sendable {
    case good(Configuration)
    /// At least one, at most `Configuration.maximumMistakes` and a last one that counts the others.
    case bad([Mistake])
}

/// The rules that need more than one key.
struct CrossRules {
    let configuration: Configuration
    private(set) var found: [(key: String, text: String)] = []

    init(_ configuration: Configuration) {
        self.configuration = configuration
        access()
        supervision()
        backends()
        models()
        breaker()
    }

    private mutating func breaker() {
        let breaker = configuration.service.breaker
        guard breaker.openMax < breaker.open else { return }
        found.append(
            (
                "breaker.open_max",
                "expected at least `open` (\(TimeWord.written(breaker.open))), "
                    + "found \(TimeWord.written(breaker.openMax))"
            ))
    }

    private mutating func access() {
        guard configuration.access == .loopback else { return }
        for (index, address) in configuration.listen.enumerated() where !address.isLoopback {
            found.append(
                (
                    "listen[\(index)]",
                    "expected a loopback address or unix: path under `access: loopback` (the default; "
                        + "set `access: {keys: …}` or `access: open` in the configuration file to listen on "
                        + "others), found \(ListenWord.written(address))"
                ))
        }
    }

    private mutating func supervision() {
        let values = configuration.supervision
        if values.hungAfter < values.heartbeat * 2 {
            found.append(
                (
                    "supervision.hung_after",
                    "expected at least two heartbeats (\(TimeWord.written(values.heartbeat * 2))), "
                        + "found \(TimeWord.written(values.hungAfter))"
                ))
        }
    }

    private mutating func backends() {
        var names: [String: Int] = [:]
        for (index, backend) in configuration.backends.enumerated() where !backend.name.isEmpty {
            if let first = names[backend.name.lowercased()] {
                found.append(
                    (
                        "backends[\(index)].name",
                        "duplicate name \(backend.name) (already used by backends[\(first)])"
                    ))
            } else {
                names[backend.name.lowercased()] = index
            }
        }
    }

    /// `use: Qwen/Qwen3-8B` may be a model's own name, so only a prefix that looks like a misspelt
    /// backend is a mistake.
    private mutating func models() {
        let names = configuration.backends.map(\.name).filter { !$0.isEmpty }
        var matches: [String: Int] = [:]
        for (index, rule) in configuration.models.enumerated() where !rule.match.isEmpty {
            if let first = matches[rule.match.lowercased()] {
                found.append(
                    (
                        "models[\(index)].match",
                        "duplicate pattern \(YAMLNode.shown(rule.match)) (models[\(first)] always matches first)"
                    ))
            } else {
                matches[rule.match.lowercased()] = index
            }
            guard let slash = rule.use.firstIndex(of: "/") else { continue }
            let prefix = String(rule.use[..<slash])
            guard !names.contains(where: { $0.lowercased() == prefix.lowercased() }),
                let near = Nearest.name(to: prefix, among: names)
            else { continue }
            found.append(
                (
                    "models[\(index)].use",
                    "expected a backend's name before the slash (nearest: \(near)), "
                        + "found \(YAMLNode.shown(prefix))"
                ))
        }
    }
}

extension Configuration {
    /// More are counted, not told.
    public static let maximumMistakes = 100

    /// What the operator should know although it is no mistake; for `check` and the log at start.
    public var notes: [String] {
        var notes: [String] = []
        for backend in backends
        where backend.type == .ollama && [.openai, .anthropic].contains(backend.dialect) {
            notes.append(Self.ollamaNote(backend.name))
        }
        if access == .open {
            notes.append("access is open: whoever reaches the listening address may use the backends")
        }
        return notes
    }

    /// What only `check` says: probably meant as it stands, but worth a look.
    public var hints: [String] {
        var hints: [String] = []
        if listen != Configuration().listen {
            hints.append("listen is ignored under systemd, where dragoman.socket has the address")
        }
        let names = Set(backends.map { $0.name.lowercased() })
        for (index, rule) in models.enumerated() where !names.isEmpty {
            guard let slash = rule.use.firstIndex(of: "/") else { continue }
            let prefix = rule.use[..<slash]
            guard !names.contains(prefix.lowercased()) else { continue }
            hints.append(
                "models[\(index)].use: no backend is called \(YAMLNode.shown(String(prefix))), so "
                    + "\(YAMLNode.shown(rule.use)) is taken for a model's own name")
        }
        return hints
    }

    /// Ollama cuts prompts beyond its context window without a word over `/v1`, and the window cannot be
    /// set per request there (ollama#3839).
    public static func ollamaNote(_ name: String) -> String {
        "backend \(name): Ollama silently truncates prompts beyond its context window, which its /v1 cannot set; "
            + "leave `dialect` out, or set OLLAMA_CONTEXT_LENGTH there (64k or more for Claude Code)"
    }
}
