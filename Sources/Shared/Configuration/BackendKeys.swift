// The keys of a backend in the configuration file: a row says how a key is called, how it is read and how
// `dragoman check` writes it. Holds: what a row writes it reads back to the same value. Rows are read from
// top to bottom, so that a key may be judged by those above it; what several keys together must not be is
// said in ConfigurationBackends.

internal import BackendSettings

struct BackendKey: Sendable {
    typealias Backend = Configuration.Backend
    typealias Field<Value> = any (WritableKeyPath<Backend, Value> & Sendable)
    typealias Section = ConfigurationReader.Section

    let name: String
    /// Reads the key if it is there.
    let read: @Sendable (inout ConfigurationReader, Section, inout Backend) -> Void
    /// The value in YAML; nil where the key would be a mistake.
    let written: @Sendable (Backend) -> String?

    static let all: [BackendKey] = [
        required("name", \.name) { reader, node, path in
            reader.text(
                node, at: path, expected: ConfigurationReader.nameExpected,
                accept: ConfigurationReader.backendName)
        },
        required("url", \.url) { reader, node, path in reader.url(node, at: path, read: URLWord.base) },
        choice("type", \.type),
        integer("priority", \.priority, 0...1000),
        integer("weight", \.weight, 1...100),
        optional("max_concurrent", \.maxConcurrent, written: String.init) { reader, section, _ in
            reader.integer("max_concurrent", in: section, 1...1_000_000)
        },
        BackendKey(name: "models") { reader, section, backend in
            backend.models = reader.modelFilters(section)
        } written: {
            "[" + $0.models.map(YAMLText.quoted).joined(separator: ", ") + "]"
        },
        optional("key", \.key, written: YAMLText.secret) { reader, section, node in
            reader.secret(node, at: section.path(of: "key"), kinds: ["credential", "file", "env"])
        },
        BackendKey(name: "dialect") { reader, section, backend in
            reader.dialect(section, &backend)
        } written: {
            $0.dialect.rawValue
        },
        choice("think_tags", \.conversion.thinkTags),
        choice("text_calls", \.conversion.textCalls),
        choice("history", \.conversion.history),
        choice("tool_calls", \.conversion.toolCalls),
        optional("hold_status", \.holdStatus, written: TimeWord.written) { reader, section, _ in
            reader.time("hold_status", in: section, .zero...ConfigurationReader.longestTime)
        },
        ofOllama(
            BackendKey(name: "num_ctx") { reader, section, backend in
                guard let node = section.values["num_ctx"] else { return }
                backend.contextWindow = reader.contextWindow(node, at: section.path(of: "num_ctx")) ?? .auto
            } written: {
                OllamaWord.written($0.contextWindow)
            }),
        ofOllama(
            optional("keep_alive", \.conversion.keepAlive, written: OllamaWord.written) {
                reader, section, node in
                reader.keepAlive(node, at: section.path(of: "keep_alive"))
            }, ignoresNull: true),
    ]
}

// MARK: Kinds of rows

extension BackendKey {
    /// A text that must be there.
    private static func required(
        _ name: String, _ field: Field<String>,
        read: @escaping @Sendable (inout ConfigurationReader, YAMLNode, String) -> String?
    ) -> BackendKey {
        BackendKey(name: name) { reader, section, backend in
            backend[keyPath: field] = reader.required(name, in: section, read: read) ?? ""
        } written: {
            YAMLText.quoted($0[keyPath: field])
        }
    }

    private static func integer(
        _ name: String, _ field: Field<Int>, _ range: ClosedRange<Int>
    ) -> BackendKey {
        BackendKey(name: name) { reader, section, backend in
            if let value = reader.integer(name, in: section, range) { backend[keyPath: field] = value }
        } written: {
            String($0[keyPath: field])
        }
    }

    /// One of several words.
    private static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ field: Field<Choice>
    ) -> BackendKey {
        BackendKey(name: name) { reader, section, backend in
            if let value = reader.choice(name, in: section, of: Choice.self) {
                backend[keyPath: field] = value
            }
        } written: {
            YAMLText.word($0[keyPath: field].rawValue)
        }
    }

    /// A value that may be null.
    private static func optional<Value>(
        _ name: String, _ field: Field<Value?>,
        written: @escaping @Sendable (Value) -> String,
        read: @escaping @Sendable (inout ConfigurationReader, Section, YAMLNode) -> Value?
    ) -> BackendKey {
        BackendKey(name: name) { reader, section, backend in
            guard let node = section.values[name], !node.isNull else { return }
            backend[keyPath: field] = read(&reader, section, node)
        } written: {
            $0[keyPath: field].map(written) ?? "null"
        }
    }

    /// A key that only Ollama's own dialect can carry: for others it is a mistake.
    private static func ofOllama(_ key: BackendKey, ignoresNull: Bool = false) -> BackendKey {
        BackendKey(name: key.name) { reader, section, backend in
            guard let node = section.values[key.name], !(ignoresNull && node.isNull) else { return }
            guard backend.mayBeOllama else { return reader.belongsToOllama(key.name, node, section) }
            key.read(&reader, section, &backend)
        } written: {
            $0.mayBeOllama ? key.written($0) : nil
        }
    }
}
