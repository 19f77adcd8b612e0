// Which configuration file is meant, and its text.

import Glibc
import Shared

struct ConfigurationSource {
    static let systemPath = "/etc/dragoman/dragoman.yaml"
    /// Larger files are a mistake of another kind.
    static let maximumBytes = 1 << 20

    /// How long each part of a configuration that comes through a pipe may be waited for.
    static let pipePatience: Duration = .seconds(10)

    /// The file's name for messages; "" for the built-in defaults.
    let name: String
    let text: [UInt8]

    var shownName: String { name.isEmpty ? "built-in defaults" : name }

    /// `--config`, $DRAGOMAN_CONFIG, the system's file if there is one, else the defaults.
    static func find(_ given: String?) throws(Mistake) -> ConfigurationSource {
        if let given { return try read(given) }
        if let variable = getenv("DRAGOMAN_CONFIG").map({ String(cString: $0) }), !variable.isEmpty {
            return try read(variable)
        }
        if access(systemPath, F_OK) == 0 { return try read(systemPath) }
        return ConfigurationSource(name: "", text: [])
    }

    static func read(
        _ path: String, patience: Duration = pipePatience
    ) throws(Mistake) -> ConfigurationSource {
        func mistake(_ text: String) -> Mistake { Mistake(source: path, line: nil, key: "", text: text) }
        // Opening a pipe that nobody writes to would wait for ever otherwise.
        guard let file = Descriptor(adopting: open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) else {
            throw mistake("expected a file that can be read, found: \(errorText(errno))")
        }
        var facts = stat()
        let isFile = fstat(file.raw, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG
        var text: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65_536)
        while true {
            guard isFile || awaitBytes(file.raw, patience) else {
                throw mistake(
                    "expected a configuration, found a pipe with nothing coming for \(patience.brief)")
            }
            let count = Glibc.read(file.raw, &room, room.count)
            guard count >= 0 else {
                if errno == EINTR || errno == EAGAIN { continue }
                throw mistake("expected a file that can be read, found: \(errorText(errno))")
            }
            guard count > 0 else { break }
            text += room.prefix(count)
            guard text.count <= maximumBytes else {
                throw mistake("expected at most \(maximumBytes) bytes, found more")
            }
        }
        // An empty file means the defaults; an empty pipe means that the command before it has failed.
        guard isFile || !text.isEmpty || facts.st_mode & S_IFMT == S_IFCHR else {
            throw mistake("expected a configuration, found an empty pipe")
        }
        return ConfigurationSource(name: path, text: text)
    }

    /// False when nothing has come, nor the end, in time.
    private static func awaitBytes(_ file: Int32, _ patience: Duration) -> Bool {
        var question = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
        let deadline = MonotonicInstant.now() + patience
        while true {
            let left = deadline.since(.now()).inNanoseconds / 1_000_000
            let found = poll(&question, 1, Int32(clamping: left))
            if found > 0 { return true }
            guard found < 0, errno == EINTR else { return false }
        }
    }
}
