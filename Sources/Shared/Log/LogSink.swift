// Where entries go. Chosen once; a write gives false when there was no room, and never waits.

internal import CSystem
internal import Glibc

struct LogSink: Sendable {
    private enum Way: Sendable {
        case journal(Int32, path: String)
        /// Stream sockets: the flag of the call keeps it from waiting.
        case socket(Int32)
        /// An own, non-blocking opening of the pipe or terminal behind stderr; stderr's own flags are
        /// shared with other processes (the user's shell) and stay as they are.
        case reopened(Int32)
        /// Files do not make us wait.
        case file(Int32)
        /// What cannot be written now is dropped.
        case asked(Int32)
    }

    private let way: Way
    private let style: LogEntry.Style

    /// `auto` = the journal when stderr is its stream, colour on a terminal, else plain.
    static func chosen(
        _ format: Configuration.LogFormat, stderr: Int32, journal: String = Journal.socketPath,
        variable: (String) -> String?
    ) -> LogSink {
        var facts = stat()
        let known = fstat(stderr, &facts) == 0
        let isJournal =
            known
            && Journal.isStream(
                variable: variable("JOURNAL_STREAM"), device: UInt64(facts.st_dev),
                inode: UInt64(facts.st_ino))
        let wantsJournal = format == .journal || (format == .auto && isJournal)
        if wantsJournal, access(journal, W_OK) == 0, Journal.address(journal) != nil {
            let fd = Journal.open()
            if fd >= 0 { return LogSink(way: .journal(fd, path: journal), style: .plain) }
        }
        let style: LogEntry.Style =
            switch format {
            case .colour: .colour
            case .auto where wantsColour(stderr, variable): .colour
            default: isJournal ? .prefixed : .plain
            }
        return LogSink(way: stream(stderr, known ? facts.st_mode & S_IFMT : 0), style: style)
    }

    /// no-color.org, and terminals that say they can do nothing.
    private static func wantsColour(_ fd: Int32, _ variable: (String) -> String?) -> Bool {
        guard isatty(fd) == 1, let terminal = variable("TERM"), terminal != "dumb" else { return false }
        return (variable("NO_COLOR") ?? "").isEmpty
    }

    private static func stream(_ fd: Int32, _ kind: mode_t) -> Way {
        switch kind {
        case S_IFSOCK: return .socket(fd)
        case S_IFIFO, S_IFCHR:
            let own = open("/proc/self/fd/\(fd)", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
            return own >= 0 ? .reopened(own) : .asked(fd)
        case S_IFREG: return .file(fd)
        default: return .asked(fd)
        }
    }

    /// What `send` takes, with the time of now.
    func bytes(of entry: LogEntry, identifier: StaticString, file: StaticString, line: UInt) -> [UInt8] {
        if case .journal = way { return entry.datagram(identifier: identifier, file: file, line: line) }
        return entry.line(style, at: .now())
    }

    /// False: no room now.
    func send(_ bytes: [UInt8]) -> Bool {
        switch way {
        case .journal(let fd, let path):
            guard let address = Journal.address(path) else { return false }
            return Journal.send(bytes, from: fd, to: address)
        case .socket(let fd):
            return retried { Glibc.send(fd, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL)) }
        case .reopened(let fd), .file(let fd):
            return retried { Glibc.write(fd, bytes, bytes.count) }
        case .asked(let fd):
            var question = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
            guard poll(&question, 1, 0) == 1, question.revents & Int16(POLLOUT) != 0 else { return false }
            return retried { Glibc.write(fd, bytes, bytes.count) }
        }
    }

    private func retried(_ call: () -> Int) -> Bool {
        while true {
            let count = call()
            if count >= 0 { return true }
            guard errno == EINTR else { return false }
        }
    }
}

extension LogEntry.Clock {
    static func now() -> LogEntry.Clock {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return LogEntry.Clock(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
