// Other names for a backend's models. Clients that show only models with `claude` or `anthropic` in their
// names are offered every other one as `claude-local-NAME`, and ask for it by that; some put `anthropic/`
// before a name, or `[1m]` behind it for a large window. Pure.

internal import Shared

public enum ModelAlias {
    private static let prefixes = [ModelName.localPrefix, "anthropic/"]
    private static let suffix = "[1m]"

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
}
