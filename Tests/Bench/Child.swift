// A program under measurement or a tool of the suite: started with its output in a log, ended by its pid.
// All of them die with the suite.

import CSystem
import Glibc

final class Child {
    let pid: pid_t
    let name: String
    private let pidfd: Int32
    private(set) var exitCode: Int32?

    /// `listener` becomes descriptor 3 by the socket activation protocol (sd_listen_fds(3)).
    init(_ name: String, _ path: String, _ arguments: [String], log: String, listener: Int32? = nil) throws {
        // The shell redirects the output and knows the pid that socket activation wants to be told; exec keeps it.
        let activation = listener == nil ? "" : "export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=http; "
        let words = ["/bin/sh", "-c", activation + "exec \"$0\" \"$@\" >>'\(log)' 2>&1", path] + arguments
        var argv = words.map { strdup($0) } + [nil]
        var envp = Self.environment.map { strdup($0) } + [nil]
        defer { for text in argv + envp { free(text) } }
        let descriptors = listener.map { [$0] } ?? []
        var handle: Int32 = -1
        let pid = "/bin/sh".withCString { shell in
            descriptors.withUnsafeBufferPointer { fds in
                argv.withUnsafeMutableBufferPointer { argv in
                    envp.withUnsafeMutableBufferPointer { envp in
                        var plan = cs_spawn()
                        plan.path = shell
                        plan.argv = UnsafePointer(argv.baseAddress)
                        plan.envp = UnsafePointer(envp.baseAddress)
                        plan.descriptors = fds.baseAddress
                        plan.descriptor_count = fds.count
                        return cs_spawn(&plan, &handle)
                    }
                }
            }
        }
        guard pid > 0 else { throw BenchError.system("start \(path)") }
        self.pid = pid
        self.name = name
        pidfd = handle
    }

    deinit {
        if exitCode == nil { end(with: SIGKILL, patience: 2) }
        close(pidfd)
    }

    private static var environment: [String] {
        let kept: [String] = ["PATH", "HOME", "LANG", "LD_LIBRARY_PATH"]
        return kept.compactMap { name in getenv(name).map { "\(name)=\(String(cString: $0))" } }
    }

    var tree: ProcessTree { ProcessTree(root: pid) }

    /// True while it runs; reaps it otherwise.
    var runs: Bool {
        guard exitCode == nil else { return false }
        var code: Int32 = 0
        var signalled: Int32 = 0
        guard cs_reap(pid, &code, &signalled) != 0 else { return true }
        exitCode = signalled != 0 ? 128 + code : code
        return false
    }

    /// Sends a signal and waits for the end; SIGKILL to the whole tree when `patience` (seconds) is over.
    /// Returns the seconds it took.
    @discardableResult func end(with signal: Int32 = SIGTERM, patience: Double = 5) -> Double {
        guard runs else { return 0 }
        let begin = cs_now()
        let members = tree.members
        cs_pidfd_signal(pidfd, signal)
        while runs, Double(cs_now() - begin) / 1e9 < patience { usleep(2000) }
        if runs {
            for member in members.reversed() { kill(member, SIGKILL) }
            while runs { usleep(2000) }
        }
        return Double(cs_now() - begin) / 1e9
    }

    func signal(_ signal: Int32) { cs_pidfd_signal(pidfd, signal) }
}
