// One row per mistake an operator can make: the text, and every line that `check` prints for it.

import TestSupport
import Testing

@testable import Shared

@Suite struct ConfigurationMistakesTests {
    static func mistakes(_ text: String, _ overrides: ConfigurationOverrides = .init()) -> [String] {
        switch Configuration.parse(Array(text.utf8), name: "f", overrides: overrides) {
        case .good: []
        case .bad(let mistakes): mistakes.map(\.description)
        }
    }

    @Test(arguments: [
        // The file as such
        ("- a\n", "f:1: expected a mapping of keys, found a list"),
        ("hello\n", "f:1: expected a mapping of keys, found hello"),
        ("a: [1\n", "f:2: not valid YAML: did not find expected ',' or ']'"),
        (
            "workers: 1\n\tlog: {}\n",
            "f:2: not valid YAML: a tab; YAML is indented with spaces"
        ),
        ("limits:\n  header: 1KiB\n \tbody: 1\n", "f:3: not valid YAML: a tab; YAML is indented with spaces"),
        ("log:\n\tlevel: info\n", "f:2: not valid YAML: a tab; YAML is indented with spaces"),
        ("workers: 1\n---\nworkers: 2\n", "f:2: expected one document, found another one after it"),
        ("workers: *w\n", "f:1: expected an anchor defined above, found *w"),
        ("workers: !!int 3\n", "f:1: expected no tag, found tag:yaml.org,2002:int"),
        ("{[a]: 1}\n", "f:1: expected a name before the colon, found a list"),
        ("a: \u{1}\n", "f:1: not UTF-8 text: control characters are not allowed"),
        // Keys
        ("worker: 2\n", "f:1: worker: expected a known key (nearest: workers), found worker"),
        ("lisen: []\n", "f:1: lisen: expected a known key (nearest: listen), found lisen"),
        (
            "timeouts:\n  firstbyte: 1s\n",
            "f:2: timeouts.firstbyte: expected a known key (nearest: first_byte), found firstbyte"
        ),
        (
            "limits:\n  xyzxyzxyz: 1\n",
            "f:2: limits.xyzxyzxyz: expected a known key (one of header, request_body), found xyzxyzxyz"
        ),
        (
            "log: {colour: red}\n",
            "f:1: log.colour: expected a known key (one of level, format), found colour"
        ),
        ("workers: 1\n\nworkers: 2\n", "f:3: workers: expected once, found again (first on line 1)"),
        ("limits: 3\n", "f:1: limits: expected a mapping with header, …, found 3"),
        ("timeouts: [1s]\n", "f:1: timeouts: expected a mapping with header, …, found a list"),
        // Listeners
        ("listen: 127.0.0.1:1\n", "f:1: listen: expected a list, found 127.0.0.1:1"),
        ("listen: []\n", "f:1: listen: expected at least one, found an empty list"),
        ("listen:\n", "f:1: listen: expected a list, found nothing"),
        ("listen: [84840]\n", "f:1: listen[0]: expected \(ListenWord.expected), found 84840"),
        (
            "listen:\n  - 127.0.0.1:1\n  - ':84840'\n",
            "f:3: listen[1]: expected \(ListenWord.expected), found \":84840\""
        ),
        (
            "listen: ['127.0.0.1:70000']\n",
            "f:1: listen[0]: expected \(ListenWord.expected), found \"127.0.0.1:70000\""
        ),
        (
            "listen: ['::1:80']\n",
            "f:1: listen[0]: expected \(ListenWord.expected), found \"::1:80\""
        ),
        (
            "listen: ['example.org:80']\n",
            "f:1: listen[0]: expected \(ListenWord.expected), found \"example.org:80\""
        ),
        (
            "listen: ['unix:relative']\n",
            "f:1: listen[0]: expected \(ListenWord.expected), found \"unix:relative\""
        ),
        (
            "listen:\n  - '127.0.0.1:1'\n  - '0.0.0.0:1'\n",
            "f:3: listen[1]: expected a loopback address or unix: path under `access: loopback` (the default; "
                + "set `access: {keys: …}` or `access: open` in the configuration file to listen on others), "
                + "found 0.0.0.0:1"
        ),
        (
            "access: closed\n",
            "f:1: access: expected loopback, open, {keys: {credential: NAME}} or {keys: {file: PATH}}, found something else (not shown)"
        ),
        (
            "access: {keys: {env: K}}\n",
            "f:1: access.keys: expected {credential: NAME} or {file: PATH}, found other keys (not shown)"
        ),
        (
            "access: {keys: sk-secret}\n",
            "f:1: access.keys: expected {credential: NAME} or {file: PATH}, found something else (not shown)"
        ),
        ("hosts: ['a b']\n", "f:1: hosts[0]: expected a host name without port, found \"a b\""),
        ("hosts: ['a:80']\n", "f:1: hosts[0]: expected a host name without port, found \"a:80\""),
        ("proxy: ftp://x\n", "f:1: proxy: expected a URL with http, https or socks5, found ftp://x"),
        (
            "proxy: http://p:1/path\n",
            "f:1: proxy: expected no path after the proxy's host and port, found http://p:1/path"
        ),
        (
            "proxy: http://me:secret@p\n",
            "f:1: proxy: expected a URL without user and password, found one with (not shown)"
        ),
        // What may be a secret is not shown, wherever it stands.
        (
            "access: sk-live-0123456789abcdef\n",
            "f:1: access: expected loopback, open, {keys: {credential: NAME}} or {keys: {file: PATH}}, found something else (not shown)"
        ),
        (
            "proxy: ftp://me:secret@p\n",
            "f:1: proxy: expected a URL with http, https or socks5, found something else (not shown)"
        ),
        (
            "access: {keys: {credential: sk-live-0123}}\n",
            "f:1: access.keys.credential: expected a credential's name without slashes, found something else (not shown)"
        ),
        // Numbers, sizes, times
        ("workers: 0\n", "f:1: workers: expected auto or 1…256, found 0"),
        ("workers: 257\n", "f:1: workers: expected auto or 1…256, found 257"),
        ("workers: many\n", "f:1: workers: expected auto or 1…256, found many"),
        ("workers:\n", "f:1: workers: expected auto or 1…256, found nothing"),
        ("worker_slots: 0\n", "f:1: worker_slots: expected 1…1000000, found 0"),
        ("worker_slots: 1e3\n", "f:1: worker_slots: expected 1…1000000, found 1e3"),
        ("worker_slots: 0x10\n", "f:1: worker_slots: expected 1…1000000, found 0x10"),
        ("worker_slots: -1\n", "f:1: worker_slots: expected 1…1000000, found -1"),
        (
            "worker_slots: 99999999999999999999\n",
            "f:1: worker_slots: expected 1…1000000, found 99999999999999999999"
        ),
        ("limits: {header: 64}\n", "f:1: limits.header: expected a size such as 64KiB, 1KiB…1MiB, found 64"),
        ("limits: {header: 1B}\n", "f:1: limits.header: expected a size such as 64KiB, 1KiB…1MiB, found 1B"),
        (
            "limits: {header: 64 KiB}\n",
            "f:1: limits.header: expected a size such as 64KiB, 1KiB…1MiB, found 64 KiB"
        ),
        (
            "limits: {request_body: 999999999999GiB}\n",
            "f:1: limits.request_body: expected a size such as 64KiB, 1KiB…1GiB, found 999999999999GiB"
        ),
        ("timeouts: {header: 10}\n", "f:1: timeouts.header: expected a time such as 10s, 1ms…1d, found 10"),
        ("timeouts: {header: 0s}\n", "f:1: timeouts.header: expected a time such as 10s, 1ms…1d, found 0s"),
        ("timeouts: {idle: 5x}\n", "f:1: timeouts.idle: expected a time such as 10s, 1ms…1d, found 5x"),
        ("timeouts: {idle: 1s1h}\n", "f:1: timeouts.idle: expected a time such as 10s, 1ms…1d, found 1s1h"),
        ("timeouts: {drain: 2d}\n", "f:1: timeouts.drain: expected a time such as 10s, 0s…1d, found 2d"),
        (
            "timeouts: {idle: 999999999999999999d}\n",
            "f:1: timeouts.idle: expected a time such as 10s, 1ms…1d, found 999999999999999999d"
        ),
        (
            "supervision: {heartbeat: 1ms}\n",
            "f:1: supervision.heartbeat: expected a time such as 10s, 10ms…1h, found 1ms"
        ),
        (
            "supervision:\n  heartbeat: 6s\n",
            "f:2: supervision.hung_after: expected at least two heartbeats (12s), found 10s"
        ),
        (
            "log: {level: loud}\n",
            "f:1: log.level: expected one of error, warning, notice, info, debug, found loud"
        ),
        (
            "log: {format: color}\n",
            "f:1: log.format: expected one of auto, journal, colour, plain (nearest: colour), found color"
        ),
    ])
    func oneMistake(_ text: String, _ expected: String) {
        #expect(Self.mistakes(text) == [expected])
    }

