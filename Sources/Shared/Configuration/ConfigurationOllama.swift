// The keys of a backend that only Ollama's own dialect can carry.

extension Configuration.Backend {
    /// Whether it is, or may turn out to be, spoken to in Ollama's own dialect.
    public var mayBeOllama: Bool {
        switch (type, dialect) {
        case (.ollama, .auto), (.auto, .auto): true
        case (.ollama, .ollama), (.auto, .ollama), (.openaiCompatible, .ollama): true
        default: false
        }
    }
}

extension ConfigurationReader {
    private static let window = 512...16_777_216
    /// Ten years, in seconds.
    private static let longestKeepAlive = 315_360_000

    mutating func ollama(_ section: Section, _ backend: inout Configuration.Backend) {
        if let node = section.values["num_ctx"], belongs("num_ctx", node, section, backend) {
            let expected = "auto or \(Self.window.lowerBound)…\(Self.window.upperBound)"
            let read = text(node, at: section.path(of: "num_ctx"), expected: expected, accept: Self.window)
            backend.contextWindow = read ?? .auto
        }
        if let node = section.values["keep_alive"], !node.isNull,
            belongs("keep_alive", node, section, backend)
        {
            backend.keepAlive = text(
                node, at: section.path(of: "keep_alive"),
                expected: "a time such as 10m, seconds, -1 (for ever) or null", accept: Self.keepAlive)
        }
    }

    private mutating func belongs(
        _ key: String, _ node: YAMLNode, _ section: Section, _ backend: Configuration.Backend
    ) -> Bool {
        guard !backend.mayBeOllama else { return true }
        mistake(
            section.path(of: key), node.line,
            "expected nothing here (only Ollama's own dialect takes \(key)), found \(node.found)")
        return false
    }

    private static func window(_ text: String) -> Configuration.ContextWindow? {
        if text == "auto" { return .auto }
        guard let count = Digits.parse(text), window.contains(count) else { return nil }
        return .tokens(count)
    }

    /// Ollama reads numbers as seconds and texts as Go does: units from hours down to microseconds.
    private static func keepAlive(_ text: String) -> Configuration.KeepAlive? {
        if text == "-1" { return .seconds(-1) }
        if let seconds = Digits.parse(text) {
            return seconds <= longestKeepAlive ? .seconds(seconds) : nil
        }
        guard let time = TimeWord.parse(text), !text.contains("d"),
            time <= .seconds(longestKeepAlive)
        else { return nil }
        return .time(text)
    }
}
