// Secrets: found where the configuration says, held so that they do not print themselves. A key goes
// into a header of one request or is compared with what a client sent, and nowhere else.

internal import Glibc
internal import Synchronization

/// A secret's bytes. Whatever prints it (interpolation, dump, a failed test) shows `hidden`.
public struct SecretValue: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    private let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public var description: String { "hidden" }
    public var debugDescription: String { "hidden" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// The secret itself, for the header it belongs into.
    public func revealed<Result>(_ use: (String) -> Result) -> Result {
        use(String(decoding: bytes, as: UTF8.self))
    }

    /// Takes the same time wherever the first difference is. The length is not kept secret.
    public func matches(_ candidate: some Collection<UInt8>) -> Bool {
        guard candidate.count == bytes.count else { return false }
        return zip(candidate, bytes).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    public static func == (left: SecretValue, right: SecretValue) -> Bool { left.matches(right.bytes) }

    /// One header value: visible ASCII, nothing that could end the header.
    var isHeaderValue: Bool { !bytes.isEmpty && bytes.allSatisfy { (0x21...0x7e).contains($0) } }

    var byteCount: Int { bytes.count }

    /// Keys one per line, with the line's number; blank lines and those that begin with `#` are not keys.
    var lines: [(number: Int, key: SecretValue)] {
        let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
        return lines.enumerated().compactMap { index, line in
            func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }
            let start = line.drop(while: isBlank)
            let key = start.dropLast(start.reversed().prefix(while: isBlank).count)
            let isKey = !key.isEmpty && key.first != UInt8(ascii: "#")
            return isKey ? (index + 1, SecretValue(Array(key))) : nil
        }
    }
}

/// The keys that clients may show (`access: {keys: …}`).
public struct AccessKeys: Sendable, Equatable {
    public static let maximumKeys = 10_000
    private let keys: [SecretValue]

    public init(_ keys: [SecretValue]) { self.keys = keys }

    var all: [SecretValue] { keys }

    public var count: Int { keys.count }

    /// Compares with every key, found or not.
    public func contain(_ candidate: some Collection<UInt8>) -> Bool { index(of: candidate) != nil }

    /// Which key it is. Compares with every key, found or not.
    public func index(of candidate: some Collection<UInt8>) -> Int? {
        var found: Int?
        for (index, key) in keys.enumerated() where key.matches(candidate) { found = index }
        return found
    }

    /// A word for each key that does not give it away.
    /// - Parameter digest: of a key's bytes.
    public func words(_ digest: ([UInt8]) -> String) -> [String] {
        keys.map { $0.revealed { digest(Array($0.utf8)) } }
    }
}

/// Why a secret cannot be had. Never shows it.
public struct SecretFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
    /// Not there or not readable for this process, as opposed to there and no good.
    public let isAbsent: Bool
}

/// Where this process finds secrets: its environment, taken once at start.
public struct SecretSources: Sendable {
    /// Largest secret, in bytes; what systemd allows a credential to be (systemd.exec(5)).
    public static let maximumBytes = 1 << 20
    /// Longest key for a backend, in bytes: it has to fit into a header.
    public static let maximumKeyBytes = 8192

    private let variable: @Sendable (String) -> String?
    private let known: Known?

    public init(variable: @escaping @Sendable (String) -> String?) {
        self.init(variable: variable, known: nil)
    }

    private init(variable: @escaping @Sendable (String) -> String?, known: Known?) {
        self.variable = variable
        self.known = known
    }

    /// The same places, each looked into once: what was judged is what is used, whatever becomes of it
    /// meanwhile.
    public func readingOnce() -> SecretSources { SecretSources(variable: variable, known: Known()) }

    private final class Known: Sendable {
        let results = Mutex<[Configuration.Secret: Result<[UInt8], SecretFailure>]>([:])
    }

    /// This process's environment.
    public static let process = SecretSources { name in getenv(name).map { String(cString: $0) } }

