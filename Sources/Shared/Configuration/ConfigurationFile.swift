// The configuration file, key by key: what each may be and what it becomes. Ranges and limits stand here
// and nowhere else. `Configuration.parse` is the one way in.

extension Configuration {
    /// Most entries of the lists in the file.
    public static let maximumBackends = 64
    public static let maximumModelRules = 256
    static let maximumListeners = 64
    static let maximumHosts = 64

    /// Reads a configuration file's text. `name` is the file's name as mistakes show it. Never traps,
    /// whatever the bytes; an empty text gives the defaults.
    /// - Parameters:
    ///   - overrides: what the command line says instead, judged by the same rules.
    ///   - secrets: whether secrets are to be found now; see `SecretCheck`.
    public static func parse(
        _ text: [UInt8], name: String, overrides: ConfigurationOverrides = .init(),
        secrets: SecretCheck = .skip
    ) -> ConfigurationResult {
        var reader = ConfigurationReader(source: name)
        var configuration = Configuration()
        do throws(YAMLFailure) {
            if let root = try YAMLReader.read(text), !root.isNull {
                reader.configuration(root, &configuration)
            }
        } catch {
            return .bad([Mistake(source: name, line: error.line, key: "", text: error.text)])
        }
        var mistakes = reader.mistakes
        let overridden = overrides.apply(to: &configuration, &mistakes)
        let unusable = secrets.problems(of: configuration).map { key, failure in
            (key: key, text: failure.description)
        }
        let rules = CrossRules(configuration).found + unusable
        for (key, text) in rules {
            if overridden.contains(where: { key.hasPrefix($0) }) {
                let option = "--" + key.prefix { $0 != "[" }
                mistakes.append(Mistake(source: "command line", line: nil, key: option, text: text))
            } else {
                mistakes.append(Mistake(source: name, line: reader.line(of: key), key: key, text: text))
            }
        }
        guard !mistakes.isEmpty else { return .good(configuration) }
        return .bad(Self.inOrder(mistakes, source: name))
    }

    private static func inOrder(_ mistakes: [Mistake], source: String) -> [Mistake] {
        let sorted = mistakes.enumerated().sorted { left, right in
            let (first, second) = (left.element.line ?? .max, right.element.line ?? .max)
            return first == second ? left.offset < right.offset : first < second
        }
        .map(\.element)
        guard sorted.count > maximumMistakes else { return sorted }
        let more = Mistake(
            source: source, line: nil, key: "", text: "and \(sorted.count - maximumMistakes) more mistakes")
        return sorted.prefix(maximumMistakes) + [more]
    }
}

/// What the command line says instead of the file.
public struct ConfigurationOverrides: Sendable, Equatable {
    /// `--listen ADDR`, as typed; empty = as the file says.
    public var listen: [String]
    /// `--workers N`, as typed.
    public var workers: String?

    public init(listen: [String] = [], workers: String? = nil) {
        self.listen = listen
        self.workers = workers
    }

    /// Those that a worker was handed.
    public init(inherited variable: (String) -> String?) {
        listen = (variable(Inherited.listenVariable) ?? "").split(separator: "\n").map(String.init)
        workers = variable(Inherited.workersVariable)
    }

    /// `NAME=value` for the workers of the generation. An address that was accepted holds no line end.
    public var variables: [String] {
        let workers = workers.map { "\(Inherited.workersVariable)=\($0)" }
        let listen =
            listen.isEmpty ? nil : "\(Inherited.listenVariable)=" + listen.joined(separator: "\n")
        return [listen, workers].compactMap { $0 }
    }

    /// Gives the keys it has overridden.
    fileprivate func apply(to configuration: inout Configuration, _ mistakes: inout [Mistake]) -> [String] {
        var keys: [String] = []
        func mistake(_ key: String, _ expected: String, _ found: String) {
            let text = "expected \(expected), found \(YAMLNode.shown(found))"
            mistakes.append(Mistake(source: "command line", line: nil, key: key, text: text))
        }
        if !listen.isEmpty {
            keys.append("listen")
            configuration.listen = listen.map { text in
                if let address = ListenWord.parse(text) { return address }
                mistake("--listen", ListenWord.expected, text)
                return .unix(path: "")
            }
        }
        if let workers {
            keys.append("workers")
            if let count = ConfigurationReader.workerCount(workers) {
                configuration.workers = count
            } else {
                mistake("--workers", ConfigurationReader.workersExpected, workers)
            }
        }
        return keys
    }
}

extension ConfigurationReader {
    static let workersExpected = "auto or 1…256"

    static func workerCount(_ text: String) -> Configuration.WorkerCount? {
        if text == "auto" { return .auto }
        guard let count = Digits.parse(text), (1...256).contains(count) else { return nil }
        return .fixed(count)
    }

    /// The line of a key, or of the nearest mapping around it that stands in the file.
    func line(of key: String) -> Int? {
        var path = key[...]
        while !path.isEmpty {
            if let line = lines[String(path)] { return line }
            guard let cut = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { return nil }
            path = path[..<cut]
        }
        return nil
    }

