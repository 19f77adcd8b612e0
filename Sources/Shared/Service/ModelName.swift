// When two names mean one model, and under which name clients see it. Nothing else makes two models one: not their
// family, not their size. Pure.

public enum ModelName {
    private static let usualTag = ":latest"

    /// What equal names have in common: lower case, without Ollama's `:latest`.
    public static func folded(_ name: String) -> String {
        let lowered = name.lowercased()
        guard lowered.hasSuffix(usualTag), lowered.utf8.count > usualTag.utf8.count else { return lowered }
        return String(lowered.dropLast(usualTag.count))
    }

    /// What clients that show only models with `claude` or `anthropic` in their names see before every other.
    public static let localPrefix = "claude-local-"

    /// The name under which such clients see this model; nil when its own will do.
    public static func offered(for name: String) -> String? {
        isForeign(name) ? nil : localPrefix + name
    }

    /// Names of Anthropic's models, which clients send unless told otherwise.
    public static func isForeign(_ name: String) -> Bool {
        let folded = name.lowercased()
        return folded.contains("claude") || folded.contains("anthropic")
    }
}