    @Test("all mistakes are told at once, in the order of the lines")
    func allAtOnce() {
        let text = """
            workers: 0
            lisen: x
            timeouts:
              idle: never
            backends:
              - name: a
                url: nowhere
                weight: 300
              - name: A
                url: http://h
            """
        let mistakes = Self.mistakes(text)
        let places = mistakes.map { $0.split(separator: " ")[0] }
        #expect(places == ["f:1:", "f:2:", "f:4:", "f:7:", "f:8:", "f:9:"])
        #expect(mistakes.last?.contains("backends[1].name: duplicate name A") == true)
    }

    @Test("a bad entry does not shift the numbers of those after it")
    func numbers() {
        let listen = Self.mistakes("listen: [nonsense, '0.0.0.0:1']\n")
        #expect(listen.map { $0.split(separator: " ")[1] } == ["listen[0]:", "listen[1]:"])
        let models = Self.mistakes("models: [{match: '', use: a}, {match: b, use: c}, {match: B, use: d}]\n")
        #expect(models.map { $0.split(separator: " ")[1] } == ["models[0].match:", "models[2].match:"])
    }

    @Test("a flood of mistakes is cut and counted")
    func flood() {
        let text = (0..<300).map { "zzzzzz\($0): 1\n" }.joined()
        let mistakes = Self.mistakes(text)
        #expect(mistakes.count == 101)
        #expect(mistakes.last == "f: and 200 more mistakes")
    }

