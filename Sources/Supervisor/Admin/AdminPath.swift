// Where the socket of `dragoman status` lies when systemd passes none, and where it is looked for.

import Glibc

enum AdminPath {
    static let name = "admin.sock"
    /// Where the unit's socket is.
    static let system = "/run/dragoman/\(name)"

    /// Where this process would make its own: the unit's RuntimeDirectory, the user's runtime folder,
    /// /run for root, else a folder of the user's own in /tmp. Pure.
    static func own(user: uid_t, variable: (String) -> String?) -> String {
        if let folder = variable("RUNTIME_DIRECTORY")?.split(separator: ":").first {
            return "\(folder)/\(name)"
        }
        if let folder = variable("XDG_RUNTIME_DIR"), folder.hasPrefix("/") {
            return "\(folder)/dragoman/\(name)"
        }
        return user == 0 ? system : "/tmp/dragoman-\(user)/\(name)"
    }

    /// Where `dragoman status` looks, in order. Inside a unit (or whoever names a RUNTIME_DIRECTORY) only
    /// that daemon is meant.
    static func candidates(user: uid_t, variable: (String) -> String?) -> [String] {
        let first = own(user: user, variable: variable)
        return first == system || variable("RUNTIME_DIRECTORY") != nil ? [first] : [first, system]
    }

    /// Makes the folder, for this user alone, when it is missing; false when it cannot be had, or belongs
    /// to somebody else (in /tmp others could have made it first).
    static func prepareFolder(of path: String, user: uid_t) -> Bool {
        guard let slash = path.lastIndex(of: "/") else { return false }
        let folder = String(path[..<slash])
        if mkdir(folder, 0o700) == 0 { return true }
        var facts = stat()
        return errno == EEXIST && lstat(folder, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
            && facts.st_uid == user && facts.st_mode & 0o022 == 0
    }
}
