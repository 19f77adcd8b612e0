// Which configuration file is meant, and its text.

import Glibc
import Shared

struct ConfigurationSource {
    static let systemPath = "/etc/dragoman/dragoman.yaml"
    /// Larger files are a mistake of another kind.
    static let maximumBytes = 1 << 20

    /// The file's name for messages; "" for the built-in defaults.
    let name: String
    let text: [UInt8]

    /// `--config`, $DRAGOMAN_CONFIG, the system's file if there is one, else the defaults.
    static func find(_ given: String?) throws(Mistake) -> ConfigurationSource {
        if let given { return try read(given) }
        if let variable = getenv("DRAGOMAN_CONFIG").map({ String(cString: $0) }), !variable.isEmpty {
            return try read(variable)
        }
        if access(systemPath, F_OK) == 0 { return try read(systemPath) }
        return ConfigurationSource(name: "", text: [])
    }

    private static func read(_ path: String) throws(Mistake) -> ConfigurationSource {
        func mistake(_ text: String) -> Mistake { Mistake(source: path, line: nil, key: "", text: text) }
        guard let file = Descriptor(adopting: open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) else {
            throw mistake("expected a file that can be read, found: \(errorText(errno))")
        }
        var text: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(file.raw, &room, room.count)
            guard count >= 0 else {
                if errno == EINTR { continue }
                throw mistake("expected a file that can be read, found: \(errorText(errno))")
            }
            guard count > 0 else { return ConfigurationSource(name: path, text: text) }
            text += room.prefix(count)
            guard text.count <= maximumBytes else {
                throw mistake("expected at most \(maximumBytes) bytes, found more")
            }
        }
    }
}
