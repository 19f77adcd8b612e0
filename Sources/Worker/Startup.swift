// From what the supervisor left us to a serving worker: descriptors, configuration, log, secrets. Holds:
// nothing inherited is used but what Inherited names.

internal import CSystem
internal import EventLoop
internal import Glibc
internal import Shared
internal import Synchronization
internal import Upstream

/// What a worker was born with.
struct Inheritance {
    private let channel: ChannelEnd
    private let configuration: HeldDescriptor?

    /// Nil when this process was not started by a supervisor.
    static func adopted() -> Inheritance? {
        var type: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let asked = getsockopt(Inherited.controlChannel, SOL_SOCKET, SO_TYPE, &type, &size)
        guard asked == 0, type == Int32(SOCK_SEQPACKET.rawValue),
            fcntl(Inherited.controlChannel, F_SETFD, FD_CLOEXEC) == 0
        else { return nil }
        let held = ChannelEnd()
        guard fcntl(Inherited.configuration, F_GETFD) >= 0,
            let configuration = Descriptor(adopting: Inherited.configuration)
        else { return Inheritance(channel: held, configuration: nil) }
        return Inheritance(channel: held, configuration: HeldDescriptor(configuration))
    }

    /// Reads the configuration and what it names.
    func prepared() -> Prepared {
        let name = Self.variable(Inherited.configurationNameVariable) ?? "configuration"
        let text: [UInt8]
        do throws(SystemFailure) {
            text = try configurationText()
        } catch {
            return .bad([Mistake(source: name, line: nil, key: "", text: "cannot be read: \(error.reason)")])
        }
        let secrets = SecretSources.process
        switch Configuration.parse(text, name: name, secrets: .required(secrets)) {
        case .bad(let mistakes): return .bad(mistakes)
        case .good(let configuration):
            do throws(SecretFailure) {
                let held = try HeldSecrets(configuration, secrets)
                return .good(
                    WorkerStart(
                        number: Self.variable(Inherited.workerVariable).flatMap { Int($0) } ?? 0,
                        configuration: configuration, secrets: held, log: Self.log(configuration),
                        channel: channel))
            } catch {
                return .bad([Mistake(source: name, line: nil, key: "", text: error.description)])
            }
        }
    }

    private func configurationText() throws(SystemFailure) -> [UInt8] {
        guard let descriptor = configuration?.raw else { return [] }
        var text: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            // The open file is shared with the other workers of this generation, and so is its offset.
            let count = pread(descriptor, &part, part.count, text.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemFailure("pread", errno) }
            if count == 0 { return text }
            text += part[..<count]
        }
    }

    private static func log(_ configuration: Configuration) -> Log {
        let numbers: LogFields = [
            "worker": LogValue(variable(Inherited.workerVariable) ?? "?"),
            "generation": LogValue(variable(Inherited.generationVariable) ?? "?"),
        ]
        return Log(configuration.log, identifier: "dragoman-worker", constants: numbers)
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// Our end of the control channel, on its way to the one who will own it.
final class ChannelEnd: Sendable {
    private let taken = Atomic<Bool>(false)

    /// The descriptor, the first time.
    func take() -> Descriptor? {
        let again = taken.exchange(true, ordering: .relaxed)
        return again ? nil : Descriptor(adopting: Inherited.controlChannel)
    }
}

enum Prepared {
    case good(WorkerStart)
    case bad([Mistake])
}

/// The secrets that the configuration names, resolved once.
struct HeldSecrets: Sendable {
    /// Keys that clients may show; nil = none is asked for.
    let access: AccessKeys?
    /// By the backend's index in the configuration.
    let backends: [SecretValue?]

    init(_ configuration: Configuration, _ sources: SecretSources) throws(SecretFailure) {
        if case .keys(let secret) = configuration.access {
            access = try sources.accessKeys(secret)
        } else {
            access = nil
        }
        var keys: [SecretValue?] = []
        for backend in configuration.backends {
            if let secret = backend.key { keys.append(try sources.key(secret)) } else { keys.append(nil) }
        }
        backends = keys
    }
}

/// Everything a worker needs to begin.
struct WorkerStart: Sendable {
    /// Among the workers of its generation, 0… .
    let number: Int
    let configuration: Configuration
    let secrets: HeldSecrets
    let log: Log
    let channel: ChannelEnd

    /// Serves until drained; then the process ends with 0.
    @Loop
    func run() async {
        guard let end = channel.take() else { return }
        guard let upstream = UpstreamClient(proxy: configuration.proxy) else {
            log.error(.channelBroken, ["reason": "libcurl cannot be set up"])
            return leave(Self.brokenInside)
        }
        let server = Server(self, upstream: upstream)
        do throws(LoopError) {
            try server.begin(WorkerChannel(adopting: end), leave: { leave($0) })
        } catch {
            log.error(.channelBroken, ["reason": LogValue("\(error)")])
            return leave(Self.brokenInside)
        }
        await server.finished.wait()
    }

    /// As EX_SOFTWARE of sysexits.h.
    private static let brokenInside: Int32 = 70

    /// Ends the process once the last entries are out, or a second has passed.
    private func leave(_ status: Int32) {
        log.finish()
        exit(status)
    }
}
