// What this worker knows of the backends, so that a request is routed from memory. Filled only by what the
// supervisor says: all workers know the same. Without configured backends the demo answers until there is a
// real one.

internal import EventLoop
internal import Routing
internal import Shared
internal import Translation

@Loop
final class BackendRegistry {
    struct Environment {
        /// Called with what the other workers should know.
        var learnt: @Loop (ModelObservation) -> Void = { _ in }
        /// Called when a backend has returned that was away at that moment.
        var forgot: @Loop (_ backend: BackendID, _ before: WallTime) -> Void = { _, _ in }
    }

    /// Those of the configuration in its order, then those found.
    var entries: [BackendEntry]
    /// What exchanges have found out.
    var observations = ObservationCache()
    /// The model that `auto` gave last, and when.
    var lastAutomatic: (model: String, at: WallTime)?
    private let map: ModelMap
    let log: Log
    let environment: Environment
    private var indexes: [BackendNumber: Int] = [:]
    /// Nothing is configured: backends are looked for.
    let searches: Bool
    private var hasSearched = false
    /// All that is to be known at first is known.
    private var isSettled = false
    /// What routing sees, as long as nothing of it has changed.
    private var drawn: BackendSnapshot?
    /// Until then a request waits for what is not known yet.
    private let patience: Instant
    private var waiters: [Wakeup] = []
    /// Called when the supervisor has named a backend.
    var named: @Loop (_ index: Int) -> Void = { _ in }

    /// Backends found beside those configured, at most.
    private static let foundBackends = 64

    /// - Parameter keys: by the backend's index in the configuration.
    /// - Parameter firstLook: how long requests wait at most, from now on, until all backends are known.
    init(
        _ configuration: Configuration, keys: [SecretValue?], log: Log, environment: Environment,
        firstLook: Duration = ProbePace.firstRound
    ) {
        entries = configuration.backends.enumerated().map { index, backend in
            BackendEntry(backend, key: keys.indices.contains(index) ? keys[index] : nil)
        }
        map = ModelMap(configuration.models)
        self.log = log
        self.environment = environment
        searches = configuration.backends.isEmpty
        patience = Loop.now.advanced(by: firstLook)
    }

    // MARK: For exchanges

    /// Waits until all backends have told what they have, or that they are away; only at the worker's
    /// beginning, and no longer than `firstLook` from then.
    func waitForFirstRound() async {
        guard !isSettled, Loop.now < patience else { return }
        let waiter = Wakeup()
        waiters.append(waiter)
        while !isSettled, Loop.now < patience { _ = await waiter.wait(until: patience) }
        waiters.removeAll { $0 === waiter }
    }

    /// Where a request for this model may go, after the first look; never empty.
    func routes(for model: String) async throws(RoutingFailure) -> [Route] {
        await waitForFirstRound()
        return try settledRoutes(for: model)
    }

    /// The same, for those that have waited for the first look.
    func settledRoutes(for model: String) throws(RoutingFailure) -> [Route] {
        try map.routes(for: model, in: picture)
    }

    /// Where a request may still go when all of these have failed it; none where its model was asked for by name.
    func substitutes(for routes: [Route]) -> [Route] { map.substitutes(for: routes, in: picture) }

    /// What a route's backend asks for; nil for the demo.
    func access(_ route: Route) -> BackendAccess? {
        index(of: route).map { entries[$0].access($0, route, observations, at: .now()) }
    }

    /// What the service is asked with of a route; nil for the demo, and for a backend that it has not named yet.
    func candidate(of route: Route) -> BackendCandidate? {
        guard let index = index(of: route), let number = entries[index].number else { return nil }
        return BackendCandidate(
            number, ModelDigest(of: route.model),
            isLoaded: entries[index].models?.model(called: route.model)?.isLoaded)
    }

    /// As configured, or as found; nil = there is none of this number.
    func name(of number: BackendNumber) -> String? {
        indexes[number].map { entries[$0].name }
    }

