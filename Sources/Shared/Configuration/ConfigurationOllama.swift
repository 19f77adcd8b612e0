// The keys of a backend that only Ollama's own dialect can carry.

internal import BackendSettings

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
    mutating func contextWindow(_ node: YAMLNode, at path: String) -> Configuration.ContextWindow? {
        let expected = "auto or \(OllamaWord.window.lowerBound)…\(OllamaWord.window.upperBound)"
        return text(node, at: path, expected: expected, accept: OllamaWord.contextWindow)
    }

    mutating func keepAlive(_ node: YAMLNode, at path: String) -> ConversionSettings.KeepAlive? {
        text(
            node, at: path, expected: "a time such as 10m, seconds, -1 (for ever) or null",
            accept: OllamaWord.keepAlive)
    }

    mutating func belongsToOllama(_ key: String, _ node: YAMLNode, _ section: Section) {
        mistake(
            section.path(of: key), node.line,
            "expected nothing here (only Ollama's own dialect takes \(key)), found \(node.found)")
    }
}

/// The words of these keys, both ways.
enum OllamaWord {
    static let window = 512...16_777_216
    /// Ten years, in seconds.
    private static let longestKeepAlive = 315_360_000

    static func contextWindow(_ text: String) -> Configuration.ContextWindow? {
        if text == "auto" { return .auto }
        guard let count = Digits.parse(text), window.contains(count) else { return nil }
        return .tokens(count)
    }

    static func written(_ window: Configuration.ContextWindow) -> String {
        switch window {
        case .auto: "auto"
        case .tokens(let count): String(count)
        }
    }

    /// Ollama reads numbers as seconds and texts as Go does: units from hours down to microseconds.
    static func keepAlive(_ text: String) -> ConversionSettings.KeepAlive? {
        if text == "-1" { return .seconds(-1) }
        if let seconds = Digits.parse(text) {
            return seconds <= longestKeepAlive ? .seconds(seconds) : nil
        }
        guard let time = TimeWord.parse(text), !text.contains("d"),
            time <= .seconds(longestKeepAlive)
        else { return nil }
        return .time(text)
    }

    static func written(_ time: ConversionSettings.KeepAlive) -> String {
        switch time {
        case .seconds(let count): String(count)
        case .time(let text): YAMLText.quoted(text)
        }
    }
}
