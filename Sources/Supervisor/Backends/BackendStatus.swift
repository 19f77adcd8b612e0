// The backends and their models as they are shown: in `dragoman status`, in the service's status line, on a
// terminal. Pure; showing decides nothing.

import Scheduling
import Shared

/// What people want to know of one backend.
struct BackendStatus: Equatable, Sendable {
    /// What exchanges have found out about one of its models.
    struct Learned: Equatable, Sendable {
        let model: String
        var lacks: [String] = []
        /// Tokens in one answer at most.
        var outputLimit: Int?
        /// Tokens that it counts for 1000 estimated.
        var tokensPerThousand: Int?
    }

    let name: String
    let url: String
    let type: String
    var view = Scheduler.BackendView()
    /// `max_concurrent`; nil = none.
    var limit: Int?
    var models: [ModelFacts] = []
    /// Those that are left alone by themselves.
    var openModels: [String] = []
    /// What a Claude name leads to there.
    var automatic: ModelFacts?
    var learned: [Learned] = []

    init(name: String, url: String, type: String) {
        self.name = name
        self.url = url
        self.type = type
    }

    /// What answers while there is no backend.
    static let demo: BackendStatus = {
        var demo = BackendStatus(name: "demo", url: "", type: "demo")
        demo.view.state = .demo
        demo.models = [ModelFacts(id: "demo")]
        demo.automatic = demo.models.first
        return demo
    }()

    var state: BackendState { view.state }
    var isDemo: Bool { state == .demo }
    var isUnknown: Bool { state == .unknown }
    /// It can answer now.
    var isUsable: Bool { state == .up && automatic != nil }

    // MARK: In words

    /// Backends named in the status line before it says how many more there are.
    private static let namedBackends = 4
    /// Models named in a line before it says how many more there are.
    private static let shownModels = 6

    /// All of them in a few words, such as `gpu1 up, laptop down`; a demo is named as such.
    static func line(of all: [BackendStatus]) -> String {
        let named = all.prefix(namedBackends).map {
            $0.isDemo ? "no backend, using the demo" : "\($0.name) \($0.state.rawValue)"
        }
        let more = all.count > named.count ? ["\(all.count - named.count) more"] : []
        return Wording.shown((named + more).joined(separator: ", "))
    }

    var line: String {
        guard !isDemo else { return "\(name) (built in; answers in a model's place and says so)" }
        guard state != .down else {
            let reason = view.reason.isEmpty ? "no reason known" : view.reason
            return "\(name) \(url) (\(type)) is down: \(reason)"
        }
        let shown = models.prefix(Self.shownModels).map { model in
            model.contextWindow.map { "\(model.id) (\($0) tokens)" } ?? model.id
        }
        let more = models.count > shown.count ? ", and \(models.count - shown.count) more" : ""
        let list = shown.isEmpty ? "no models" : shown.joined(separator: ", ") + more
        return "\(name) \(url) (\(type)) is \(state.rawValue): \(list)"
    }
}

/// One model of the service, whoever has it.
struct ModelStatus: Equatable, Sendable {
    /// As the first of its backends writes it.
    let name: String
    var backends: [String] = []
    /// The smallest that is known; nil when none is.
    var contextWindow: Int?
    /// Whether it is in some backend's memory; nil when none says so and one does not say.
    var isLoaded: Bool?
    /// Other names that lead to it: the one for clients that show only Claude's, and those of `models:` rules.
    var aliases: [String] = []

    /// In the order of the backends and of their lists.
    static func all(of backends: [BackendStatus], rules: [Configuration.ModelRule]) -> [ModelStatus] {
        var models: [ModelStatus] = []
        var places: [String: Int] = [:]
        for backend in backends {
            var own: Set<Int> = []
            for facts in backend.models {
                let key = ModelName.folded(facts.id)
                let place = places[key] ?? models.count
                if place == models.count {
                    places[key] = place
                    models.append(ModelStatus(name: facts.id))
                    models[place].isLoaded = facts.isLoaded
                    if let alias = ModelName.offered(for: facts.id) { models[place].aliases = [alias] }
                }
                models[place].take(facts)
                if own.insert(place).inserted { models[place].backends.append(backend.name) }
            }
        }
        for rule in rules {
            guard let place = places[ModelName.folded(rule.use)] ?? explicit(rule.use, places, backends)
            else {
                continue
            }
            models[place].aliases.append(rule.match)
        }
        return models
    }

