// The log of either process: where entries go is decided once, at start. Logging never waits and never
// fails: an entry that finds no room is counted, and the next one that does is preceded by the count.

internal import Glibc
internal import Synchronization

/// The log of this process. Levels mean: error = someone must act; warning = we recovered; notice =
/// life-cycle; info = one entry per exchange; debug = off by default.
public final class Log: Sendable {
    private let level: LogLevel
    private let identifier: StaticString
    private let constants: LogFields
    private let sink: LogSink
    private let lost = Atomic<Int>(0)

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

    init(level: LogLevel, identifier: StaticString, constants: LogFields, sink: LogSink) {
        self.level = level
        self.identifier = identifier
        self.constants = constants
        self.sink = sink
    }

    /// The same log with other constant fields.
    public func with(level: LogLevel? = nil, constants: LogFields) -> Log {
        Log(level: level ?? self.level, identifier: identifier, constants: constants, sink: sink)
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
        let before = lost.load(ordering: .relaxed)
        if before > 0 {
            let entry = LogEntry(
                level: .warning, event: .entriesLost, fields: ["count": LogValue(before)],
                constants: constants)
            if put(entry, #fileID, #line) { lost.subtract(before, ordering: .relaxed) }
        }
        let entry = LogEntry(level: level, event: event, fields: fields(), constants: constants)
        if !put(entry, file, line) { lost.add(1, ordering: .relaxed) }
    }

    private func put(_ entry: LogEntry, _ file: StaticString, _ line: UInt) -> Bool {
        sink.write(entry, identifier: identifier, file: file, line: line)
    }
}

extension LogEvent {
    static let entriesLost = LogEvent("log entries lost", id: "8dee4ce28e0b4a3aa86290ecd676e661")
}
