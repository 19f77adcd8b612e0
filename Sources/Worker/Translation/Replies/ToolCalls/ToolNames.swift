// The name of a tool as the client declared it, out of what models and servers make of it. Pure.

struct ToolNames: Sendable {
    private let declared: [String]
    private let renamed: [String: String]

    init(_ plan: ReplyPlan) {
        declared = plan.toolNames
        renamed = plan.renamedTools
    }

    /// The declared name behind `name`; nil if none fits.
    func declaredName(for name: String) -> String? {
        if let original = renamed[name] { return original }
        if declared.contains(name) { return name }
        for candidate in Self.candidates(name) {
            if let original = renamed[candidate] { return original }
            if declared.contains(candidate) { return candidate }
            let lowered = candidate.lowercased()
            let alike = declared.filter { $0.lowercased() == lowered }
            if alike.count == 1 { return alike.first }
        }
        return nil
    }

    /// The name of a call whose name came in these pieces: together if that is a declared name, else the
    /// first of them. What fits nothing passes as it is.
    func resolve(_ pieces: [String]) -> (name: String, isRepaired: Bool)? {
        guard let first = pieces.first else { return nil }
        if pieces.count > 1, let whole = declaredName(for: pieces.joined()) { return (whole, false) }
        guard let found = declaredName(for: first) else { return (first, false) }
        return (found, found != first && renamed[first] == nil)
    }

    /// `name` without what templates leak into it: everything from a Harmony marker on, the namespace
    /// `functions.`, a call's number at the end (`functions.NAME:0`, `functions_NAME_0`), space around.
    private static func candidates(_ name: String) -> [String] {
        var name = name[...]
        while let first = name.first, first.isWhitespace { name.removeFirst() }
        while let last = name.last, last.isWhitespace { name.removeLast() }
        var found = [String(name)]
        for marker in name.indices where name[marker...].hasPrefix("<|") {
            name = name[..<marker]
            found.append(String(name))
            break
        }
        if name.hasPrefix("functions.") {
            name = name.dropFirst("functions.".count)
            found.append(String(name))
        }
        if let colon = name.lastIndex(of: ":"), name[colon...].dropFirst().allSatisfy(\.isNumber) {
            found.append(String(name[..<colon]))
        }
        if name.hasPrefix("functions_"), let end = name.lastIndex(of: "_"),
            name[end...].dropFirst().allSatisfy(\.isNumber)
        {
            found.append(String(name[..<end].dropFirst("functions_".count)))
        }
        return found
    }
}