    private mutating func take(_ facts: ModelFacts) {
        if let window = facts.contextWindow { contextWindow = min(contextWindow ?? window, window) }
        if isLoaded != true, facts.isLoaded != isLoaded { isLoaded = facts.isLoaded == true ? true : nil }
    }

    /// `backend/model`.
    private static func explicit(_ name: String, _ places: [String: Int], _ backends: [BackendStatus]) -> Int?
    {
        guard let slash = name.firstIndex(of: "/"),
            let backend = backends.first(where: { $0.name.lowercased() == name[..<slash].lowercased() })
        else { return nil }
        let key = ModelName.folded(String(name[name.index(after: slash)...]))
        return backend.models.contains { ModelName.folded($0.id) == key } ? places[key] : nil
    }
}

extension ServiceState {
    /// In the order of preference; the demo, where there is none and it answers; empty before that is known.
    func backendStatuses(at now: MonotonicInstant, _ wall: WallTime) -> [BackendStatus] {
        if catalogue.entries.isEmpty { return hasSearched ? [.demo] : [] }
        let given = AutomaticModels(observations)
        let learned = learned(at: wall)
        return catalogue.byPreference.map { entry in
            var status = BackendStatus(name: entry.name, url: entry.url, type: entry.type)
            status.view = scheduler.view(of: entry.number, at: now)
            let condition = scheduler.condition(of: entry.number, at: now)
            status.view.state = condition.state
            if status.view.reason.isEmpty { status.view.reason = condition.reason }
            status.limit = entry.configured?.maxConcurrent
            status.models = entry.models ?? []
            status.openModels = status.view.openModels.compactMap { entry.model($0) }
            status.automatic = given.model(of: entry)
            status.learned = learned[BackendID(entry.name)] ?? []
            return status
        }
    }

    /// By model's name; what does not hold any more is left out.
    private func learned(at now: WallTime) -> [BackendID: [BackendStatus.Learned]] {
        var all: [BackendID: [BackendStatus.Learned]] = [:]
        for key in observations.keys {
            var one = BackendStatus.Learned(model: key.model)
            for observation in observations.observations(of: key) {
                switch observation.fact {
                case .lacks(let feature, let times):
                    if Verdict.holds(times, since: observation.learntAt, at: now) {
                        one.lacks.append(feature)
                    }
                case .output(let tokens, let times):
                    if Verdict.holds(times, since: observation.learntAt, at: now) {
                        one.outputLimit = Int(tokens)
                    }
                case .tokens(let perThousand): one.tokensPerThousand = Int(perThousand)
                case .chosen, .automatic: break
                }
            }
            one.lacks.sort()
            if one != BackendStatus.Learned(model: key.model) { all[key.backend, default: []].append(one) }
        }
        return all.mapValues { $0.sorted { $0.model < $1.model } }
    }
}

/// What `auto` gave last: it goes on giving that while it is listed.
struct AutomaticModels {
    private var service: ModelObservation?
    private var backends: [BackendID: ModelObservation] = [:]

    init(_ observations: ObservationStore) {
        for key in observations.keys {
            for observation in observations.observations(of: key) {
                let moment = observation.learntAt.nanoseconds
                if observation.fact == .automatic, moment >= service?.learntAt.nanoseconds ?? 0 {
                    service = observation
                } else if observation.fact == .chosen,
                    moment >= backends[key.backend]?.learntAt.nanoseconds ?? 0
                {
                    backends[key.backend] = observation
                }
            }
        }
    }

    /// What it means at this backend; nil where that has no models.
    func model(of entry: BackendCatalogue.Entry) -> ModelFacts? {
        guard let models = entry.models else { return nil }
        if let own = backends[BackendID(entry.name)]?.key.model,
            let model = models.first(where: { $0.id == own })
        {
            return model
        }
        if let service {
            let name = ModelName.folded(service.key.model)
            if let model = models.first(where: { $0.id == service.key.model })
                ?? models.first(where: { ModelName.folded($0.id) == name })
            {
                return model
            }
        }
        return models.usualPlace.map { models[$0] }
    }
}
