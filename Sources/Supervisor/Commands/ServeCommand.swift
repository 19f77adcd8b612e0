// `dragoman serve`: the start-up, read top to bottom, then the loop. Whatever is wrong is said before the
// first worker starts, with the exit status that tells systemd whether trying again can help.

import CSystem
import Glibc
import Shared

enum ServeCommand {
    private static let maximumWorkers = 256

    static func run(_ given: String?, _ overrides: ConfigurationOverrides) -> Int32 {
        do throws(Mistake) {
            let source = try ConfigurationSource.find(given)
            let secrets = SecretSources.process.readingOnce()
            switch Configuration.parse(
                source.text, name: source.name, overrides: overrides, secrets: .required(secrets))
            {
            case .bad(let mistakes): return refuse(mistakes)
            case .good(let configuration):
                return serve(source, configuration, overrides, try held(configuration, secrets, source.name))
            }
        } catch {
            return refuse([error])
        }
    }

    private static func held(
        _ configuration: Configuration, _ secrets: SecretSources, _ name: String
    ) throws(Mistake) -> HeldSecrets {
        do throws(SecretFailure) {
            return try HeldSecrets(configuration, secrets)
        } catch {
            throw Mistake(source: name, line: nil, key: "", text: error.description)
        }
    }

    /// Says what is wrong, then rests: the reason must be there for whoever looks meanwhile.
    private static func refuse(_ mistakes: [Mistake], listeners: Listeners? = nil) -> Int32 {
        CheckCommand.report(mistakes)
        if let listeners = listeners ?? Listeners.inherited() { pauseIfAwaited(listeners) }
        return ExitStatus.configuration
    }

    /// Systemd starts a unit whose socket has waiting clients again as soon as it has failed: without a
    /// rest a mistake in the configuration would take a processor and fill the journal.
    private static func pauseIfAwaited(_ listeners: Listeners) {
        guard listeners.areInherited else { return }
        var waits = listeners.clients.map { pollfd(fd: $0.raw, events: Int16(POLLIN), revents: 0) }
        if poll(&waits, nfds_t(waits.count), 0) > 0 { sleep(UInt32(pauseBeforeRefusing.wholeSeconds)) }
    }

    private static let pauseBeforeRefusing: Duration = .seconds(5)

    private static func serve(
        _ source: ConfigurationSource, _ configuration: Configuration, _ overrides: ConfigurationOverrides,
        _ secrets: HeldSecrets
    ) -> Int32 {
        let manager = ServiceManager()
        let log = Log(configuration.log, identifier: "dragoman")
        guard let executable = WorkerPlan.findExecutable() else {
            complain("dragoman-worker is neither beside this program nor in ../libexec/dragoman")
            return ExitStatus.unavailable
        }
        do throws(ListenFailure) {
            let listeners = try listeners(configuration)
            if let reason = listeners.problem(under: configuration.access) {
                return refuse(
                    [Mistake(source: source.shownName, line: nil, key: "", text: reason)],
                    listeners: listeners)
            }
            let isService = manager.isThere || listeners.areInherited
            let banner = StartupBanner(isOn: !isService, access: configuration.access)
            let workers = workerCount(configuration.workers)
            banner.starting(configuration: source.name, workers: workers)
            // Who reads the lines on a terminal needs no entries that say the same.
            let isInteractive = banner.isOn && isatty(STDERR_FILENO) == 1
            let starting: LogFields = [
                "version": LogValue(dragomanVersion), "configuration": LogValue(source.shownName),
                "workers": LogValue(workers),
            ]
            if isInteractive { log.debug(.starting, starting) } else { log.notice(.starting, starting) }
            let notes = configuration.notes + (listeners.ignoring(configuration.listen).map { [$0] } ?? [])
            for note in notes { log.warning(.configurationNote, ["note": LogValue(note)]) }
            for name in listeners.refused { log.warning(.inheritedRefused, ["name": LogValue(name)]) }
            let openFiles = OpenFiles.raise(slots: configuration.workerSlots)
            if let warning = openFiles.warning { log.warning(.openFilesShort, ["note": LogValue(warning)]) }
            let plan = WorkerPlan(
                .first, executable: executable, source: source, overrides: overrides, secrets: secrets,
                slots: openFiles.slots)
            let settings = ServeSettings(
                generation: Generation(
                    configuration: configuration, workers: workers, plan: plan,
                    configurationFile: source.name.isEmpty ? nil : source.name, loadedAt: .now()),
                queue: openFiles.queue, isService: isService, isInteractive: isInteractive)
            for listener in listeners.clients where !isInteractive {
                log.notice(
                    .listening,
                    ["address": LogValue(listener.address), "name": LogValue(listener.name)])
            }
            let admin = adminServer(listeners.admin, log)
            return start(settings, listeners, admin, manager, log, banner)
        } catch {
            complain(error.reason)
            return ExitStatus.unavailable
        }
    }

    /// Systemd's sockets, if any of them is for clients; else our own.
    private static func listeners(_ configuration: Configuration) throws(ListenFailure) -> Listeners {
        let inherited = Listeners.inherited()
        if let inherited, !inherited.clients.isEmpty { return inherited }
        var own = try Listeners.bound(configuration.listen)
        own.admin = inherited?.admin
        own.refused = inherited?.refused ?? []
        return own
    }

    private static func workerCount(_ setting: Configuration.WorkerCount) -> Int {
        switch setting {
        case .fixed(let count): count
        // What this process may use, not what the machine has: CPUAffinity= and cpusets count.
        case .auto: min(max(Int(cs_processors()), 1), maximumWorkers)
        }
    }

    /// The socket for `dragoman status`: systemd's, or our own. Without it the service runs all the same.
    private static func adminServer(_ inherited: Listener?, _ log: Log) -> AdminServer? {
        if let inherited { return AdminServer(inherited) }
        let path = AdminPath.own(user: geteuid()) { name in getenv(name).map { String(cString: $0) } }
        guard AdminPath.prepareFolder(of: path, user: geteuid()) else {
            log.warning(
                .adminUnavailable,
                ["path": LogValue(path), "reason": "its folder cannot be made, or is not this user's alone"])
            return nil
        }
        do throws(ListenFailure) {
            return AdminServer(try Listeners.bind(path: path, name: "admin", mode: 0o600))
        } catch {
            log.warning(.adminUnavailable, ["path": LogValue(path), "reason": LogValue(error.reason)])
            return nil
        }
    }

    private static func start(
        _ settings: ServeSettings, _ listeners: Listeners, _ admin: AdminServer?, _ manager: ServiceManager,
        _ log: Log, _ banner: StartupBanner
    ) -> Int32 {
        do throws(SystemFailure) {
            let supervisor = try Supervisor(
                settings, listeners: listeners, admin: admin, manager: manager, log: log, banner: banner)
            return supervisor.run()
        } catch {
            complain("\(error)")
            return ExitStatus.osError
        }
    }
}
