// When two names mean one model. Nothing else makes two models one: not their family, not their size.

public enum ModelName {
    private static let usualTag = ":latest"

    /// What equal names have in common: lower case, without Ollama's `:latest`.
    public static func folded(_ name: String) -> String {
        let lowered = name.lowercased()
        guard lowered.hasSuffix(usualTag), lowered.utf8.count > usualTag.utf8.count else { return lowered }
        return String(lowered.dropLast(usualTag.count))
    }
}