    /// A backend's key: one line of visible ASCII.
    public func key(_ secret: Configuration.Secret) throws(SecretFailure) -> SecretValue {
        let value = SecretValue(Self.trimmed(try bytes(secret)))
        guard value.byteCount > 0 else { throw failure(secret, "is empty") }
        guard value.byteCount <= Self.maximumKeyBytes else {
            throw failure(secret, "is longer than \(Self.maximumKeyBytes) bytes")
        }
        guard value.isHeaderValue else {
            throw failure(secret, "is not one line of visible ASCII characters without spaces")
        }
        return value
    }

    /// The keys of `access: {keys: …}`.
    public func accessKeys(_ secret: Configuration.Secret) throws(SecretFailure) -> AccessKeys {
        let keys = SecretValue(try bytes(secret)).lines
        guard !keys.isEmpty else { throw failure(secret, "holds no key (one per line)") }
        guard keys.count <= AccessKeys.maximumKeys else {
            throw failure(secret, "holds more than \(AccessKeys.maximumKeys) keys")
        }
        for (number, key) in keys {
            guard key.isHeaderValue else {
                throw failure(
                    secret,
                    "line \(number) is not one word of visible ASCII (comments need a line of their own)")
            }
            guard key.byteCount <= Self.maximumKeyBytes else {
                throw failure(secret, "line \(number) is longer than \(Self.maximumKeyBytes) bytes")
            }
        }
        return AccessKeys(keys.map(\.key))
    }

    private func bytes(_ secret: Configuration.Secret) throws(SecretFailure) -> [UInt8] {
        guard let known else { return try found(secret) }
        if let result = known.results.withLock({ $0[secret] }) { return try result.get() }
        let result: Result<[UInt8], SecretFailure>
        do throws(SecretFailure) {
            result = .success(try found(secret))
        } catch {
            result = .failure(error)
        }
        known.results.withLock { $0[secret] = result }
        return try result.get()
    }

    private func found(_ secret: Configuration.Secret) throws(SecretFailure) -> [UInt8] {
        switch secret {
        case .environment(let name):
            guard let value = variable(name) else { throw failure(secret, "is not set", absent: true) }
            return Array(value.utf8)
        case .file(let path):
            return try read(path, secret)
        case .credential(let name):
            guard let folder = variable("CREDENTIALS_DIRECTORY") else {
                throw failure(
                    secret, "is not available: CREDENTIALS_DIRECTORY is not set (see LoadCredential=)",
                    absent: true)
            }
            return try read("\(folder)/\(name)", secret)
        }
    }

    private func read(_ path: String, _ secret: Configuration.Secret) throws(SecretFailure) -> [UInt8] {
        // A pipe without a writer must not hang the start.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            // A named file that does not exist is missing for the service, too; a credential may be its own.
            let isMissing = errno == ENOENT || errno == ENOTDIR
            if case .file = secret {
                let hint =
                    errno == EACCES ? " (a service gets it by {credential: NAME} and LoadCredential=)" : ""
                throw failure(secret, "cannot be read: \(Self.reason(errno))\(hint)", absent: !isMissing)
            }
            throw failure(secret, "cannot be read: \(Self.reason(errno))", absent: true)
        }
        defer { close(file) }
        var facts = stat()
        guard fstat(file, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
            throw failure(secret, "is not a regular file")
        }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(file, &part, part.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(secret, "cannot be read: \(Self.reason(errno))")
            }
            if count == 0 { return bytes }
            bytes += part[..<count]
            guard bytes.count <= Self.maximumBytes else {
                throw failure(secret, "is larger than \(Self.maximumBytes >> 20) MiB")
            }
        }
    }

    /// Whether a user without any rights of their own could read it, in the unit's sandbox.
    static func isReadableByAll(_ path: String) -> Bool {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return true }
        guard facts.st_mode & S_IROTH != 0 else { return false }
        let hidden = ["/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"]
        if hidden.contains(where: path.hasPrefix) { return false }
        var folder = path[...]
        while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
            folder = folder[..<slash]
            guard stat(String(folder), &facts) == 0, facts.st_mode & S_IXOTH != 0 else { return false }
        }
        return true
    }

    private func failure(
        _ secret: Configuration.Secret, _ problem: String, absent: Bool = false
    ) -> SecretFailure {
        let place =
            switch secret {
            case .credential(let name): "credential \(name)"
            case .file(let path): "file \(YAMLNode.shown(path))"
            case .environment(let name): "variable \(name)"
            }
        return SecretFailure(description: "\(place) \(problem)", isAbsent: absent)
    }

    /// Without the line ends that editors leave.
    private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        let last = bytes.lastIndex { $0 != 0x0a && $0 != 0x0d }
        return last.map { Array(bytes[...$0]) } ?? []
    }

    private static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }
}

