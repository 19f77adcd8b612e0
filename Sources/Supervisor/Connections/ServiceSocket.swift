// Whether systemd holds the service's socket, for `dragoman status` when no daemon answers: asked of
// systemctl, which knows how to ask. The daemon itself never calls this.

import Glibc

enum ServiceSocket {
    private static let unit = "dragoman.socket"
    private static let programs: [String] = ["/usr/bin/systemctl", "/bin/systemctl"]

    /// False also where there is no systemd.
    static var isListening: Bool {
        guard access("/run/systemd/system", F_OK) == 0,
            let program = programs.first(where: { access($0, X_OK) == 0 })
        else { return false }
        let words = ["systemctl", "is-active", "--quiet", unit]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var variables: [UnsafeMutablePointer<CChar>?] = [nil]
        var pid: pid_t = 0
        guard posix_spawn(&pid, program, nil, nil, &arguments, &variables) == 0 else { return false }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 { guard errno == EINTR else { return false } }
        return status == 0
    }
}
