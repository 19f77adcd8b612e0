// The log of either process: where entries go is decided once, at start. Logging never waits and never
// fails. An entry that finds no room is kept, in order, within a limit; beyond it entries are counted, and
// the count stands where they would have stood.

internal import Glibc
internal import Synchronization

/// The log of this process. Levels mean: error = someone must act; warning = we recovered; notice =
/// life-cycle; info = one entry per exchange; debug = off by default.
public final class Log: Sendable {
    private let level: LogLevel
    private let identifier: StaticString
    private let constants: LogFields
    private let sink: LogSink
    private let backlog: Backlog

    /// Most bytes kept of entries that found no room.
    public static let backlogBytes = 1 << 20

    /// - Parameters:
    ///   - identifier: SYSLOG_IDENTIFIER, `dragoman` or `dragoman-worker`.
    ///   - constants: fields that every entry carries, such as worker and generation.
    public convenience init(
        _ settings: Configuration.LogSettings, identifier: StaticString, constants: LogFields = [:]
    ) {
        let sink = LogSink.chosen(settings.format, stderr: STDERR_FILENO) { name in
            getenv(name).map { String(cString: $0) }
        }
        self.init(level: settings.level, identifier: identifier, constants: constants, sink: sink)
    }

    init(
        level: LogLevel, identifier: StaticString, constants: LogFields, sink: LogSink,
        backlog: Backlog = Backlog()
    ) {
        self.level = level
        self.identifier = identifier
        self.constants = constants
        self.sink = sink
        self.backlog = backlog
    }

    /// The same log with other constant fields.
    public func with(level: LogLevel? = nil, constants: LogFields) -> Log {
        Log(
            level: level ?? self.level, identifier: identifier, constants: constants, sink: sink,
            backlog: backlog)
    }

    /// Whether an entry of this level would be written; for fields that cost something to gather.
    public func takes(_ level: LogLevel) -> Bool { level <= self.level }

    public func error(
        _ event: LogEvent, _ fields: @autoclosure () -> LogFields = [:], file: StaticString = #fileID,
        line: UInt = #line
    ) {
        write(.error, event, fields, file, line)
    }

    public func warning(
        _ event: LogEvent, _ fields: @autoclosure () -> LogFields = [:], file: StaticString = #fileID,
        line: UInt = #line
    ) {
        write(.warning, event, fields, file, line)
    }

    public func notice(
        _ event: LogEvent, _ fields: @autoclosure () -> LogFields = [:], file: StaticString = #fileID,
        line: UInt = #line
    ) {
        write(.notice, event, fields, file, line)
    }

    public func info(
        _ event: LogEvent, _ fields: @autoclosure () -> LogFields = [:], file: StaticString = #fileID,
        line: UInt = #line
    ) {
        write(.info, event, fields, file, line)
    }

    public func debug(
        _ event: LogEvent, _ fields: @autoclosure () -> LogFields = [:], file: StaticString = #fileID,
        line: UInt = #line
    ) {
        write(.debug, event, fields, file, line)
    }

    private func write(
        _ level: LogLevel, _ event: LogEvent, _ fields: () -> LogFields, _ file: StaticString, _ line: UInt
    ) {
        guard level <= self.level else { return }
        let entry = LogEntry(level: level, event: event, fields: fields(), constants: constants)
        let bytes = sink.bytes(of: entry, identifier: identifier, file: file, line: line)
        backlog.waiting.withLock { waiting in
            push(&waiting)
            if waiting.isEmpty, sink.send(bytes) { return }
            waiting.append(bytes)
        }
    }

    /// Writes what found no room before, as far as there is room now. Entries that follow do the same; a
    /// loop calls this now and then, so that the last entries of a burst do not wait for the next one.
    public func flush() { backlog.waiting.withLock { push(&$0) } }

    /// At the end of the process: as `flush`, and waits for room, `longest` in all.
    public func finish(longest: Duration = .seconds(1)) {
        let end = ContinuousClock.now + longest
        while true {
            let isEmpty = backlog.waiting.withLock { waiting in
                push(&waiting)
                return waiting.isEmpty
            }
            guard !isEmpty, ContinuousClock.now < end else { return }
            usleep(5000)
        }
    }

    private func push(_ waiting: inout Waiting) {
        while let first = waiting.first {
            guard sink.send(first) else { return }
            waiting.removeFirst()
        }
        guard waiting.lost > 0 else { return }
        let entry = LogEntry(
            level: .warning, event: .entriesLost, fields: ["count": LogValue(waiting.lost)],
            constants: constants)
        if sink.send(sink.bytes(of: entry, identifier: identifier, file: #fileID, line: #line)) {
            waiting.lost = 0
        }
    }

    /// Shared by the logs of one process that write to one place.
    final class Backlog: Sendable {
        fileprivate let waiting = Mutex(Waiting())
    }

    /// Entries as bytes, the oldest first.
    fileprivate struct Waiting {
        private var entries: [[UInt8]] = []
        private var head = 0
        private var bytes = 0
        /// Entries that came when there was no room here either; they are younger than all that wait.
        var lost = 0

        var isEmpty: Bool { head == entries.count && lost == 0 }
        var first: [UInt8]? { head < entries.count ? entries[head] : nil }

        mutating func append(_ entry: [UInt8]) {
            guard lost == 0, bytes + entry.count <= Log.backlogBytes else {
                lost += 1
                return
            }
            entries.append(entry)
            bytes += entry.count
        }

        mutating func removeFirst() {
            bytes -= entries[head].count
            entries[head] = []
            head += 1
            guard head == entries.count else { return }
            entries = []
            head = 0
        }
    }
}

extension LogEvent {
    static let entriesLost = LogEvent("log entries lost", id: "8dee4ce28e0b4a3aa86290ecd676e661")
}
