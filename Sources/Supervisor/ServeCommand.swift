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
            switch Configuration.parse(
                source.text, name: source.name, overrides: overrides, secrets: .required(.process))
            {
            case .bad(let mistakes): return refuse(mistakes)
            case .good(let configuration):
                return serve(source, configuration)
            }
        } catch {
            return refuse([error])
        }
    }

    private static func refuse(_ mistakes: [Mistake]) -> Int32 {
        CheckCommand.report(mistakes)
        if let doors = Doors.inherited() { pauseIfAwaited(doors) }
        return ExitStatus.configuration
    }

    /// Systemd starts a unit whose socket has waiting clients again as soon as it has failed: without a
    /// rest a mistake in the configuration would take a processor and fill the journal.
    private static func pauseIfAwaited(_ doors: Doors) {
        var waits = doors.clients.map { pollfd(fd: $0.raw, events: Int16(POLLIN), revents: 0) }
        if poll(&waits, nfds_t(waits.count), 0) > 0 { sleep(UInt32(pauseBeforeRefusing.wholeSeconds)) }
    }

    private static let pauseBeforeRefusing: Duration = .seconds(5)

    private static func serve(_ source: ConfigurationSource, _ configuration: Configuration) -> Int32 {
        let manager = ServiceManager()
        let log = Log(configuration.log, identifier: "dragoman")
        for note in configuration.notes { log.warning(.configurationNote, ["note": LogValue(note)]) }
        guard let executable = WorkerPlan.findExecutable() else {
            complain("dragoman-worker is neither beside this program nor in ../libexec/dragoman")
            return ExitStatus.unavailable
        }
        do throws(ListenFailure) {
            let doors = try takeDoors(Doors.inherited(), configuration)
            for name in doors.refused { log.warning(.inheritedRefused, ["name": LogValue(name)]) }
            let progress = Progress(
                isOn: !manager.isThere && !doors.areInherited, access: configuration.access)
            let settings = settings(
                source, configuration, executable, isService: manager.isThere || doors.areInherited, log)
            progress.starting(configuration: source.name, workers: settings.workers)
            for listener in doors.clients {
                log.notice(
                    .listening,
                    ["address": LogValue(listener.address), "name": LogValue(listener.name)])
            }
            let admin = adminServer(doors.admin, log)
            return start(settings, doors, admin, manager, log, progress)
        } catch {
            switch error {
            case .unavailable(let reason):
                complain(reason)
                return ExitStatus.unavailable
            case .notAllowed(let reason):
                complainPlainly("\(source.name.isEmpty ? "built-in defaults" : source.name): \(reason)")
                return ExitStatus.configuration
            }
        }
    }

    /// Systemd's sockets, if any of them is for clients; else our own.
    private static func takeDoors(
        _ inherited: Doors?, _ configuration: Configuration
    ) throws(ListenFailure) -> Doors {
        var doors = inherited
        if doors?.clients.isEmpty ?? true {
            var own = try Doors.bound(configuration.listen)
            own.admin = doors?.admin
            own.refused = doors?.refused ?? []
            doors = own
        }
        guard let doors else { throw .unavailable("there is no socket to listen on") }
        do throws(ListenFailure) {
            try doors.check(configuration.access)
        } catch {
            pauseIfAwaited(doors)
            throw error
        }
        return doors
    }

    private static func settings(
        _ source: ConfigurationSource, _ configuration: Configuration, _ executable: String,
        isService: Bool, _ log: Log
    ) -> ServeSettings {
        let openFiles = OpenFiles.raise(slots: configuration.workerSlots)
        if let warning = openFiles.warning { log.warning(.openFilesShort, ["note": LogValue(warning)]) }
        let plan = WorkerPlan(
            executable: executable, text: source.text, name: source.name, configuration: configuration)
        return ServeSettings(
            configuration: configuration, plan: plan, workers: workerCount(configuration.workers),
            slots: openFiles.slots, isService: isService)
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
            return AdminServer(try Doors.bind(path: path, name: "admin", mode: 0o600))
        } catch {
            if case .unavailable(let reason) = error {
                log.warning(.adminUnavailable, ["path": LogValue(path), "reason": LogValue(reason)])
            }
            return nil
        }
    }

    private static func start(
        _ settings: ServeSettings, _ doors: Doors, _ admin: AdminServer?, _ manager: ServiceManager,
        _ log: Log, _ progress: Progress
    ) -> Int32 {
        do throws(SystemFailure) {
            let supervisor = try Supervisor(
                settings, doors: doors, admin: admin, manager: manager, log: log, progress: progress)
            return supervisor.run()
        } catch {
            complain("\(error)")
            return ExitStatus.osError
        }
    }
}
