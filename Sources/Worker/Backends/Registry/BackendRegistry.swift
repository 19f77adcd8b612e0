// What this worker knows of the backends, kept fresh in the background, so that a request is routed from
// memory. Without configured backends it looks at the usual ports, and lets the demo answer until it has
// met a real one.

internal import EventLoop
internal import Routing
internal import Shared
internal import Translation

@Loop
final class BackendRegistry {
    struct Environment {
        /// Carries questions to backends.
        var carrier: ProbeTransport
        /// Called once, when this worker meets the first real backend.
        var metRealBackend: @Loop () -> Void
        /// Called with what `dragoman status` shows of the backends, whenever it has changed.
        var reportChanged: @Loop (String) -> Void
        /// Called with what the other workers should know.
        var learnt: @Loop (ModelObservation) -> Void = { _ in }
        /// Called when a backend has returned that was away at that moment.
        var forgot: @Loop (_ backend: BackendID, _ before: WallTime) -> Void = { _, _ in }
    }

    var entries: [BackendEntry]
    /// What exchanges have found out.
    var observations = ObservationCache()
    private let map: ModelMap
    let log: Log
    /// One worker of the service tells changes at their level; the others only when debugging.
    private let logsChanges: Bool
    let environment: Environment
    private let ports: [UsualPort]
    private let firstRoundLimit: Duration
    /// Of each entry: ends its wait for the next round.
    private var wakeups: [Wakeup] = []
    private var portWakeups: [Wakeup] = []
    private var firstRounds: Int
    /// Until the first round is over, or has taken too long, there is nothing to tell: what was found first
    /// is not yet what will answer.
    private var isFirstRound = true
    private var waiters: [Wakeup] = []
    private var hasMetReal: Bool
    private var isStopped = false
    private var reported = ""
    private var random = SystemRandomNumberGenerator()

    /// - Parameter keys: by the backend's index in the configuration.
    /// - Parameter ports: looked at when no backend is configured.
    /// - Parameter firstRoundLimit: how long the first round is waited for.
    init(
        _ configuration: Configuration, keys: [SecretValue?], realBackendSeen: Bool, logsChanges: Bool,
        log: Log, environment: Environment, ports: [UsualPort] = UsualPort.all,
        firstRoundLimit: Duration = ProbePace.firstRound
    ) {
        self.firstRoundLimit = firstRoundLimit
        entries = configuration.backends.enumerated().map { index, backend in
            BackendEntry(backend, key: keys.indices.contains(index) ? keys[index] : nil)
        }
        map = ModelMap(configuration.models)
        self.log = log
        self.logsChanges = logsChanges
        self.environment = environment
        // Never our own port.
        let own = configuration.listen.compactMap { address -> UInt16? in
            guard case .tcp(_, let port) = address else { return nil }
            return port
        }
        let searches = configuration.backends.isEmpty
        self.ports = searches ? ports.filter { !own.contains($0.port) } : []
        hasMetReal = realBackendSeen || !searches
        firstRounds = searches ? self.ports.count : entries.count
    }

    /// Begins to ask, in tasks of its own, until `stop`.
    func start() {
        wakeups = entries.map { _ in Wakeup() }
        portWakeups = ports.map { _ in Wakeup() }
        for (index, wakeup) in wakeups.enumerated() { Loop.spawn { await self.watch(index, wakeup) } }
        for (port, wakeup) in zip(ports, portWakeups) { Loop.spawn { await self.search(port, wakeup) } }
        Loop.spawn {
            await self.waitForFirstRound()
            self.firstLookEnds()
        }
    }

    func stop() {
        isStopped = true
        for wakeup in wakeups + portWakeups { wakeup.signal() }
        endFirstRound(all: true)
    }

    /// Another worker met a real backend: the demo never answers again.
    func realBackendSeen() {
        hasMetReal = true
        refreshReport()
    }

    // MARK: For exchanges

    /// Waits for the first round, if it is still under way, and at most `firstRoundLimit`.
    func waitForFirstRound() async {
        guard firstRounds > 0 else { return }
        let waiter = Wakeup()
        waiters.append(waiter)
        _ = await waiter.wait(until: Loop.now.advanced(by: firstRoundLimit))
        waiters.removeAll { $0 === waiter }
    }

    /// Where a request for this model may go, in order, after the first look; never empty.
    func routes(for model: String) async throws(RoutingFailure) -> [Route] {
        await waitForFirstRound()
        return try settledRoutes(for: model)
    }

    /// The same, for those that have waited for the first look.
    func settledRoutes(for model: String) throws(RoutingFailure) -> [Route] {
        try map.routes(for: model, in: picture)
    }

