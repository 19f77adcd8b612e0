// What a YAML text comes down to: scalars, lists and mappings, each with the line it begins on.
// Order of keys and repeated keys are kept, so that the reader of the configuration can judge them.

struct YAMLNode {
    enum Content {
        /// `plain` = written without quotes; only a plain `null`, `~` or nothing at all means "nothing".
        case scalar(String, plain: Bool)
        case sequence([YAMLNode])
        case mapping([Pair])
    }

    struct Pair {
        let key: String
        let line: Int
        let value: YAMLNode
    }

    let content: Content
    /// 1… as an editor counts.
    let line: Int
    /// Nodes in this tree, itself included; what an alias costs.
    let size: Int

    var isNull: Bool {
        guard case .scalar(let text, plain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    var isMapping: Bool { if case .mapping = content { true } else { false } }

    /// The scalar's text; nil for lists, mappings and null.
    var text: String? {
        guard case .scalar(let text, _) = content, !isNull else { return nil }
        return text
    }

    /// For "found …" in a mistake: short, on one line, no control characters.
    var found: String {
        switch content {
        case .scalar(let text, let plain):
            if isNull { return "nothing" }
            return plain ? Self.shown(text) : "\"\(Self.shown(text))\""
        case .sequence: return "a list"
        case .mapping: return "a mapping"
        }
    }

    /// Outside text made fit for a message: at most 60 characters, control characters replaced.
    static func shown(_ text: String) -> String {
        let longest = 60
        var result = ""
        for scalar in text.unicodeScalars.prefix(longest) {
            let control =
                scalar.properties.generalCategory == .control || scalar.value == 0x2028
                || scalar.value == 0x2029 || scalar.properties.generalCategory == .format
            result.unicodeScalars.append(control ? "?" : scalar)
        }
        return text.unicodeScalars.count > longest ? result + "…" : result
    }
}
