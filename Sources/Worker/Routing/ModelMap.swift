// From the model's name in a request to where it goes. Pure: a function of the configuration's rules and of
// what is known of the backends at that moment. Order: a listed name with a backend's name in front;
// `backend/model`; another name of a model that is there; the first matching `models:` rule; a name that a
// backend lists; for names with `claude` or `anthropic` in them, and for `auto`, `auto`; else an error that
// names the nearest.

public import Shared

/// Where one request may go.
public struct Route: Sendable, Equatable {
    public enum Destination: Sendable, Equatable {
        /// Index in the registry; with configured backends, that of the configuration.
        case backend(Int)
        case demo
    }

    public var destination: Destination
    /// The model's name as the backend knows it.
    public var model: String
    /// In tokens, when known.
    public var contextWindow: Int?
    /// By whose `auto` it was chosen; nil = the model was asked for.
    public var automatic: Automatic?

    public enum Automatic: Sendable, Equatable {
        case service
        /// `backend/auto`.
        case backend
    }

    public init(
        destination: Destination, model: String, contextWindow: Int? = nil, automatic: Automatic? = nil
    ) {
        self.destination = destination
        self.model = model
        self.contextWindow = contextWindow
        self.automatic = automatic
    }
}

public struct ModelMap: Sendable {
    private let rules: [(match: ModelGlob, use: String)]

    public init(_ rules: [Configuration.ModelRule]) {
        self.rules = rules.map { (ModelGlob($0.match), $0.use) }
    }

    /// The routes of which one is to be taken: one for each backend that has the model; never empty.
    public func routes(for name: String, in picture: BackendSnapshot) throws(RoutingFailure) -> [Route] {
        if let bare = ModelAlias.withoutWindow(name), listed(name, picture) == nil,
            let routes = try named(bare, picture)
        {
            return routes
        }
        if let routes = try explicit(name, picture) { return routes }
        if let routes = try aliased(name, picture) { return routes }
        if let routes = try rule(name, picture) { return routes }
        if let routes = listed(name, picture) { return routes }
        if name == Self.automaticName || ModelName.isForeign(name) { return try automatic(picture) }
        throw unknown(name, picture)
    }

    /// `backend/model`. The backend is asked for that model even if it does not list it, unless a model is
    /// called so that somebody lists, or that is none of those that the backend offers.
    private func explicit(_ name: String, _ picture: BackendSnapshot) throws(RoutingFailure) -> [Route]? {
        guard let slash = name.utf8.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        let prefix = name[..<slash].lowercased()
        let rest = String(name[name.index(after: slash)...])
        if picture.isDemo { return prefix == Self.demoName ? [Self.demoRoute] : nil }
        guard !rest.isEmpty,
            let index = picture.backends.firstIndex(where: { $0.name.lowercased() == prefix })
        else { return nil }
        let backend = picture.backends[index]
        if listsExactly(name, picture), let routes = listed(name, picture) { return routes }
        if rest == "auto" {
            return picture.automaticModel(at: index).map { [Self.route(index, $0, .backend)] }
        }
        if let facts = backend.model(named: rest) { return [Self.route(index, facts)] }
        let knowsModels = backend.models?.isEmpty == false
        if knowsModels, let routes = listed(name, picture) { return routes }
        guard backend.filter.takes(rest) else { throw unknown(name, picture) }
        return [Self.route(index, ModelFacts(id: rest))]
    }

    private func listsExactly(_ name: String, _ picture: BackendSnapshot) -> Bool {
        picture.backends.contains { $0.models?.model(called: name) != nil }
    }

    /// A name that stands for that of a model which is there. A model that is really called so is none.
    private func aliased(_ name: String, _ picture: BackendSnapshot) throws(RoutingFailure) -> [Route]? {
        guard let meant = ModelAlias.meant(by: name), listed(name, picture) == nil else { return nil }
        return try named(meant, picture)
    }

    /// What is there under this name, whatever the rules say.
    private func named(_ name: String, _ picture: BackendSnapshot) throws(RoutingFailure) -> [Route]? {
        if let routes = try explicit(name, picture) ?? listed(name, picture) { return routes }
        return try aliased(name, picture)
    }

    private func rule(_ name: String, _ picture: BackendSnapshot) throws(RoutingFailure) -> [Route]? {
        guard let rule = rules.first(where: { $0.match.matches(name) }) else { return nil }
        if rule.use == "auto" { return try automatic(picture) }
        if let routes = try explicit(rule.use, picture) ?? listed(rule.use, picture) { return routes }
        // Backends that have not told their models yet may well have it.
        let silent = picture.order.filter {
            picture.backends[$0].models == nil && picture.backends[$0].filter.takes(rule.use)
        }
        guard silent.isEmpty else {
            return Self.bounded(silent.map { Self.route($0, ModelFacts(id: rule.use)) })
        }
        throw unknown(rule.use, picture)
    }

    private func listed(
        _ name: String, _ picture: BackendSnapshot, by automatic: Route.Automatic? = nil
    ) -> [Route]? {
        if picture.isDemo { return name.lowercased() == Self.demoName ? [Self.demoRoute] : nil }
        let alike = ModelName.folded(name)
        let routes = picture.order.compactMap { index -> Route? in
            guard let models = picture.backends[index].models else { return nil }
            return (models.model(called: name) ?? models.model(alike: alike)).map {
                Self.route(index, $0, automatic)
            }
        }
        return routes.isEmpty ? nil : Self.bounded(routes)
    }

    private static func bounded(_ routes: [Route]) -> [Route] {
        routes.count > AdmissionQuestion.maximumCandidates
            ? Array(routes.prefix(AdmissionQuestion.maximumCandidates)) : routes
    }

    private func automatic(_ picture: BackendSnapshot) throws(RoutingFailure) -> [Route] {
        if picture.isDemo { return [Self.demoRoute] }
        guard let model = picture.automaticModel, let routes = listed(model, picture, by: .service) else {
            throw .nothing(in: picture)
        }
        return routes
    }

    /// Where a request for `auto` may still go when every backend that has its model has failed it: to what the
    /// others would give. They do not become what `auto` gives.
    public func substitutes(for routes: [Route], in picture: BackendSnapshot) -> [Route] {
        guard routes.first?.automatic == .service else { return [] }
        let tried = routes.map(\.destination)
        return Self.bounded(
            picture.order.compactMap { index -> Route? in
                guard !tried.contains(.backend(index)), !picture.backends[index].isDown else { return nil }
                return picture.automaticModel(at: index).map { Self.route(index, $0) }
            })
    }

    private func unknown(_ name: String, _ picture: BackendSnapshot) -> RoutingFailure {
        if picture.isDemo { return .unknownModel(name, known: [Self.demoName]) }
        let known = picture.order.flatMap { picture.backends[$0].models?.all ?? [] }.map(\.id)
        guard !known.isEmpty else { return .nothing(in: picture) }
        return .unknownModel(name, known: known)
    }

    private static let demoName = "demo"
    /// What a client that names no model means.
    private static let automaticName = "auto"
    private static let demoRoute = Route(destination: .demo, model: demoName)

    private static func route(
        _ index: Int, _ model: ModelFacts, _ automatic: Route.Automatic? = nil
    ) -> Route {
        Route(
            destination: .backend(index), model: model.id, contextWindow: model.contextWindow,
            automatic: automatic)
    }
}
