// The role of one worker of the service: it asks all backends how they fare and what they have, and tells the
// supervisor, who tells all workers, this one among them. Without configured backends it also looks at the
// usual ports. Holds: what it finds it keeps nowhere; who takes the role over starts from what all know.

internal import EventLoop
internal import Routing
internal import Shared
internal import Translation

@Loop
final class BackendProber {
    struct Environment {
        /// Carries questions to backends.
        var carrier: ProbeTransport
        /// Tells the supervisor.
        var send: @Loop (WorkerMessage) -> Void
    }

    /// One time in the role.
    @Loop
    private final class Term {
        var isOver = false
        /// End the waits for the next round.
        var wakeups: [BackendNumber: Wakeup] = [:]
        var portWakeups: [Wakeup] = []
        /// Names of found backends that the supervisor has not heard of yet.
        var names: Set<String> = []
        /// Usual ports that have not been asked yet.
        var unasked = 0
        let firstLook = Wakeup()
    }

    private let registry: BackendRegistry
    private let health: Configuration.Health
    private let ports: [UsualPort]
    private let firstLook: Duration
    private let log: Log
    private let environment: Environment
    /// Nil = another worker has the role.
    private var term: Term?
    private var random = SystemRandomNumberGenerator()

    /// - Parameters:
    ///   - ports: looked at when no backend is configured.
    ///   - firstLook: the longest time after which it is told that the ports have been looked at.
    init(
        _ configuration: Configuration, _ registry: BackendRegistry, log: Log, environment: Environment,
        ports: [UsualPort] = UsualPort.all, firstLook: Duration = ProbePace.firstRound
    ) {
        self.registry = registry
        self.log = log
        self.environment = environment
        self.firstLook = firstLook
        health = configuration.service.health
        // Never our own port.
        let own = configuration.listen.compactMap { address -> UInt16? in
            guard case .tcp(_, let port) = address else { return nil }
            return port
        }
        self.ports = configuration.backends.isEmpty ? ports.filter { !own.contains($0.port) } : []
        registry.named = { [unowned self] index in
            if let term { watch(index, term) }
        }
    }

    // MARK: The role

    private func begin() {
        let term = Term()
        self.term = term
        for index in registry.entries.indices { watch(index, term) }
        guard registry.searches else { return }
        // What was found before is asked like every other backend.
        let known = Set(registry.entries.map(\.url))
        let ports = ports.filter { !known.contains($0.url) }
        term.unasked = ports.count
        for port in ports {
            let wakeup = Wakeup()
            term.portWakeups.append(wakeup)
            Loop.spawn { await self.search(port, wakeup, term) }
        }
        Loop.spawn { await self.endFirstLook(term) }
    }

    private func end(_ term: Term) {
        self.term = nil
        term.isOver = true
        for wakeup in term.wakeups.values { wakeup.signal() }
        for wakeup in term.portWakeups { wakeup.signal() }
        term.firstLook.signal()
    }

    /// All ports were asked, or have had the time to answer.
    private func endFirstLook(_ term: Term) async {
        let limit = Loop.now.advanced(by: firstLook)
        while term.unasked > 0, !term.isOver, await !term.firstLook.wait(until: limit) {}
        if !term.isOver { environment.send(.searched) }
    }

    // MARK: Rounds

    private func watch(_ index: Int, _ term: Term) {
        let entry = registry.entries[index]
        guard let number = entry.number, term.wakeups[number] == nil else { return }
        let wakeup = Wakeup()
        term.wakeups[number] = wakeup
        Loop.spawn { await self.ask(index, BackendWatch(entry, number, self.health), wakeup, term) }
    }

    /// Asks one backend, again and again.
    private func ask(_ index: Int, _ watch: BackendWatch, _ wakeup: Wakeup, _ term: Term) async {
        var watch = watch
        let entry = registry.entries[index]
        guard let number = entry.number else { return }
        var inquiry = Inquiry(
            url: entry.url, key: entry.key, offered: entry.filter, time: health.timeout,
            carrier: environment.carrier)
        inquiry.remember(entry.models?.all ?? [])
        while !term.isOver {
            let finding = await inquiry.ask(watch.typeToAsk, strict: entry.isDiscovered)
            if term.isOver { return }
            let news = watch.take(finding, speaking: inquiry.dialect, at: .now())
            // First what it has: who hears that it is up finds its models there.
            for part in news.listing ?? [] { environment.send(.listing(part)) }
            environment.send(.checked(backend: number, news.check))
            if news.beginsToCut {
                log.warning(.ollamaCuts, ["backend": LogValue(entry.name), "url": LogValue(entry.url)])
            }
            if let moment = news.awayAt { registry.returned(index, awayAt: moment) }
            await pause(watch.pace(hasMore: inquiry.hasMore), wakeup, term)
        }
    }

    /// Looks at a usual port until a backend answers there.
    private func search(_ port: UsualPort, _ wakeup: Wakeup, _ term: Term) async {
        var isFirst = true
        var strange = ProbePace.unrecognised
        while !term.isOver {
            var inquiry = Inquiry(url: port.url, key: nil, time: health.timeout, carrier: environment.carrier)
            let finding = await inquiry.ask(.auto, strict: true)
            if term.isOver { return }
            if case .up(let type, _) = finding { tell(of: type, at: port, term) }
            if isFirst { asked(term) }
            isFirst = false
            switch finding {
            // From here on it is asked like every other backend.
            case .up: return
            case .unrecognised(let what):
                log.debug(.strangerFound, ["url": LogValue(port.url), "reason": LogValue(what)])
                await pause(strange, wakeup, term)
                strange = min(strange * 2, ProbePace.strangerLongest)
            case .down:
                strange = ProbePace.unrecognised
                await pause(ProbePace.absent, wakeup, term)
            }
        }
    }

    private func tell(of type: Configuration.BackendType, at port: UsualPort, _ term: Term) {
        let name = port.name(type, taken: term.names.union(registry.entries.map(\.name)))
        term.names.insert(name)
        let usual = Configuration.Backend(name: name, url: port.url).priority
        let rank = UsualPort.all.firstIndex(of: port) ?? UsualPort.all.count
        environment.send(.discovered(name: name, url: port.url, priority: UInt32(clamping: usual - rank)))
    }

    private func asked(_ term: Term) {
        term.unasked -= 1
        if term.unasked == 0 { term.firstLook.signal() }
    }

    /// Until the next round; a wakeup shortens it.
    private func pause(_ wait: Duration, _ wakeup: Wakeup, _ term: Term) async {
        let least = Loop.now.advanced(by: min(wait, ProbePace.doubt))
        _ = await wakeup.wait(until: Loop.now.advanced(by: ProbePace.jittered(wait, &random)))
        while !term.isOver, Loop.now < least { _ = await wakeup.wait(until: least) }
    }
}

extension BackendProber: ProberReceiver {
    func probe(isOn: Bool) {
        if isOn, term == nil { begin() }
        if !isOn, let term { end(term) }
    }

    /// An exchange has found it away.
    func look(at backend: BackendNumber) { term?.wakeups[backend]?.signal() }
}

extension LogEvent {
    static let ollamaCuts = LogEvent(
        "Ollama's /v1 silently truncates long prompts; leave `dialect` out or set OLLAMA_CONTEXT_LENGTH",
        id: "651472bcd5604c8ab6bf53b67fd10031")
    static let strangerFound = LogEvent(
        "usual port is not a backend", id: "549043e963ab418f9c9f7121797325e6")
}
