// What the journal says when a worker's life has ended: which worker, how old, what it had served, how
// it ended and when the next one starts. Pure.

import Shared

/// How a process ended.
enum Ending: Equatable, Sendable {
    case exited(status: Int32)
    case signalled(Int32)
    /// It never ran: fork or exec failed.
    case neverStarted(reason: String)
}

/// Why the supervisor ended a worker itself.
enum KillReason: Equatable, Sendable {
    /// No answer to the heartbeat for `supervision.hung_after`.
    case hung(Duration)
    /// Stopped (SIGSTOP, a debugger) while it held connections it had not acknowledged.
    case stopped
    /// Not ready within the handshake's deadline.
    case handshakeLate
    /// A message that is not permitted, or not a message.
    case violation(String)
    /// It closed its control channel but lives on.
    case channelEnded
    /// It did not finish within `timeouts.drain`, or did not exit after it had said so.
    case drainLate
    /// The service ends at once.
    case serviceEnds

    var text: String {
        switch self {
        case .hung(let silence): "no heartbeat for \(silence.brief)"
        case .stopped: "stopped, with connections waiting for it"
        case .handshakeLate: "not ready in time"
        case .violation(let what): "protocol violation: \(what)"
        case .channelEnded: "it closed its control channel"
        case .drainLate: "not finished in time"
        case .serviceEnds: "the service ends at once"
        }
    }
}

struct Obituary: Equatable, Sendable {
    let worker: WorkerID
    let number: Int
    /// Zero when it never started.
    let pid: Int32
    let age: Duration
    let served: UInt64
    /// Connections it held by its last report; they are lost with it.
    let connections: UInt32
    let ending: Ending
    let killedFor: KillReason?
    /// When its successor starts; nil when there is none because the service stops.
    let restart: Duration?
    /// It was told to drain, said that it had, and exited with 0.
    let wasClean: Bool

    /// `now`, `in 400ms` or `never`.
    var restartText: String {
        guard let restart else { return "never" }
        return restart == .zero ? "now" : "in \(restart.brief)"
    }
}

/// `SIGKILL` and so on, as in signal(7); `signal 40` for one without a name.
func signalName(_ number: Int32) -> String {
    let names: [Int32: String] = [
        1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL",
        10: "USR1", 11: "SEGV", 12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 16: "STKFLT", 17: "CHLD",
        18: "CONT", 19: "STOP", 20: "TSTP", 21: "TTIN", 22: "TTOU", 23: "URG", 24: "XCPU", 25: "XFSZ",
        26: "VTALRM", 27: "PROF", 28: "WINCH", 29: "IO", 30: "PWR", 31: "SYS",
    ]
    return names[number].map { "SIG\($0)" } ?? "signal \(number)"
}