    mutating func configuration(_ root: YAMLNode, _ target: inout Configuration) {
        let keys =
            [
                "listen", "workers", "worker_slots", "access", "hosts", "limits", "timeouts", "supervision",
                "log", "proxy", "backends", "models",
            ] + Self.serviceKeys
        guard let top = section(root, "", keys: keys, what: "a mapping of keys") else { return }
        doors(top, &target)
        limits(top, &target)
        timeouts(top, &target.timeouts)
        supervision(top, &target.supervision)
        log(top, &target.log)
        target.backends = backends(top)
        target.models = models(top)
        service(top, &target.service)
    }

    private mutating func doors(_ top: Section, _ target: inout Configuration) {
        if let items = list("listen", in: top, limit: Configuration.maximumListeners, emptyAllowed: false) {
            // A bad one keeps its place, so that those after it keep their numbers in what is told.
            target.listen = items.map { path, node in
                text(node, at: path, expected: ListenWord.expected, accept: ListenWord.parse)
                    ?? .unix(path: "")
            }
        }
        if let node = top.values["workers"] {
            target.workers =
                text(node, at: "workers", expected: Self.workersExpected, accept: Self.workerCount) ?? .auto
        }
        if let slots = integer("worker_slots", in: top, 1...1_000_000) { target.workerSlots = slots }
        if let items = list("hosts", in: top, limit: Configuration.maximumHosts) {
            target.hosts = items.compactMap { path, node in
                text(node, at: path, expected: "a host name without port") { name in
                    URLWord.isHostName(name) || IPAddress.isV6(name) ? name.lowercased() : nil
                }
            }
        }
        if let node = top.values["access"] { access(node, &target.access) }
        if let node = top.values["proxy"], !node.isNull {
            target.proxy = url(node, at: "proxy", read: URLWord.proxy)
        }
    }

    private mutating func access(_ node: YAMLNode, _ target: inout Configuration.Access) {
        switch node.text {
        case "loopback": target = .loopback
        case "open": target = .open
        default:
            guard case .mapping(let pairs) = node.content, pairs.count == 1, let pair = pairs.first,
                pair.key == "keys"
            else {
                // What stands here by mistake may be a key.
                mistake(
                    "access", node.line,
                    "expected loopback, open, {keys: {credential: NAME}} or {keys: {file: PATH}}, "
                        + "found something else (not shown)")
                return
            }
            lines["access.keys"] = pair.line
            if let keys = secret(pair.value, at: "access.keys", kinds: ["credential", "file"]) {
                target = .keys(keys)
            }
        }
    }

    private mutating func limits(_ top: Section, _ target: inout Configuration) {
        guard let section = subsection("limits", in: top, keys: ["header", "request_body"]) else { return }
        if let size = size("header", in: section, 1024...1 << 20) { target.limits.header = size }
        if let size = size("request_body", in: section, 1024...1 << 30) { target.limits.requestBody = size }
    }

    private mutating func timeouts(_ top: Section, _ target: inout Configuration.Timeouts) {
        let keys: [(String, WritableKeyPath<Configuration.Timeouts, Duration>)] = [
            ("header", \.header), ("body", \.body), ("keepalive", \.keepalive), ("connect", \.connect),
            ("first_byte", \.firstByte), ("idle", \.idle), ("hold_status", \.holdStatus), ("drain", \.drain),
        ]
        guard let section = subsection("timeouts", in: top, keys: keys.map(\.0)) else { return }
        for (key, path) in keys {
            // Waiting not at all makes sense for the status and for draining only.
            let least: Duration = ["hold_status", "drain"].contains(key) ? .zero : .milliseconds(1)
            if let time = time(key, in: section, least...Self.longestTime) { target[keyPath: path] = time }
        }
    }

    static let longestTime = Duration.seconds(86_400)

    private mutating func supervision(_ top: Section, _ target: inout Configuration.Supervision) {
        let keys = ["heartbeat", "hung_after", "restart_delay_max"]
        guard let section = subsection("supervision", in: top, keys: keys) else { return }
        let hour = Duration.seconds(3600)
        if let time = time("heartbeat", in: section, .milliseconds(10)...hour) { target.heartbeat = time }
        if let time = time("hung_after", in: section, .milliseconds(20)...hour) { target.hungAfter = time }
        if let time = time("restart_delay_max", in: section, .milliseconds(1)...hour) {
            target.restartDelayMax = time
        }
    }

    private mutating func log(_ top: Section, _ target: inout Configuration.LogSettings) {
        guard let section = subsection("log", in: top, keys: ["level", "format"]) else { return }
        if let node = section.values["level"] {
            let names = LogLevel.allCases.map(\.name)
            let what = "one of " + names.joined(separator: ", ")
            target.level =
                text(node, at: "log.level", expected: what) { text in
                    LogLevel.allCases.first { $0.name == text }
                } ?? target.level
        }
        if let format = choice("format", in: section, of: Configuration.LogFormat.self) {
            target.format = format
        }
    }
}