    @Test("what the command line says is judged by the same rules")
    func overrides() {
        let good = Configuration.parse(
            Array("listen: ['0.0.0.0:1']\n".utf8), name: "f",
            overrides: .init(listen: ["127.0.0.1:9", "unix:/run/x"], workers: "3"))
        guard case .good(let configuration) = good else {
            Issue.record("refused")
            return
        }
        #expect(configuration.listen == [.tcp(host: "127.0.0.1", port: 9), .unix(path: "/run/x")])
        #expect(configuration.workers == .fixed(3))
        #expect(
            Self.mistakes("", .init(listen: ["90000"], workers: "x")) == [
                "command line: --listen: expected \(ListenWord.expected), found 90000",
                "command line: --workers: expected auto or 1…256, found x",
            ])
        let open = Self.mistakes("", .init(listen: ["0.0.0.0:1"]))
        #expect(open.count == 1)
        #expect(open.first?.hasPrefix("command line: --listen: expected a loopback address") == true)
    }

    @Test("depth, number of values and size are limited before anything is built")
    func bounds() {
        let deep = String(repeating: "[", count: 30) + String(repeating: "]", count: 30)
        #expect(Self.mistakes("a: \(deep)\n") == ["f:1: expected at most 16 levels, found more"])
        // Each line doubles what the one before it holds.
        let bomb =
            "a0: &a0 [1, 1]\n" + (1..<40).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1)]\n" }.joined()
        let found = Self.mistakes(bomb)
        #expect(found.count == 1 && found[0].hasSuffix("expected at most 20000 values, found more"))
        let large = Self.mistakes("#" + String(repeating: "x", count: 1 << 20))
        #expect(large == ["f:1: expected at most 1024 KiB, found more"])
    }

    @Test("text from outside is shown short and without control characters")
    func shown() {
        let long = String(repeating: "x", count: 300)
        #expect(Self.mistakes("\(long): 1\n").first?.contains(String(repeating: "x", count: 61)) == false)
        #expect(
            Self.mistakes("workers: \"a\\e[31m\\nb\"\n") == [
                "f:1: workers: expected auto or 1…256, found \"a?[31m?b\""
            ])
    }

    @Test("random bytes and mutilated files never trap", arguments: 0..<8)
    func random(seed: UInt64) {
        var generator = SeededRandom(seed: seed)
        let sample = Array(ConfigurationTests.everything.utf8)
        for _ in 0..<300 {
            var bytes = sample
            for _ in 0..<Int.random(in: 1...12, using: &generator) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.removeSubrange(at...)
                case 2: bytes.insert(contentsOf: Array("\n[{*&!\t:".utf8).shuffled(using: &generator), at: at)
                default: bytes.remove(at: at)
                }
            }
            if case .bad(let mistakes) = Configuration.parse(bytes, name: "f") { #expect(!mistakes.isEmpty) }
            let noise = (0..<64).map { _ in UInt8.random(in: 0...255, using: &generator) }
            _ = Configuration.parse(noise, name: "f")
        }
    }
}
