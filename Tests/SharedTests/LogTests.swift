// Entries as bytes, the choice of the sink, and that logging neither waits nor can be forged.

import Glibc
import TestSupport
import Testing

@testable import Shared

@Suite struct LogTests {
    static let clock = LogEntry.Clock(microseconds: 1_767_323_045_678_901)

    static func line(_ fields: LogFields, _ style: LogEntry.Style = .plain, level: LogLevel = .info) -> String
    {
        let entry = LogEntry(level: level, event: "worker died", fields: fields, constants: ["worker": 2])
        return String(decoding: entry.line(style, at: clock), as: UTF8.self)
    }

    @Test func plainLine() {
        #expect(
            Self.line(["signal": "SEGV", "served": 418, "age": "3h 12m"])
                == "2026-01-02T03:04:05.678Z info worker died signal=SEGV served=418 age=\"3h 12m\" worker=2\n"
        )
    }

    @Test func prefixedLine() {
        #expect(Self.line(["a": "b"], .prefixed, level: .warning) == "<4>worker died a=b worker=2\n")
    }

    @Test func colouredLine() {
        let line = Self.line(["a": "b"], .colour, level: .error)
        #expect(line.contains("\u{1b}[1;31merror\u{1b}[0m worker died \u{1b}[2ma=\u{1b}[0mb"))
        #expect(line.contains("03:04:05.678"))
    }

    @Test(arguments: [
        ("", "\"\""), ("a b", "\"a b\""), ("a=b", "\"a=b\""), ("a\nlevel=error", "\"a\\nlevel=error\""),
        ("\r\t\"\\", "\"\\r\\t\\\"\\\\\""), ("\u{1b}[31m", "\"\\u{1b}[31m\""), ("\u{0}", "\"\\u{0}\""),
        ("ü", "\"ü\""), ("\u{85}\u{2028}\u{202e}", "\"\\u{85}\\u{2028}\\u{202e}\""),
        ("\u{7f}", "\"\\u{7f}\""),
        ("req_8f/x-1.2:3", "req_8f/x-1.2:3"),
    ])
    func values(_ text: String, _ written: String) {
        #expect(
            Self.line(["v": .text(text)])
                == "2026-01-02T03:04:05.678Z info worker died v=\(written) worker=2\n")
    }

    @Test("whatever the values, one entry is one line of bounded length", arguments: 0..<4)
    func oneLine(seed: UInt64) {
        var generator = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let count = Int.random(in: 0..<6000, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let text = LogValue(String(decoding: bytes, as: UTF8.self))
            for style: LogEntry.Style in [.plain, .prefixed, .colour] {
                let line = LogEntry(level: .info, event: "e", fields: ["a": text, "b": text], constants: [:])
                    .line(style, at: Self.clock)
                #expect(line.count <= LogEntry.maximumLineBytes + 16)
                #expect(line.firstIndex(of: 0x0a) == line.count - 1)
                #expect(String(validating: line, as: UTF8.self) != nil)
                if style != .colour { #expect(!line.contains(0x1b)) }
            }
        }
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"), (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_999_999, "2024-02-29T23:59:59.999Z"),
        (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ])
    func dates(_ time: Int64, _ written: String) {
        var out: [UInt8] = []
        LogEntry.Clock(microseconds: time).appendDate(to: &out)
        #expect(String(decoding: out, as: UTF8.self) == written)
    }

    @Test func datagram() {
        let entry = LogEntry(
            level: .notice, event: LogEvent("worker ready", id: "0123456789abcdef0123456789abcdef"),
            fields: ["duration_us": 12, "note": "a\nPRIORITY=0", "object_pid": 7], constants: ["worker": 2])
        let bytes = entry.datagram(identifier: "dragoman", file: "Shared/X.swift", line: 9)
        var expected = Array(
            """
            PRIORITY=5
            SYSLOG_IDENTIFIER=dragoman
            CODE_FILE=Shared/X.swift
            CODE_LINE=9
            MESSAGE_ID=0123456789abcdef0123456789abcdef
            MESSAGE=worker ready duration_us=12 note="a\\nPRIORITY=0" object_pid=7 worker=2
            DRAGOMAN_DURATION_US=12
            DRAGOMAN_NOTE

            """.utf8)
        expected += [12, 0, 0, 0, 0, 0, 0, 0]
        expected += "a\nPRIORITY=0\nOBJECT_PID=7\nDRAGOMAN_WORKER=2\n".utf8
        #expect(bytes == expected)
    }

    @Test(arguments: [
        ("8:42", true), ("8:43", false), ("9:42", false), ("8", false), ("8:42:1", false), ("", false),
        ("08:42x", false), (nil, false),
    ])
    func journalStream(_ variable: String?, _ expected: Bool) {
        #expect(Journal.isStream(variable: variable, device: 8, inode: 42) == expected)
    }

    @Test("lines from before there is a log have their priority, each of them")
    func prefixed() {
        #expect(StandardError.prefixed("f:1: a\nf:2: b\n") == "<3>f:1: a\n<3>f:2: b")
    }
}

