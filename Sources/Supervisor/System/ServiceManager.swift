// What systemd is told. Holds: READY=1 once, when workers can serve; STATUS= only when it has changed and
// at most once a second; WATCHDOG=1 only when the loop says that it has turned and checked its workers.
// Without NOTIFY_SOCKET every call does nothing.

import CSystemd
import Glibc
import Shared

struct ServiceManager {
    private static let statusInterval: Duration = .seconds(1)
    /// While draining: how much longer the service manager is asked to wait, and how often.
    private static let extensionLength: Duration = .seconds(15)
    private static let extensionInterval: Duration = .seconds(5)

    /// Whether there is somebody to tell.
    let isThere: Bool
    private let watchdogInterval: Duration?
    private var nextWatchdog = MonotonicInstant(nanoseconds: 0)
    private var nextStatus = MonotonicInstant(nanoseconds: 0)
    private var nextExtension = MonotonicInstant(nanoseconds: 0)
    private var saidStatus = ""
    private var isReady = false
    private var isStopping = false

    /// Takes WATCHDOG_* out of the environment; NOTIFY_SOCKET stays for later messages and is kept from
    /// the workers by their own list of variables.
    init() {
        isThere = getenv("NOTIFY_SOCKET") != nil
        var microseconds: UInt64 = 0
        let isOn = sd_watchdog_enabled(1, &microseconds) > 0 && microseconds > 0
        watchdogInterval = isOn ? .microseconds(Int64(clamping: microseconds / 2)) : nil
    }

    mutating func ready(status: String) {
        guard !isReady, !isStopping else { return }
        isReady = true
        saidStatus = status
        send("READY=1\nSTATUS=\(status)")
    }

    mutating func stopping(status: String) {
        guard !isStopping else { return }
        isStopping = true
        saidStatus = status
        send("STOPPING=1\nSTATUS=\(status)")
    }

    /// Called by the loop in every turn, after it has looked after its workers.
    mutating func turn(at now: MonotonicInstant, status: () -> String) {
        guard isThere else { return }
        if now >= nextStatus {
            nextStatus = now + Self.statusInterval
            let text = status()
            if text != saidStatus {
                saidStatus = text
                send("STATUS=\(text)")
            }
        }
        if let watchdogInterval, now >= nextWatchdog {
            nextWatchdog = now + watchdogInterval
            send("WATCHDOG=1")
        }
        if isStopping, now >= nextExtension {
            nextExtension = now + Self.extensionInterval
            send("EXTEND_TIMEOUT_USEC=\(Self.extensionLength.inNanoseconds / 1000)")
        }
    }

    /// When `turn` is needed next; the status waits for a turn that is made anyway.
    var nextDeadline: MonotonicInstant? {
        guard isThere else { return nil }
        var deadlines: [MonotonicInstant] = []
        if watchdogInterval != nil { deadlines.append(nextWatchdog) }
        if isStopping { deadlines.append(nextExtension) }
        return deadlines.min()
    }

    private func send(_ text: String) { _ = sd_notify(0, text) }
}
