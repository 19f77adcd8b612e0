// The effective configuration as YAML: every key with its value, defaults included. Reads back to the
// same value. A secret never stands in it, only where it is read from.

extension Configuration {
    /// For `dragoman check`.
    public func effectiveText() -> String {
        var text = ""
        text += "listen: [\(listen.map { quoted(ListenWord.written($0)) }.joined(separator: ", "))]\n"
        switch workers {
        case .auto: text += "workers: auto\n"
        case .fixed(let count): text += "workers: \(count)\n"
        }
        text += "worker_slots: \(workerSlots)\n"
        switch access {
        case .loopback: text += "access: loopback\n"
        case .open: text += "access: open\n"
        case .keys(let secret): text += "access: {keys: \(written(secret))}\n"
        }
        text += "hosts: [\(hosts.map(quoted).joined(separator: ", "))]\n"
        text += "limits:\n"
        text += "  header: \(SizeWord.written(limits.header))\n"
        text += "  request_body: \(SizeWord.written(limits.requestBody))\n"
        text += timesText()
        text += "log:\n  level: \(log.level.name)\n  format: \(log.format.rawValue)\n"
        text += "proxy: \(proxy.map(quoted) ?? "null")\n"
        text += backends.isEmpty ? "backends: []\n" : "backends:\n" + backends.map(backendText).joined()
        text += models.isEmpty ? "models: []\n" : "models:\n"
        for rule in models {
            text += "  - match: \(quoted(rule.match))\n    use: \(quoted(rule.use))\n"
        }
        text += "balance: \(balance.rawValue)\n"
        return text
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
        var lines = [
            "name: \(quoted(backend.name))", "url: \(quoted(backend.url))", "type: \(backend.type.rawValue)",
            "priority: \(backend.priority)",
            "max_concurrent: \(backend.maxConcurrent.map(String.init) ?? "null")",
            "key: \(backend.key.map(written) ?? "null")", "dialect: \(backend.dialect.rawValue)",
            // Unquoted, `off` is false to other readers of YAML.
            "think_tags: \(backend.thinkTags == .off ? quoted("off") : backend.thinkTags.rawValue)",
            "text_calls: \(backend.textCalls == .auto ? "auto" : quoted(backend.textCalls.rawValue))",
            "history: \(backend.history.rawValue)",
            "tool_calls: \(backend.toolCalls.rawValue)",
        ]
        lines.append("hold_status: \(backend.holdStatus.map(TimeWord.written) ?? "null")")
        // Said only where they can be: for others they would be mistakes.
        if backend.mayBeOllama {
            switch backend.contextWindow {
            case .auto: lines.append("num_ctx: auto")
            case .tokens(let count): lines.append("num_ctx: \(count)")
            }
            switch backend.keepAlive {
            case .seconds(let count): lines.append("keep_alive: \(count)")
            case .time(let text): lines.append("keep_alive: \(quoted(text))")
            case nil: lines.append("keep_alive: null")
            }
        }
        return "  - " + lines.joined(separator: "\n    ") + "\n"
    }

    private func written(_ secret: Secret) -> String {
        switch secret {
        case .credential(let name): "{credential: \(quoted(name))}"
        case .file(let path): "{file: \(quoted(path))}"
        case .environment(let name): "{env: \(quoted(name))}"
        }
    }

    /// A double-quoted YAML scalar.
    private func quoted(_ text: String) -> String {
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
