// From YAML nodes to typed values: every question asked of a node has one place here, and every answer
// that is no good becomes a mistake while the reading goes on with the default.

struct ConfigurationReader {
    let source: String
    private(set) var mistakes: [Mistake] = []
    /// Where each key stands, for the rules that look at several.
    var lines: [String: Int] = [:]

    init(source: String) { self.source = source }

    /// The keys of one mapping.
    struct Section {
        let path: String
        /// Of the mapping.
        let line: Int?
        let values: [String: YAMLNode]

        func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    }

    mutating func mistake(_ path: String, _ line: Int?, _ text: String) {
        mistakes.append(Mistake(source: source, line: line, key: path, text: text))
    }

    mutating func expected(_ what: String, at path: String, found node: YAMLNode) {
        mistake(path, node.line, "expected \(what), found \(node.found)")
    }

    /// Checks that `node` is a mapping of known keys, each at most once. nil after a mistake.
    mutating func section(_ node: YAMLNode, _ path: String, keys: [String], what: String) -> Section? {
        guard case .mapping(let pairs) = node.content else {
            expected(what, at: path, found: node)
            return nil
        }
        lines[path] = node.line
        var values: [String: YAMLNode] = [:]
        for pair in pairs {
            let shown = YAMLNode.shown(pair.key)
            let full = path.isEmpty ? shown : "\(path).\(shown)"
            guard keys.contains(pair.key) else {
                let near = Nearest.name(to: pair.key, among: keys)
                let hint = near.map { "nearest: \($0)" } ?? "one of " + keys.joined(separator: ", ")
                mistake(full, pair.line, "expected a known key (\(hint)), found \(shown)")
                continue
            }
            if let first = values[pair.key] {
                mistake(full, pair.line, "expected once, found again (first on line \(first.line))")
                continue
            }
            lines[full] = pair.value.line
            values[pair.key] = pair.value
        }
        return Section(path: path, line: node.line, values: values)
    }

    /// A mapping inside a section; nothing written means all defaults.
    mutating func subsection(_ key: String, in section: Section, keys: [String]) -> Section? {
        guard let node = section.values[key], !node.isNull else { return nil }
        return self.section(node, section.path(of: key), keys: keys, what: "a mapping with \(keys[0]), …")
    }

    /// The items of a list with their paths; one more than `limit` is a mistake.
    mutating func list(
        _ key: String, in section: Section, limit: Int, emptyAllowed: Bool = true
    ) -> [(path: String, node: YAMLNode)]? {
        guard let node = section.values[key] else { return nil }
        let path = section.path(of: key)
        if node.isNull, emptyAllowed { return [] }
        guard case .sequence(let items) = node.content else {
            expected("a list", at: path, found: node)
            return nil
        }
        if items.isEmpty, !emptyAllowed {
            mistake(path, node.line, "expected at least one, found an empty list")
            return nil
        }
        guard items.count <= limit else {
            mistake(path, node.line, "expected at most \(limit), found \(items.count)")
            return nil
        }
        return items.enumerated().map { index, item in
            lines["\(path)[\(index)]"] = item.line
            return ("\(path)[\(index)]", item)
        }
    }

    mutating func integer(_ key: String, in section: Section, _ range: ClosedRange<Int>) -> Int? {
        guard let node = section.values[key] else { return nil }
        guard let text = node.text, let value = Digits.parse(text), range.contains(value) else {
            expected("\(range.lowerBound)…\(range.upperBound)", at: section.path(of: key), found: node)
            return nil
        }
        return value
    }

    mutating func size(_ key: String, in section: Section, _ range: ClosedRange<Int>) -> Int? {
        guard let node = section.values[key] else { return nil }
        guard let text = node.text, let value = SizeWord.parse(text), range.contains(value) else {
            let bounds = "\(SizeWord.written(range.lowerBound))…\(SizeWord.written(range.upperBound))"
            expected("a size such as 64KiB, \(bounds)", at: section.path(of: key), found: node)
            return nil
        }
        return value
    }

    mutating func time(_ key: String, in section: Section, _ range: ClosedRange<Duration>) -> Duration? {
        guard let node = section.values[key] else { return nil }
        guard let text = node.text, let value = TimeWord.parse(text), range.contains(value) else {
            let bounds = "\(TimeWord.written(range.lowerBound))…\(TimeWord.written(range.upperBound))"
            expected("a time such as 10s, \(bounds)", at: section.path(of: key), found: node)
            return nil
        }
        return value
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ key: String, in section: Section, of: Choice.Type
    ) -> Choice? {
        guard let node = section.values[key] else { return nil }
        if let text = node.text, let value = Choice(rawValue: text) { return value }
        let names = Choice.allCases.map(\.rawValue)
        var what = "one of " + names.joined(separator: ", ")
        if let text = node.text, let near = Nearest.name(to: text, among: names) {
            what += " (nearest: \(near))"
        }
        expected(what, at: section.path(of: key), found: node)
        return nil
    }

    /// A text for which `accept` gives a value.
    mutating func text<Value>(
        _ node: YAMLNode, at path: String, expected what: String, accept: (String) -> Value?
    ) -> Value? {
        if let text = node.text, let value = accept(text) { return value }
        expected(what, at: path, found: node)
        return nil
    }

    /// Where a secret is read from. What stands there by mistake is not shown: it may be the secret.
    mutating func secret(
        _ node: YAMLNode, at path: String, kinds: [String]
    ) -> Configuration.Secret? {
        let forms = kinds.map { "{\($0): \($0 == "file" ? "PATH" : "NAME")}" }.joined(separator: " or ")
        guard case .mapping(let pairs) = node.content else {
            mistake(path, node.line, "expected \(forms), found something else (not shown)")
            return nil
        }
        guard pairs.count == 1, let pair = pairs.first, kinds.contains(pair.key) else {
            mistake(path, node.line, "expected \(forms), found other keys (not shown)")
            return nil
        }
        if let text = pair.value.text, let secret = SecretWord.parse(kind: pair.key, text) { return secret }
        mistake(
            "\(path).\(pair.key)", pair.value.line,
            "expected \(SecretWord.expected(kind: pair.key)), found something else (not shown)")
        return nil
    }
}
