// A worker's process and our end of its channel. Starts it with nothing but what `Inherited` names.
// Nothing is decided here.

import CSystem
import Glibc
import Shared

/// What every worker of a generation is started with.
struct WorkerPlan: Sendable {
    let generation: GenerationID
    /// Absolute path of dragoman-worker.
    let executable: String
    /// The configuration's text and the generation's secrets, as they are handed over.
    let text: [UInt8]
    let secrets: [UInt8]
    /// Connections that a worker holds at once.
    let slots: Int
    /// `NAME=value`, without the worker's own number.
    let environment: [String]

    init(
        _ generation: GenerationID, executable: String, source: ConfigurationSource,
        overrides: ConfigurationOverrides, secrets: HeldSecrets, slots: Int
    ) {
        self.generation = generation
        self.slots = slots
        self.executable = executable
        text = source.text
        self.secrets = secrets.lines
        environment =
            Self.kept { name in getenv(name).map { String(cString: $0) } } + overrides.variables + [
                "\(Inherited.generationVariable)=\(generation)",
                "\(Inherited.configurationNameVariable)=\(source.name)",
            ]
    }

    /// The variables a worker keeps: those of the contract and no others.
    static func kept(lookUp: (String) -> String?) -> [String] {
        Inherited.keptVariables.compactMap { name in lookUp(name).map { "\(name)=\($0)" } }
    }

    /// Beside this program, or in ../libexec/dragoman relative to it; nil when in neither place.
    static func findExecutable() -> String? {
        var room = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &room, room.count - 1)
        guard count > 0 else { return nil }
        let own = String(decoding: room.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else { return nil }
        let folder = own[..<slash]
        return ["\(folder)/dragoman-worker", "\(folder)/../libexec/dragoman/dragoman-worker"]
            .first { access($0, X_OK) == 0 }
    }
}

final class WorkerProcess {
    let number: Int
    let id: WorkerID
    let pid: Int32
    let channel: SupervisorChannel
    private let handle: Descriptor
    private let inHand: Descriptor
    /// What the poller watches the channel for; nil once it has been taken out.
    var watched: Interest?

    private init(
        number: Int, id: WorkerID, pid: Int32, handle: consuming Descriptor, inHand: consuming Descriptor,
        channel: SupervisorChannel
    ) {
        self.inHand = inHand
        self.number = number
        self.id = id
        self.pid = pid
        self.handle = handle
        self.channel = channel
    }

    /// Readable when the process has ended.
    var exitHandle: Int32 { handle.raw }

    static func start(_ plan: WorkerPlan, _ id: WorkerID, number: Int) throws(SystemFailure) -> WorkerProcess
    {
        let pair = try ControlPair.make()
        let configuration = try sealed("dragoman-configuration", plan.text)
        let secrets = try sealed("dragoman-secrets", plan.secrets)
        let shared = cs_shared_file("dragoman-in-hand", InHand.bytes(places: plan.slots))
        guard let inHand = Descriptor(adopting: shared) else { throw SystemFailure("memfd_create", errno) }
        var handle: Int32 = -1
        let inherited = [pair.workerEnd.raw, configuration.raw, secrets.raw, inHand.raw]
        let variables = plan.environment + ["\(Inherited.workerVariable)=\(number)"]
        let pid = withStrings(["dragoman-worker"]) { arguments in
            withStrings(variables) { environment in
                plan.executable.withCString { path in
                    inherited.withUnsafeBufferPointer { descriptors in
                        // Above our own score: when memory ends, a worker goes before the supervisor.
                        var spawn = cs_spawn(
                            path: path, argv: arguments, envp: environment,
                            descriptors: descriptors.baseAddress, descriptor_count: descriptors.count,
                            oom_score_adj: 200)
                        return cs_spawn(&spawn, &handle)
                    }
                }
            }
        }
        guard pid > 0, let owned = Descriptor(adopting: handle) else {
            throw SystemFailure(plan.executable, errno)
        }
        return WorkerProcess(
            number: number, id: id, pid: pid, handle: owned, inHand: inHand,
            channel: SupervisorChannel(adopting: pair.keepSupervisorEnd()))
    }

    /// One file for each process: they would share the reading position otherwise.
    private static func sealed(_ name: String, _ bytes: [UInt8]) throws(SystemFailure) -> Descriptor {
        let file = bytes.withUnsafeBytes { cs_sealed_file(name, $0.baseAddress, $0.count) }
        guard let descriptor = Descriptor(adopting: file) else { throw SystemFailure("memfd_create", errno) }
        return descriptor
    }

    func kill() { _ = cs_pidfd_signal(handle.raw, SIGKILL) }

    /// The requests that it was answering, when it has ended.
    var lost: [InHand.Entry] { InHand.entries(of: inHand) }
    /// What it had counted, also since its last heartbeat.
    var counted: WorkerFigures { InHand.figures(of: inHand) }

    var isStopped: Bool { cs_is_stopped(pid) == 1 }

    /// How it ended; nil while it lives.
    func reap() -> Ending? {
        var code: Int32 = 0
        var signalled: Int32 = 0
        switch cs_reap(pid, &code, &signalled) {
        case 0: return nil
        case 1: return signalled == 1 ? .signalled(code) : .exited(status: code)
        // Somebody else has taken its status: it is gone all the same.
        default: return .exited(status: -1)
        }
    }
}

/// A null-terminated array of C strings for the time of `body`.
private func withStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return body([nil]) }
        return body(UnsafePointer(base))
    }
}
