// Every kind of entry the supervisor writes to the log. The ids are the journal's MESSAGE_ID: random,
// given once, never changed and never used for another kind.

import Shared

extension LogEvent {
    static let starting = LogEvent("starting", id: "bacde837393c4b3ba325b3c9cb3c260a")
    static let listening = LogEvent("listening", id: "58f9339ea49544cb8e49b45f5fbe6123")
    static let ready = LogEvent("ready", id: "c55026517bdc43d9b60a1e9351090597")
    static let stopping = LogEvent("stopping", id: "a21da5488996470ab944ac7b05255fe4")
    static let stopped = LogEvent("stopped", id: "4210d9b57f65422c86278b42020adf8d")
    static let workerReady = LogEvent("worker ready", id: "66e8af81f7664b24a3cb54a1534392e3")
    static let workerEnded = LogEvent("worker ended", id: "289069c4ca524183a4f717d283c111c5")
    static let workerDied = LogEvent("worker died", id: "794dfed7c3374f6c8c7327d2c7ca59c6")
    static let exchangeLost = LogEvent("exchange lost", id: "6a1d0f7c92e84b3fb5c8d72e4190af36")
    static let workerNotStarted = LogEvent(
        "worker could not be started", id: "b24300f23377407db1bdb3b1654f14d5")
    static let workerKilled = LogEvent("worker killed", id: "3ec09e50a63c4a0596d67c8bd5634ac0")
    static let inheritedRefused = LogEvent(
        "inherited descriptor closed", id: "20238980d9ff4601bbd463129f2b86c0")
    static let openFilesShort = LogEvent("open files limit too low", id: "dd57a4e6a9b54ee7b7a53ecc973c0ba7")
    static let acceptPaused = LogEvent("accepting paused", id: "6441c877558f44e4885d65b56081ddc5")
    static let connectionsLost = LogEvent("connections lost", id: "8fce16f73ce448cb95651436c296f96f")
    static let adminUnavailable = LogEvent(
        "no socket for dragoman status", id: "12a2f5985d7a48598883464ce93714fc")
    static let adminRefused = LogEvent("status request denied", id: "7ecaa91bd5f845afa31ad87a09348a9c")
    static let reloadUnsupported = LogEvent(
        "SIGHUP ignored: reload is not supported in this version", id: "2882e8ce83204cd9841430a411b33ee8")
    static let signalIgnored = LogEvent("signal ignored", id: "d4f5b2c6a0e84f6d9f0e7c1b3a58d264")
    static let connectionLost = LogEvent("connection lost", id: "0b7c1d9e5f2a4c38b6d4e8f10a93c7b5")
    static let configurationNote = LogEvent("configuration", id: "3f5c3bc4581a41e5a7e4de0a5f84dae9")
}

extension Obituary {
    /// Lost exchanges that have an entry each; the number of all is in the obituary.
    private static let mostTold = 1000

    /// Death is a warning, for we recover; a worker that cannot start is for somebody to act on. What the
    /// worker had in hand can have no entry of its own any more, and gets it here.
    func write(to log: Log, lost: [InHand.Entry], at now: MonotonicInstant) {
        var fields: LogFields = ["worker": LogValue(number)]
        if pid > 0 { fields.append("object_pid", pid) }
        fields.append("age_seconds", age.wholeSeconds)
        fields.append("served", served)
        switch ending {
        case .exited(let status): fields.append("exit_status", status)
        case .signalled(let number): fields.append("signal", signalName(number))
        case .neverStarted(let reason): fields.append("reason", reason)
        }
        if wasClean {
            log.info(.workerEnded, fields)
            return
        }
        if let killedFor { fields.append("killed_for", killedFor.text) }
        fields.append("connections_lost", connections)
        fields.append("exchanges_lost", lost.count)
        fields.append("restart", restartText)
        if case .neverStarted = ending {
            log.error(.workerNotStarted, fields)
        } else {
            log.warning(.workerDied, fields)
        }
        for entry in lost.prefix(Self.mostTold) {
            log.warning(.exchangeLost, Self.fields(of: entry, worker: number, at: now))
        }
    }

    /// Named as those of the worker's own entries.
    static func fields(of entry: InHand.Entry, worker: Int, at now: MonotonicInstant) -> LogFields {
        var fields: LogFields = ["request_id": LogValue(entry.requestID), "peer": LogValue(entry.peer)]
        if !entry.client.isEmpty { fields.append("client", entry.client) }
        if !entry.backend.isEmpty { fields.append("backend", entry.backend) }
        fields.append("requested_model", entry.requestedModel)
        fields.append("outcome", "lost")
        let duration = now.since(MonotonicInstant(nanoseconds: entry.begun))
        fields.append("duration_us", duration.inNanoseconds / 1000)
        fields.append("error", "the worker died")
        fields.append("worker", worker)
        return fields
    }
}
