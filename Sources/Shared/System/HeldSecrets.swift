// The secrets of a generation: found once, by the supervisor, and handed to its workers as text in a sealed
// memory file. Holds: what is read back is what was written, or nothing.

/// The secrets that a configuration names, resolved.
public struct HeldSecrets: Sendable, Equatable {
    /// Keys that clients may show; nil = none is asked for.
    public let access: AccessKeys?
    /// By the backend's index in the configuration.
    public let backends: [SecretValue?]

    public init(_ configuration: Configuration, _ sources: SecretSources) throws(SecretFailure) {
        if case .keys(let secret) = configuration.access {
            access = try sources.accessKeys(secret)
        } else {
            access = nil
        }
        var keys: [SecretValue?] = []
        for backend in configuration.backends {
            if let secret = backend.key { keys.append(try sources.key(secret)) } else { keys.append(nil) }
        }
        backends = keys
    }

    // MARK: Handed over

    private static let accessWord = "access"
    private static let backendWord = "backend"

    /// One key a line, with what it is for. Keys are visible ASCII without spaces.
    public var lines: [UInt8] {
        var text: [UInt8] = []
        func add(_ words: String, _ key: SecretValue) {
            text += words.utf8
            key.revealed { text += $0.utf8 }
            text.append(UInt8(ascii: "\n"))
        }
        for key in access?.all ?? [] { add("\(Self.accessWord) ", key) }
        for (index, key) in backends.enumerated() {
            if let key { add("\(Self.backendWord) \(index) ", key) }
        }
        return text
    }

    /// Nil when the lines are not those of this configuration's secrets.
    public init?(lines: [UInt8], for configuration: Configuration) {
        var access: [SecretValue] = []
        var backends = [SecretValue?](repeating: nil, count: configuration.backends.count)
        for line in lines.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            guard let first = words.first, let last = words.last else { return nil }
            let key = SecretValue(Array(last))
            guard key.isHeaderValue else { return nil }
            switch (String(decoding: first, as: UTF8.self), words.count) {
            case (Self.accessWord, 2): access.append(key)
            case (Self.backendWord, 3):
                guard let index = Digits.parse(String(decoding: words[1], as: UTF8.self)),
                    backends.indices.contains(index), backends[index] == nil
                else { return nil }
                backends[index] = key
            default: return nil
            }
        }
        let wanted = configuration.backends.map { $0.key != nil }
        guard wanted == backends.map({ $0 != nil }) else { return nil }
        if case .keys = configuration.access {
            guard !access.isEmpty else { return nil }
            self.access = AccessKeys(access)
        } else {
            guard access.isEmpty else { return nil }
            self.access = nil
        }
        self.backends = backends
    }
}