/// Whether reading a configuration also looks for its secrets.
public enum SecretCheck: Sendable {
    /// Only the syntax.
    case skip
    /// All must be there: they are about to be used.
    case required(SecretSources)
    /// Only those that can be seen are judged: who checks a file by hand has neither the unit's environment
    /// and credentials nor, perhaps, the right to read its keys.
    case visible(SecretSources)

    /// Files that may be read here, but not by the unit's dynamic user; for people who check as root.
    public static func unreadableForService(in configuration: Configuration) -> [String] {
        configuration.secrets.compactMap { key, secret in
            guard case .file(let path) = secret, !SecretSources.isReadableByAll(path) else { return nil }
            return "\(key): the unit's dynamic user cannot read file \(YAMLNode.shown(path)); "
                + "use {credential: NAME} and LoadCredential=NAME:\(YAMLNode.shown(path))"
        }
    }

    /// The configuration's secrets that cannot be used, by key.
    public func problems(of configuration: Configuration) -> [(key: String, failure: SecretFailure)] {
        let sources: SecretSources
        let passesAbsent: Bool
        switch self {
        case .skip: return []
        case .required(let given): (sources, passesAbsent) = (given, false)
        case .visible(let given): (sources, passesAbsent) = (given, true)
        }
        var problems: [(key: String, failure: SecretFailure)] = []
        func look(_ key: String, _ secret: Configuration.Secret, _ use: () throws(SecretFailure) -> Void) {
            do throws(SecretFailure) {
                try use()
            } catch  where passesAbsent && error.isAbsent {
                return
            } catch {
                problems.append((key, error))
            }
        }
        for (key, secret) in configuration.secrets {
            look(key, secret) { () throws(SecretFailure) in
                if key == Configuration.accessKeysKey {
                    _ = try sources.accessKeys(secret)
                } else {
                    _ = try sources.key(secret)
                }
            }
        }
        return problems
    }
}

extension Configuration {
    static let accessKeysKey = "access.keys"

    /// Where its secrets are read from, by key.
    var secrets: [(key: String, secret: Secret)] {
        var found: [(key: String, secret: Secret)] = []
        if case .keys(let secret) = access { found.append((Self.accessKeysKey, secret)) }
        for (index, backend) in backends.enumerated() {
            if let secret = backend.key { found.append(("backends[\(index)].key", secret)) }
        }
        return found
    }
}

/// The words after `credential:`, `file:` and `env:`.
enum SecretWord {
    static func expected(kind: String) -> String {
        switch kind {
        case "credential": "a credential's name without slashes"
        case "file": "an absolute path"
        default: "a variable's name (letters, digits, `_`)"
        }
    }

    static func parse(kind: String, _ text: String) -> Configuration.Secret? {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return nil }
        // The key itself where its name belongs: as a name it would be shown.
        if kind != "file", text.hasPrefix("sk-") || text.hasPrefix("sk_") { return nil }
        switch kind {
        case "credential":
            guard bytes.count <= 255, !text.contains("/"), text != ".", text != ".." else { return nil }
            return .credential(text)
        case "file":
            guard bytes.count <= 4095, text.hasPrefix("/") else { return nil }
            return .file(text)
        default:
            let legal = bytes.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || $0 == 0x5f
            }
            guard bytes.count <= 255, legal, !(0x30...0x39).contains(bytes.first ?? 0x30) else { return nil }
            return .environment(text)
        }
    }
}
