// The `backends:` and `models:` lists of the configuration file, and the rules about several keys of a
// backend.

internal import BackendSettings

extension ConfigurationReader {
    mutating func backends(_ top: Section) -> [Configuration.Backend] {
        let items = list("backends", in: top, limit: Configuration.maximumBackends) ?? []
        // A bad one keeps its place, so that those after it keep their numbers in what is told.
        return items.map { path, node in backend(node, at: path) ?? Configuration.Backend(name: "", url: "") }
    }

    private mutating func backend(_ node: YAMLNode, at path: String) -> Configuration.Backend? {
        guard
            let section = section(
                node, path, keys: BackendKey.all.map(\.name), what: "a mapping with name and url")
        else { return nil }
        var backend = Configuration.Backend(name: "", url: "")
        for key in BackendKey.all { key.read(&self, section, &backend) }
        passthroughRules(section, backend)
        gemini(&backend)
        return backend
    }

    /// Globs, each with `!` in front where it excludes.
    mutating func modelFilters(_ section: Section) -> [String] {
        let items = list("models", in: section, limit: Configuration.maximumModelFilters) ?? []
        return items.compactMap { path, node in
            text(node, at: path, expected: "a model's name or pattern, `!` in front to exclude it") { text in
                let glob = text.hasPrefix("!") ? text.dropFirst() : text[...]
                return Self.modelName(String(glob)).map { _ in text }
            }
        }
    }

    mutating func dialect(_ section: Section, _ backend: inout Configuration.Backend) {
        guard let dialect = choice("dialect", in: section, of: Configuration.DialectSetting.self) else {
            return
        }
        backend.dialect = dialect
        let known = backend.type.dialects
        let path = section.path(of: "dialect")
        let line = section.values["dialect"]?.line
        if !known.contains(dialect) {
            mistake(
                path, line,
                "expected \(known.map(\.rawValue).joined(separator: " or ")) with type "
                    + "\(backend.type.rawValue), found \(dialect.rawValue)")
        }
    }

    /// The client's bytes go there as they are: nothing can be done about them.
    private mutating func passthroughRules(_ section: Section, _ backend: Configuration.Backend) {
        guard backend.dialect == .anthropic || backend.type == .anthropic else { return }
        if backend.conversion.history == .heal {
            mistake(
                section.path(of: "history"), section.values["history"]?.line,
                "expected keep with dialect anthropic, found heal")
        }
        if backend.conversion.textCalls == .on {
            mistake(
                section.path(of: "text_calls"), section.values["text_calls"]?.line,
                "expected auto or off with dialect anthropic, found on")
        }
        if backend.conversion.toolCalls == .sequential {
            mistake(
                section.path(of: "tool_calls"), section.values["tool_calls"]?.line,
                "expected parallel with dialect anthropic, found sequential")
        }
    }

    /// Google's documents give the base URL with the path of its OpenAI API, which is ours to add.
    private func gemini(_ backend: inout Configuration.Backend) {
        let path = "/v1beta/openai"
        guard backend.type == .gemini, backend.url.hasSuffix(path) else { return }
        backend.url.removeLast(path.count)
    }

    mutating func models(_ top: Section) -> [Configuration.ModelRule] {
        let items = list("models", in: top, limit: Configuration.maximumModelRules) ?? []
        return items.map { path, node in rule(node, at: path) ?? Configuration.ModelRule(match: "", use: "") }
    }

    private mutating func rule(_ node: YAMLNode, at path: String) -> Configuration.ModelRule? {
        guard let section = section(node, path, keys: ["match", "use"], what: "a mapping with match and use")
        else { return nil }
        let match = required("match", in: section) { reader, value, path in
            reader.text(value, at: path, expected: Self.modelExpected, accept: Self.modelName)
        }
        let use = required("use", in: section) { reader, value, path in
            reader.text(value, at: path, expected: Self.modelExpected) { text in
                text.contains("*") || text.hasPrefix("/") || text.hasSuffix("/") ? nil : Self.modelName(text)
            }
        }
        return Configuration.ModelRule(match: match ?? "", use: use ?? "")
    }

    mutating func required<Value>(
        _ key: String, in section: Section,
        read: (inout ConfigurationReader, YAMLNode, String) -> Value?
    ) -> Value? {
        let path = section.path(of: key)
        guard let value = section.values[key] else {
            mistake(path, section.line, "expected a value, found none")
            return nil
        }
        return read(&self, value, path)
    }

    mutating func url(
        _ node: YAMLNode, at path: String, read: (String) throws(URLWord.Refusal) -> String
    ) -> String? {
        guard let text = node.text else {
            expected("a URL", at: path, found: node)
            return nil
        }
        do throws(URLWord.Refusal) {
            return try read(text)
        } catch {
            switch error {
            // A key likes to stand in each of these places.
            case .expected(let what) where text.contains { "@?#".contains($0) }:
                mistake(path, node.line, "expected \(what), found something else (not shown)")
            case .expected(let what): expected(what, at: path, found: node)
            case .carriesSecret:
                mistake(
                    path, node.line, "expected a URL without user and password, found one with (not shown)")
            }
            return nil
        }
    }

    static let nameExpected =
        "a name of letters, digits, `.`, `_` and `-` that begins with a letter or digit and is not `auto`"
    static let modelExpected = "a model's name or pattern, 1…256 visible characters"

    static func backendName(_ text: String) -> String? {
        let bytes = text.utf8
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
        }
        guard (1...64).contains(bytes.count), let first = bytes.first, isLetterOrDigit(first),
            bytes.allSatisfy({ isLetterOrDigit($0) || [0x2e, 0x5f, 0x2d].contains($0) }),
            text.lowercased() != "auto"
        else { return nil }
        return text
    }

    static func modelName(_ text: String) -> String? {
        (1...256).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f } ? text : nil
    }
}
