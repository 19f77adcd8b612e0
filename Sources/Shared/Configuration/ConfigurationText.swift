// The effective configuration as YAML: every key with its value, defaults included. Reads back to the
// same value. A secret never stands in it, only where it is read from.

extension Configuration {
    /// For `dragoman check`.
    public func effectiveText() -> String {
        var text = ""
        text +=
            "listen: [\(listen.map { YAMLText.quoted(ListenWord.written($0)) }.joined(separator: ", "))]\n"
        switch workers {
        case .auto: text += "workers: auto\n"
        case .fixed(let count): text += "workers: \(count)\n"
        }
        text += "worker_slots: \(workerSlots)\n"
        switch access {
        case .loopback: text += "access: loopback\n"
        case .open: text += "access: open\n"
        case .keys(let secret): text += "access: {keys: \(YAMLText.secret(secret))}\n"
        }
        text += "hosts: [\(hosts.map(YAMLText.quoted).joined(separator: ", "))]\n"
        text += "limits:\n"
        text += "  header: \(SizeWord.written(limits.header))\n"
        text += "  request_body: \(SizeWord.written(limits.requestBody))\n"
        text += timesText()
        text += "log:\n  level: \(log.level.name)\n  format: \(log.format.rawValue)\n"
        text += "proxy: \(proxy.map(YAMLText.quoted) ?? "null")\n"
        text += backends.isEmpty ? "backends: []\n" : "backends:\n" + backends.map(backendText).joined()
        text += models.isEmpty ? "models: []\n" : "models:\n"
        for rule in models {
            text += "  - match: \(YAMLText.quoted(rule.match))\n    use: \(YAMLText.quoted(rule.use))\n"
        }
        return text + serviceText()
    }

    private func timesText() -> String {
        let waits: [(String, Duration)] = [
            ("header", timeouts.header), ("body", timeouts.body), ("keepalive", timeouts.keepalive),
            ("connect", timeouts.connect), ("first_byte", timeouts.firstByte), ("idle", timeouts.idle),
            ("hold_status", timeouts.holdStatus), ("drain", timeouts.drain),
        ]
        let watch: [(String, Duration)] = [
            ("heartbeat", supervision.heartbeat), ("hung_after", supervision.hungAfter),
            ("restart_delay_max", supervision.restartDelayMax),
        ]
        func lines(_ times: [(String, Duration)]) -> String {
            times.map { "  \($0.0): \(TimeWord.written($0.1))\n" }.joined()
        }
        return "timeouts:\n" + lines(waits) + "supervision:\n" + lines(watch)
    }

    private func backendText(_ backend: Backend) -> String {
        let lines = BackendKey.all.compactMap { key in key.written(backend).map { "\(key.name): \($0)" } }
        return "  - " + lines.joined(separator: "\n    ") + "\n"
    }
}

/// Values as YAML that every reader takes for the same.
enum YAMLText {
    /// Unquoted, `on` and `off` are true and false to other readers of YAML.
    static func word(_ word: String) -> String { ["on", "off"].contains(word) ? quoted(word) : word }

    static func secret(_ secret: Configuration.Secret) -> String {
        switch secret {
        case .credential(let name): "{credential: \(quoted(name))}"
        case .file(let path): "{file: \(quoted(path))}"
        case .environment(let name): "{env: \(quoted(name))}"
        }
    }

    /// A double-quoted scalar.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            default:
                if (0x20...0x7e).contains(scalar.value) {
                    result.unicodeScalars.append(scalar)
                } else {
                    let hex = String(scalar.value, radix: 16)
                    result += "\\U" + String(repeating: "0", count: 8 - hex.count) + hex
                }
            }
        }
        return result + "\""
    }
}

extension LogLevel {
    /// As the configuration and the log lines write it.
    public var name: String {
        switch self {
        case .error: "error"
        case .warning: "warning"
        case .notice: "notice"
        case .info: "info"
        case .debug: "debug"
        }
    }
}
