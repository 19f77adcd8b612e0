// Secrets: where they are found, what is refused, and that they never print themselves.

import Glibc
import Testing

@testable import Shared

@Suite struct SecretTests {
    /// A folder of its own for each test.
    final class Folder {
        let path: String

        init() {
            var template = Array("/tmp/dragoman-secrets.XXXXXX".utf8CString)
            path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
        }

        func put(_ name: String, _ text: String) -> String {
            let full = "\(path)/\(name)"
            let file = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            let bytes = Array(text.utf8)
            #expect(write(file, bytes, bytes.count) == bytes.count)
            close(file)
            return full
        }

        deinit {
            if let folder = opendir(path) {
                while let entry = readdir(folder) {
                    let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                    }
                    unlink("\(path)/\(name)")
                }
                closedir(folder)
            }
            rmdir(path)
        }
    }

    static func sources(_ variables: [String: String]) -> SecretSources { SecretSources { variables[$0] } }

    static func problem(_ work: () throws(SecretFailure) -> Void) -> String? {
        do throws(SecretFailure) {
            try work()
            return nil
        } catch {
            return error.description
        }
    }

    @Test func foundInAllThreePlaces() throws {
        let folder = Folder()
        let path = folder.put("k", "sk-1\n")
        let sources = Self.sources(["CREDENTIALS_DIRECTORY": folder.path, "KEY": "sk-1"])
        for secret: Configuration.Secret in [.file(path), .credential("k"), .environment("KEY")] {
            #expect(try sources.key(secret).revealed { $0 } == "sk-1")
        }
    }

    @Test func neverPrintsItself() {
        let value = SecretValue(Array("sk-very-secret".utf8))
        var dumped = ""
        dump(value, to: &dumped)
        dump([value], to: &dumped)
        dump(AccessKeys([value]), to: &dumped)
        for text in ["\(value)", String(reflecting: value), String(describing: [value]), dumped] {
            #expect(!text.contains("sk-very"))
        }
        #expect("\(value)" == "hidden")
    }

    @Test func refused() {
        let folder = Folder()
        let sources = Self.sources([
            "E": "", "S": "two words", "N": "a\r\nX: y", "L": String(repeating: "k", count: 8193),
        ])
        func key(_ secret: Configuration.Secret) -> String? {
            Self.problem { () throws(SecretFailure) in _ = try sources.key(secret) }
        }
        let visible = "is not one line of visible ASCII characters without spaces"
        #expect(key(.environment("X")) == "variable X is not set")
        #expect(key(.environment("E")) == "variable E is empty")
        #expect(key(.environment("S")) == "variable S \(visible)")
        #expect(key(.environment("N")) == "variable N \(visible)")
        #expect(key(.environment("L")) == "variable L is longer than 8192 bytes")
        #expect(
            key(.file("/nonexistent/k")) == "file /nonexistent/k cannot be read: No such file or directory")
        #expect(key(.file("/tmp")) == "file /tmp is not a regular file")
        #expect(key(.file("/dev/zero")) == "file /dev/zero is not a regular file")
        let fifo = "\(folder.path)/fifo"
        #expect(mkfifo(fifo, 0o600) == 0)
        #expect(key(.file(fifo)) == "file \(fifo) is not a regular file")
        let large = folder.put("large", String(repeating: "k", count: (1 << 20) + 1))
        #expect(key(.file(large)) == "file \(large) is larger than 1 MiB")
        let blank = folder.put("blank", "\n\n")
        #expect(key(.file(blank)) == "file \(blank) is empty")
        #expect(
            key(.credential("k"))
                == "credential k is not available: CREDENTIALS_DIRECTORY is not set (see LoadCredential=)")
    }

    @Test func keysFile() throws {
        let folder = Folder()
        let path = folder.put("keys", "# team a\nsk-1\r\n\n  sk-2  \n#sk-3\nsk-4")
        let keys = try Self.sources([:]).accessKeys(.file(path))
        #expect(keys.count == 3)
        for key in ["sk-1", "sk-2", "sk-4"] { #expect(keys.contain(key.utf8)) }
        for key in ["", "sk", "sk-3", "sk-11", "SK-1", "#sk-3", "# team a"] {
            #expect(!keys.contain(key.utf8))
        }
        func problem(_ text: String) -> String? {
            let path = folder.put("bad", text)
            return Self.problem { () throws(SecretFailure) in
                _ = try Self.sources([:]).accessKeys(.file(path))
            }?.replacingPath(path)
        }
        #expect(problem("# none\n") == "file PATH holds no key (one per line)")
        let word = "is not one word of visible ASCII (comments need a line of their own)"
        #expect(problem("# one\r\nsk-1\r\n\nsk-bob   # bob\n") == "file PATH line 4 \(word)")
        #expect(problem(String(repeating: "k", count: 8193)) == "file PATH line 1 is longer than 8192 bytes")
        let many = (0...10_000).map { "k\($0)\n" }.joined()
        #expect(problem(many) == "file PATH holds more than 10000 keys")
    }

    @Test func missingSecretsAreMistakesWithTheirLine() {
        let text = """
            access: {keys: {credential: clients}}
            backends:
              - name: a
                url: http://h
                key: {env: NOT_SET}
              - {name: b, url: http://h, key: {credential: b}}
            """
        func mistakes(_ check: SecretCheck) -> [String] {
            guard case .bad(let found) = Configuration.parse(Array(text.utf8), name: "f", secrets: check)
            else {
                return []
            }
            return found.map(\.description)
        }
        let none = Self.sources([:])
        let unset = "f:5: backends[0].key: variable NOT_SET is not set"
        #expect(mistakes(.skip) == [])
        #expect(mistakes(.visible(none)) == [])
        #expect(mistakes(.required(none)).count == 3)
        #expect(mistakes(.required(none))[1] == unset)
        // What can be seen is judged all the same.
        #expect(mistakes(.visible(Self.sources(["NOT_SET": "two words"]))).count == 1)
    }

    @Test("a file that is not there is missing for everybody; one that may not be read is not")
    func missingFile() {
        let folder = Folder()
        func mistakes(_ path: String) -> Int {
            let text = "access: {keys: {file: \(path)}}\n"
            let result = Configuration.parse(
                Array(text.utf8), name: "f", secrets: .visible(Self.sources([:])))
            guard case .bad(let found) = result else { return 0 }
            return found.count
        }
        #expect(mistakes("\(folder.path)/none") == 1)
        #expect(mistakes(folder.put("keys", "k\n")) == 0)
    }

    @Test("a file for which the service's own user has no right is named, with the way out")
    func unreadableForService() {
        func told(_ path: String) -> [String] {
            var configuration = Configuration()
            configuration.access = .keys(.file(path))
            return SecretCheck.unreadableForService(in: configuration)
        }
        let folder = Folder()
        #expect(
            told(folder.put("keys", "k")).first?.contains("LoadCredential=NAME:\(folder.path)/keys") == true)
        #expect(told("/etc/passwd").isEmpty)
        #expect(told("/home/somebody/keys").isEmpty, "one that is not there is a mistake already")
    }

    @Test("secrets are read once, and reach a worker as they were then")
    func handedOver() throws {
        let folder = Folder()
        let path = folder.put("keys", "one\n# no key\ntwo\n")
        var configuration = Configuration()
        configuration.access = .keys(.file(path))
        configuration.backends = ["a", "b", "c"].map { Configuration.Backend(name: $0, url: "http://\($0)") }
        configuration.backends[1].key = .environment("KEY")
        configuration.backends[2].key = .environment("KEY")
        let sources = Self.sources(["KEY": "sk-backend"]).readingOnce()
        #expect(SecretCheck.required(sources).problems(of: configuration).isEmpty)
        _ = folder.put("keys", "")
        let held = try HeldSecrets(configuration, sources)
        let received = try #require(HeldSecrets(lines: held.lines, for: configuration))
        #expect(received == held)
        #expect(received.access?.count == 2 && received.access?.contain("two".utf8) == true)
        #expect(received.backends.map { $0?.revealed { $0 } } == [nil, "sk-backend", "sk-backend"])
    }

    static let foreignLines = [
        "", "access\n", "access a b\n", "backend 0 k\n", "access k\n", "access k\nbackend 1 k\n",
        "access k\nbackend x k\n", "access k\nbackend 0 k\nbackend 0 k\n", "access k\nbackend 0 \n",
        "access k\nbackend 0 k\nother\n", "access \u{1}\nbackend 0 k\n",
    ]

    @Test("lines that are not this configuration's secrets are refused", arguments: foreignLines)
    func foreign(lines: String) {
        var configuration = Configuration()
        configuration.access = .keys(.file("/k"))
        configuration.backends = [Configuration.Backend(name: "a", url: "http://a")]
        configuration.backends[0].key = .environment("KEY")
        #expect(HeldSecrets(lines: Array("access k\nbackend 0 k\n".utf8), for: configuration) != nil)
        #expect(HeldSecrets(lines: Array(lines.utf8), for: configuration) == nil)
    }
}

extension String {
    fileprivate func replacingPath(_ path: String) -> String {
        split(separator: " ", omittingEmptySubsequences: false).map { $0 == path[...] ? "PATH" : String($0) }
            .joined(separator: " ")
    }
}