    /// What a route's backend asks for; nil for the demo.
    func access(_ route: Route) -> BackendAccess? {
        guard case .backend(let index) = route.destination, entries.indices.contains(index) else {
            return nil
        }
        return entries[index].access(index, route, observations, at: .now())
    }

    /// What the service is asked with of a route; nil for the demo, and for a backend that it has not named yet.
    func candidate(of route: Route) -> BackendCandidate? {
        guard case .backend(let index) = route.destination, entries.indices.contains(index) else {
            return nil
        }
        let model = entries[index].models?.first { $0.id == route.model }
        return BackendCandidate(
            BackendNumber(UInt16(clamping: index)), ModelDigest(of: route.model), isLoaded: model?.isLoaded)
    }

    /// A request that has no other candidate may go there without asking the service first: nothing is wrong with
    /// backend and model, and nothing is counted there.
    func isOpen(_ route: Route) -> Bool {
        guard case .backend(let index) = route.destination, entries.indices.contains(index) else {
            return true
        }
        return entries[index].settings.maxConcurrent == nil
    }

    /// No connection, or one that broke before any byte of an answer.
    func failed(_ index: Int) {
        guard entries.indices.contains(index) else { return }
        entries[index].health.failed(at: MonotonicInstant(Loop.now))
        entries[index].seenDownAt = .now()
        entries[index].wasMissed = true
        // Look at it soon.
        if wakeups.indices.contains(index) { wakeups[index].signal() }
    }

    /// An answer came, whatever it says.
    func succeeded(_ index: Int) {
        guard entries.indices.contains(index) else { return }
        let wasAway = entries[index].isDown || entries[index].wasMissed
        entries[index].wasMissed = false
        entries[index].health.succeeded()
        entries[index].downSince = nil
        if wasAway { returned(entries[index]) }
    }

    /// It could not count tokens, and is spared the question for a while.
    func pauseCounting(_ index: Int, for time: Duration) {
        guard entries.indices.contains(index) else { return }
        entries[index].countsAfter = Loop.now.advanced(by: time)
    }

    /// Whether the backend has failed so often in a row that waiting for it makes no sense.
    func failsPersistently(_ index: Int) -> Bool {
        entries.indices.contains(index) && entries[index].health.isPersistent
    }

    /// Whether something could answer for a model.
    var canServe: Bool {
        if isDemo { return firstRounds == 0 }
        let now = MonotonicInstant(Loop.now)
        return entries.contains { $0.models != nil && $0.health.isHealthy(at: now) }
    }

    var isDemo: Bool { !hasMetReal && entries.isEmpty }

    var picture: BackendSnapshot {
        let now = Loop.now
        return BackendSnapshot(backends: entries.map { $0.facts(at: now) }, isDemo: isDemo)
    }

    // MARK: Rounds

    /// Looks at a known backend, again and again.
    private func watch(_ index: Int, _ wakeup: Wakeup, isFirst: Bool = true) async {
        let entry = entries[index]
        var prober = Prober(url: entry.url, key: entry.key, carrier: environment.carrier)
        var isFirst = isFirst
        while !isStopped {
            let known = typeToAsk(entries[index])
            let finding = await prober.ask(known, strict: entry.isDiscovered)
            if isStopped { return }
            if known == .auto { entries[index].foundDialect = prober.dialect }
            take(finding, index)
            if isFirst { endFirstRound() }
            isFirst = false
            await pause(prober.hasMore ? ProbePace.doubt : pace(of: entries[index]), wakeup)
        }
    }

    /// Who it is, is asked again only after it was away: something else may listen there now.
    private func typeToAsk(_ entry: BackendEntry) -> Configuration.BackendType {
        if entry.settings.dialect == .ollama { return .ollama }
        guard entry.settings.type == .auto else { return entry.settings.type }
        return entry.health.probe == .up ? entry.foundType ?? .auto : .auto
    }

    private func pace(of entry: BackendEntry) -> Duration {
        guard entry.health.probe == .up else { return ProbePace.absent }
        return entry.type.isHosted ? ProbePace.remote : ProbePace.local
    }

