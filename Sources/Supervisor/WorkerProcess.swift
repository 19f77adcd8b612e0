// A worker's process and our end of its channel. Starts it with nothing but what `Inherited` names.
// Nothing is decided here.

import CSystem
import Glibc
import Shared

/// What every worker of a generation is started with.
struct WorkerPlan: Sendable {
    static let generation = 1

    /// Absolute path of dragoman-worker.
    let executable: String
    /// The configuration's text and its file's name.
    let text: [UInt8]
    let name: String
    /// `NAME=value`, without the worker's own number.
    let environment: [String]

    init(executable: String, text: [UInt8], name: String, configuration: Configuration) {
        self.executable = executable
        self.text = text
        self.name = name
        environment =
            Self.kept(configuration.secretVariables) { name in getenv(name).map { String(cString: $0) } } + [
                "\(Inherited.generationVariable)=\(Self.generation)",
                "\(Inherited.configurationNameVariable)=\(name)",
            ]
    }

    /// The variables a worker keeps: those of the contract, and those that name its secrets.
    static func kept(_ secrets: [String], lookUp: (String) -> String?) -> [String] {
        var seen: Set<String> = []
        return (Inherited.keptVariables + secrets).compactMap { name in
            guard seen.insert(name).inserted, let value = lookUp(name) else { return nil }
            return "\(name)=\(value)"
        }
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

extension Configuration {
    /// Names of environment variables that hold keys.
    fileprivate var secretVariables: [String] {
        var secrets = backends.compactMap(\.key)
        if case .keys(let secret) = access { secrets.append(secret) }
        return secrets.compactMap { secret in
            guard case .environment(let name) = secret else { return nil }
            return name
        }
    }
}

final class WorkerProcess {
    let number: Int
    /// Differs for every process this supervisor has started.
    let life: UInt32
    let pid: Int32
    let channel: SupervisorChannel
    private let handle: Descriptor
    /// What the poller watches the channel for; nil once it has been taken out.
    var watched: Interest?

    private init(
        number: Int, life: UInt32, pid: Int32, handle: consuming Descriptor, channel: SupervisorChannel
    ) {
        self.number = number
        self.life = life
        self.pid = pid
        self.handle = handle
        self.channel = channel
    }

    /// Readable when the process has ended.
    var exitHandle: Int32 { handle.raw }

    static func start(_ plan: WorkerPlan, number: Int, life: UInt32) throws(SystemFailure) -> WorkerProcess {
        let pair = try ControlPair.make()
        // One file each: they would share the reading position otherwise.
        let sealed = plan.text.withUnsafeBytes {
            cs_sealed_file("dragoman-configuration", $0.baseAddress, $0.count)
        }
        guard let configuration = Descriptor(adopting: sealed) else {
            throw SystemFailure("memfd_create", errno)
        }
        var handle: Int32 = -1
        let inherited = [pair.workerEnd.raw, configuration.raw]
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
            number: number, life: life, pid: pid, handle: owned,
            channel: SupervisorChannel(adopting: pair.keepSupervisorEnd()))
    }

    func kill() { _ = cs_pidfd_signal(handle.raw, SIGKILL) }

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