    /// A request that has no other candidate may go there without asking the service first: nothing is wrong with
    /// backend and model, and nothing is counted there.
    func isOpen(_ route: Route) -> Bool {
        index(of: route).map { entries[$0].isOpen(route.model) } ?? true
    }

    private func index(of route: Route) -> Int? {
        guard case .backend(let index) = route.destination, entries.indices.contains(index) else {
            return nil
        }
        return index
    }

    /// No connection, or one that broke before any byte of an answer.
    func failed(_ index: Int) {
        guard entries.indices.contains(index) else { return }
        entries[index].missed()
    }

    /// An answer came, whatever it says.
    func succeeded(_ index: Int) {
        guard entries.indices.contains(index), let moment = entries[index].met() else { return }
        returned(index, awayAt: moment)
    }

    /// It could not count tokens, and is spared the question for a while.
    func pauseCounting(_ index: Int, for time: Duration) {
        guard entries.indices.contains(index) else { return }
        entries[index].countsAfter = Loop.now.advanced(by: time)
    }

    /// Whether the backend has been away for so long that waiting for it makes no sense.
    func failsPersistently(_ index: Int) -> Bool {
        entries.indices.contains(index) && entries[index].isGone
    }

    /// Whether something could answer for a model.
    var canServe: Bool {
        isDemo ? hasSearched : entries.contains { $0.models != nil && !$0.isDown }
    }

    /// Backends that were found once stay known: then the demo never answers again.
    var isDemo: Bool { entries.isEmpty }

    var picture: BackendSnapshot {
        if let drawn { return drawn }
        let new = BackendSnapshot(
            backends: entries.map { $0.facts() }, isDemo: isDemo, lastAutomatic: lastAutomatic?.model)
        drawn = new
        return new
    }

    /// What routing sees has changed.
    func changed() { drawn = nil }

    // MARK: The first look

    private func settle() {
        if !isSettled { isSettled = (hasSearched || !searches) && entries.allSatisfy { $0.isSettled } }
        changed()
        guard isSettled else { return }
        for waiter in waiters { waiter.signal() }
    }
}

// MARK: - What the supervisor says

extension BackendRegistry: BackendNewsReceiver {
    /// There is this backend. What is configured is known by its name; the rest was found.
    func announced(_ backend: BackendAnnouncement) {
        if let index = entries.firstIndex(where: { $0.name == backend.name }) {
            entries[index].number = backend.number
        } else {
            guard backend.isDiscovered, entries.count(where: \.isDiscovered) < Self.foundBackends else {
                return
            }
            var found = Configuration.Backend(name: backend.name, url: backend.url)
            found.priority = Int(backend.priority)
            entries.append(BackendEntry(found, key: nil, isDiscovered: true))
            entries[entries.count - 1].number = backend.number
        }
        guard let index = entries.firstIndex(where: { $0.number == backend.number }) else { return }
        indexes[backend.number] = index
        changed()
        named(index)
    }

    func listed(_ part: ListingPart) {
        guard let index = indexes[part.backend], entries[index].take(part) else { return }
        settle()
    }

    func fares(_ condition: BackendCondition) {
        guard let index = indexes[condition.backend] else { return }
        entries[index].take(condition)
        settle()
    }

    func fares(_ backend: BackendNumber, _ model: ModelDigest, isOpen: Bool) {
        guard let index = indexes[backend] else { return }
        entries[index].take(model, isOpen: isOpen)
    }

    func searched() {
        hasSearched = true
        settle()
    }

    /// Another worker has learnt it.
    func learnt(_ observation: ModelObservation) { take(observation) }

    /// Another worker has seen the backend return.
    func capabilitiesInvalidated(of backend: BackendID, before moment: WallTime) {
        observations.forgetVerdicts(of: backend, before: moment, at: .now())
    }
}