/// With real descriptors.
@Suite struct LogSinkTests {
    static func pipe() -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        #expect(Glibc.pipe(&ends) == 0)
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        return (ends[0], ends[1])
    }

    static func text(from fd: Int32) -> String {
        var room = [UInt8](repeating: 0, count: 1 << 20)
        var all: [UInt8] = []
        while case let count = read(fd, &room, room.count), count > 0 { all += room[..<count] }
        return String(decoding: all, as: UTF8.self)
    }

    static func log(
        _ format: Configuration.LogFormat, _ fd: Int32, _ variables: [String: String] = [:],
        journal: String = "/nonexistent"
    ) -> Log {
        let sink = LogSink.chosen(format, stderr: fd, journal: journal) { variables[$0] }
        return Log(level: .info, identifier: "dragoman", constants: [:], sink: sink)
    }

    static func stream(_ fd: Int32) -> String {
        var facts = stat()
        #expect(fstat(fd, &facts) == 0)
        return "\(facts.st_dev):\(facts.st_ino)"
    }

    @Test func levels() {
        let (reader, writer) = Self.pipe()
        let log = Self.log(.auto, writer)
        log.debug("hidden")
        log.error("shown", ["a": 1])
        #expect(Self.text(from: reader).hasSuffix("Z error shown a=1\n"))
        #expect(log.takes(.info) && !log.takes(.debug))
    }

    @Test func colourOnlyWhenAskedOrOnATerminal() {
        let (reader, writer) = Self.pipe()
        Self.log(.colour, writer).info("x")
        #expect(Self.text(from: reader).contains("\u{1b}["))
        Self.log(.auto, writer, ["TERM": "xterm"]).info("x")
        #expect(!Self.text(from: reader).contains("\u{1b}["))
    }

    @Test(arguments: [
        (["TERM": "xterm"], true), (["TERM": "dumb"], false), ([:], false),
        (["TERM": "xterm", "NO_COLOR": "1"], false), (["TERM": "xterm", "NO_COLOR": ""], true),
    ])
    func terminal(_ variables: [String: String], _ colour: Bool) throws {
        let master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)
        var number: Int32 = 0
        var unlocked: Int32 = 0
        // TIOCSPTLCK and TIOCGPTN (ioctl_tty(2)).
        try #require(ioctl(master, 0x4004_5431, &unlocked) == 0 && ioctl(master, 0x8004_5430, &number) == 0)
        let name = "/dev/pts/\(number)"
        let terminal = open(name, O_RDWR | O_NOCTTY)
        defer {
            close(terminal)
            close(master)
        }
        Self.log(.auto, terminal, variables).info("x")
        #expect(Self.text(from: master).contains("\u{1b}[") == colour)
    }

    @Test("native entries go to the journal's socket only when stderr is its stream")
    func journal() throws {
        let path = "/tmp/dragoman-journal.\(getpid()).\(UInt32.random(in: 0 ... .max))"
        let server = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = try #require(Journal.address(path))
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(server, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
        defer { unlink(path) }
        let (reader, writer) = Self.pipe()
        let ours = ["JOURNAL_STREAM": Self.stream(writer)]

        Self.log(.auto, writer, ours, journal: path).warning("native", ["a": 1])
        #expect(Self.text(from: reader) == "")
        #expect(Self.text(from: server).hasPrefix("PRIORITY=4\nSYSLOG_IDENTIFIER=dragoman\nCODE_FILE="))
        // Another stream's numbers: stderr was redirected since.
        Self.log(.auto, writer, ["JOURNAL_STREAM": Self.stream(reader) + "9"], journal: path).info("line")
        #expect(Self.text(from: reader).hasSuffix("Z info line\n"))
        #expect(Self.text(from: server) == "")
        // The journal reads us, but native is off or not to be had.
        Self.log(.plain, writer, ours, journal: path).info("line")
        #expect(Self.text(from: reader) == "<6>line\n")
        Self.log(.auto, writer, ours, journal: path + ".gone").info("line")
        #expect(Self.text(from: reader) == "<6>line\n")

        // A journal that does not read: nothing waits, and nothing short of the limit is lost.
        let log = Self.log(.auto, writer, ours, journal: path)
        for number in 0..<1000 { log.info("burst", ["number": LogValue(number)]) }
        var received = ""
        for _ in 0..<1000 {
            let part = Self.text(from: server)
            if part.isEmpty { break }
            received += part
            log.flush()
        }
        received += Self.text(from: server)
        #expect(received.lines(with: "DRAGOMAN_NUMBER") == 1000)
        #expect(!received.contains("entries lost"))
        close(server)
    }

    @Test("a full pipe neither waits nor tears lines; what exceeds the limit is counted where it is missing")
    func fullPipe() {
        let (reader, writer) = Self.pipe()
        let log = Self.log(.plain, writer)
        let padding = LogValue(String(repeating: "x", count: 1000))
        for number in 0..<3000 { log.info("flood", ["number": LogValue(number), "padding": padding]) }
        // It would fit, but not before the count of what is older.
        log.info("tiny")
        // Stderr's own flags are shared with others and stay.
        #expect(fcntl(writer, F_GETFL) & O_NONBLOCK == 0)
        var text = ""
        while case let part = Self.text(from: reader), !part.isEmpty {
            text += part
            log.flush()
        }
        log.info("after")
        text += Self.text(from: reader)
        let lines = text.split(separator: "\n")
        let kept = lines.count - 2
        // The pipe's 64 KiB and the limit's 1 MiB.
        #expect((950...1150).contains(kept))
        for (number, line) in lines.prefix(kept).enumerated() {
            #expect(line.contains(" flood number=\(number) padding=x") && line.hasSuffix("xxx"))
        }
        #expect(lines.dropLast().last?.hasSuffix("warning log entries lost count=\(3001 - kept)") == true)
        #expect(lines.last?.hasSuffix("info after") == true)
    }

    @Test("at the end what waits is written, or given up in time")
    func finish() {
        let (reader, writer) = Self.pipe()
        let log = Self.log(.plain, writer)
        for _ in 0..<3000 { log.info("flood") }
        log.finish(longest: .milliseconds(20))
        let first = Self.text(from: reader)
        log.finish(longest: .seconds(5))
        let second = Self.text(from: reader)
        #expect((first + second).lines(with: "flood") == 3000)
    }

    @Test func files() throws {
        let path = "/tmp/dragoman-log.\(getpid()).\(UInt32.random(in: 0 ... .max))"
        let file = open(path, O_RDWR | O_CREAT, 0o600)
        defer { unlink(path) }
        try #require(write(file, "before\n", 7) == 7)
        Self.log(.auto, file).info("x")
        lseek(file, 0, SEEK_SET)
        let text = Self.text(from: file)
        #expect(text.hasPrefix("before\n2") && text.hasSuffix(" info x\n"))
        close(file)
    }
}

extension String {
    /// Lines that begin or end with `part`.
    fileprivate func lines(with part: String) -> Int {
        split(separator: "\n").count { $0.hasPrefix(part) || $0.hasSuffix(part) }
    }
}
