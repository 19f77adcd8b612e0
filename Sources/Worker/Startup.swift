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
    private let secrets: HeldDescriptor?
    private let inHand: HeldDescriptor?

    /// Nil when this process was not started by a supervisor.
    static func adopted() -> Inheritance? {
        var type: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let asked = getsockopt(Inherited.controlChannel, SOL_SOCKET, SO_TYPE, &type, &size)
        guard asked == 0, type == Int32(SOCK_SEQPACKET.rawValue),
            fcntl(Inherited.controlChannel, F_SETFD, FD_CLOEXEC) == 0
        else { return nil }
        return Inheritance(
            channel: ChannelEnd(), configuration: held(Inherited.configuration),
            secrets: held(Inherited.secrets), inHand: held(Inherited.inHand))
    }

    private static func held(_ number: Int32) -> HeldDescriptor? {
        guard fcntl(number, F_GETFD) >= 0, fcntl(number, F_SETFD, FD_CLOEXEC) == 0,
            let descriptor = Descriptor(adopting: number)
        else { return nil }
        return HeldDescriptor(descriptor)
    }

    /// Reads the configuration and the secrets. The supervisor has judged both; nothing is looked for again.
    func prepared() -> Prepared {
        let name = Self.variable(Inherited.configurationNameVariable) ?? "configuration"
        func bad(_ text: String) -> Prepared {
            .bad([Mistake(source: name, line: nil, key: "", text: text)])
        }
        do throws(SystemFailure) {
            let overrides = ConfigurationOverrides(inherited: Self.variable)
            switch Configuration.parse(try bytes(of: configuration), name: name, overrides: overrides) {
            case .bad(let mistakes): return .bad(mistakes)
            case .good(let configuration):
                guard let held = HeldSecrets(lines: try bytes(of: secrets), for: configuration) else {
                    return bad("the secrets handed over are not those of the configuration")
                }
                return .good(
                    WorkerStart(
                        number: Self.variable(Inherited.workerVariable).flatMap { Int($0) } ?? 0,
                        configuration: configuration, secrets: held, log: Self.log(configuration),
                        channel: channel, inHand: inHand))
            }
        } catch {
            return bad("cannot be read: \(error.reason)")
        }
    }

    /// A memory file's whole content; nothing when it was not handed over.
    private func bytes(of file: HeldDescriptor?) throws(SystemFailure) -> [UInt8] {
        guard let descriptor = file?.raw else { return [] }
        var text: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16 << 10)
        while true {
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

/// Everything a worker needs to begin.
struct WorkerStart: Sendable {
    /// Among the workers of its generation, 0… .
    let number: Int
    let configuration: Configuration
    let secrets: HeldSecrets
    let log: Log
    let channel: ChannelEnd
    /// Where it notes what it has in hand; nil = nowhere.
    var inHand: HeldDescriptor?

    /// Serves until drained; then the process ends with 0.
    @Loop
    func run() async {
        guard let end = channel.take() else { return }
        guard let upstream = UpstreamClient(proxy: configuration.proxy) else {
            log.error(.channelBroken, ["reason": "libcurl cannot be set up"])
            return leave(Self.brokenInside)
        }
        let finished = Wakeup()
        let control = control(WorkerChannel(adopting: end), upstream, finished) { leave($0) }
        do throws(LoopError) {
            try control.begin()
        } catch {
            log.error(.channelBroken, ["reason": LogValue("\(error)")])
            return leave(Self.brokenInside)
        }
        await finished.wait()
    }

    /// The worker's end of the channel. The server begins with the supervisor's welcome.
    /// - Parameters:
    ///   - finished: signalled once, when drained: the process may end.
    ///   - leave: ends the process with this status, at once.
    @Loop
    func control(
        _ channel: WorkerChannel, _ upstream: UpstreamClient, _ finished: Wakeup,
        leave: @escaping @Loop (Int32) -> Void
    ) -> Control {
        Control(channel, log: log, leave: leave) { control in
            let server = Server(self, upstream, control, finished)
            server.begin()
            return server.receivers
        }
    }

    /// As EX_SOFTWARE of sysexits.h.
    private static let brokenInside: Int32 = 70

    /// Ends the process once the last entries are out, or a second has passed.
    private func leave(_ status: Int32) {
        log.finish()
        exit(status)
    }
}