    /// Looks at a usual port until a backend answers there, which then is watched.
    private func search(_ port: UsualPort, _ wakeup: Wakeup) async {
        var isFirst = true
        var strange = ProbePace.unrecognised
        while !isStopped {
            var prober = Prober(url: port.url, key: nil, carrier: environment.carrier)
            let finding = await prober.ask(.auto, strict: true)
            if isStopped { return }
            if case .up(let type, _) = finding {
                let name = port.name(type, taken: entries.map(\.name))
                let rank = UsualPort.all.firstIndex(of: port) ?? UsualPort.all.count
                var found = Configuration.Backend(name: name, url: port.url)
                found.priority -= rank
                entries.append(BackendEntry(found, key: nil, isDiscovered: true))
                wakeups.append(wakeup)
                let index = entries.count - 1
                noteRealBackend()
                entries[index].foundDialect = prober.dialect
                take(finding, index)
                if isFirst { endFirstRound() }
                await pause(ProbePace.local, wakeup)
                return await watch(index, wakeup, isFirst: false)
            }
            if isFirst { endFirstRound() }
            isFirst = false
            if case .unrecognised(let what) = finding {
                log.debug(.strangerFound, ["url": LogValue(port.url), "reason": LogValue(what)])
                await pause(strange, wakeup)
                strange = min(strange * 2, ProbePace.strangerLongest)
            } else {
                strange = ProbePace.unrecognised
                await pause(ProbePace.absent, wakeup)
            }
        }
    }

    /// Until the next round; a wakeup shortens it to `ProbePace.doubt`.
    private func pause(_ wait: Duration, _ wakeup: Wakeup) async {
        let timedOut = await wakeup.wait(until: Loop.now.advanced(by: ProbePace.jittered(wait, &random)))
        guard !timedOut, !isStopped else { return }
        let least = Loop.now.advanced(by: min(wait, ProbePace.doubt))
        while !isStopped, await !wakeup.wait(until: least) {}
    }

    private func noteRealBackend() {
        guard !hasMetReal else { return }
        hasMetReal = true
        environment.metRealBackend()
    }

    private func endFirstRound(all: Bool = false) {
        guard firstRounds > 0 else { return }
        firstRounds = all ? 0 : firstRounds - 1
        guard firstRounds == 0 else { return }
        firstLookEnds()
        for waiter in waiters { waiter.signal() }
        if isDemo { tell(.demoServes, [:], isGood: true) }
    }

    private func firstLookEnds() {
        isFirstRound = false
        refreshReport()
    }

    // MARK: Findings

    private func take(_ finding: ProbeFinding, _ index: Int) {
        let before = entries[index]
        switch finding {
        case .up(let type, let models):
            entries[index].foundType = type
            list(models, index)
            entries[index].health.probed(.up)
            entries[index].downSince = nil
        case .down(let reason), .unrecognised(let reason):
            entries[index].health.probed(.down(error: reason))
            entries[index].seenDownAt = .now()
            if entries[index].downSince == nil { entries[index].downSince = Loop.now }
        }
        if before.isDown || before.wasMissed, !entries[index].isDown {
            entries[index].wasMissed = false
            returned(before)
        }
        tellChange(from: before, to: entries[index])
        refreshReport()
    }

    private func tellChange(from before: BackendEntry, to after: BackendEntry) {
        let models = after.models ?? []
        let place: LogFields = ["backend": LogValue(after.name), "url": LogValue(after.url)]
        var fields = place
        switch (before.health.probe, after.health.probe) {
        case (.up, .up):
            guard before.models?.map(\.id) != after.models?.map(\.id) else { return }
            fields.append("models", models.count)
            tell(.backendChanged, fields, isGood: true)
        case (_, .up):
            fields.append("type", after.type.rawValue)
            if after.profile.dialect != .openAI { fields.append("dialect", after.profile.dialect.rawValue) }
            fields.append("models", models.count)
            if let model = after.facts(at: Loop.now).automaticModel {
                fields.append("default_model", model.id)
                if let window = model.contextWindow { fields.append("context", window) }
            }
            tell(.backendFound, fields, isGood: true)
            if after.profile.cutsPrompts, before.foundType != .ollama {
                tell(.ollamaCuts, place, isGood: false)
            }
        case (.down, .down): return
        case (_, .down(let reason)):
            fields.append("reason", reason)
            tell(.backendLost, fields, isGood: false)
        case (_, .never): return
        }
    }

    private func tell(_ event: LogEvent, _ fields: LogFields, isGood: Bool) {
        guard logsChanges else { return log.debug(event, fields) }
        if isGood { log.notice(event, fields) } else { log.warning(event, fields) }
    }

    /// What `dragoman status` shows of the backends.
    var report: String { reported }

    func refreshReport() {
        guard !isFirstRound else { return }
        let new = BackendReport.json(entries, observations, isDemo: isDemo, at: Loop.now)
        guard new != reported else { return }
        reported = new
        environment.reportChanged(new)
    }
}
