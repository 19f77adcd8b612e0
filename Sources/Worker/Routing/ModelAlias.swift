// Other names for a backend's models. Clients that show only models with `claude` or `anthropic` in their
// names are offered every other one as `claude-local-NAME`, and ask for it by that; some put `anthropic/`
// before a name, or `[1m]` behind it for a large window. Pure.

public enum ModelAlias {
    private static let prefix = "claude-local-"
    private static let prefixes = [prefix, "anthropic/"]
    private static let suffix = "[1m]"

    /// The name under which such clients see this model; nil when its own will do.
    public static func offered(for name: String) -> String? {
        isForeign(name) ? nil : prefix + name
    }

    /// The name without what asks for a large window; nil when nothing does.
    public static func withoutWindow(_ name: String) -> String? {
        guard name.count > suffix.count, name.lowercased().hasSuffix(suffix) else { return nil }
        return String(name.dropLast(suffix.count))
    }

    /// The name that is meant by this one; nil when it is no alias.
    public static func meant(by name: String) -> String? {
        let folded = name.lowercased()
        guard let prefix = prefixes.first(where: folded.hasPrefix), name.count > prefix.count else {
            return nil
        }
        return String(name.dropFirst(prefix.count))
    }

    /// Names of Anthropic's models, which clients send unless told otherwise.
    static func isForeign(_ name: String) -> Bool {
        let folded = name.lowercased()
        return folded.contains("claude") || folded.contains("anthropic")
    }
}
