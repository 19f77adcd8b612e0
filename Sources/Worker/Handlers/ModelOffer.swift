// The models of the service as its lists show them: each once, whatever the number of backends that have it.
// Pure. Says what is known, and nothing of what is not.

internal import Routing
internal import Shared
internal import Translation

struct ModelOffer {
    /// What is known of a backend's model beyond its facts.
    struct Knowledge {
        /// Found not to be taken, and found to be taken.
        var lacking: Set<Feature> = []
        var taken: Set<Feature> = []
        var outputLimit: Int?
    }

    let picture: BackendSnapshot
    /// PDF documents become text where the backend takes none.
    var readsDocuments = false
    /// Of the model of the backend with this index.
    var knowledge: (Int, ModelFacts) -> Knowledge = { _, _ in Knowledge() }

    /// One model with the backends that have it; never without one.
    private struct Model {
        let name: String
        var places: [(index: Int, facts: ModelFacts)]
    }

    /// Every model, in the order in which backends are asked; equal names are one.
    var entries: [ModelEntry] {
        if picture.isDemo { return [ModelEntry(id: Demo.model, description: "Dragoman's built-in demo")] }
        var known: [String: Int] = [:]
        var models: [Model] = []
        for index in picture.order {
            for facts in picture.backends[index].models?.all ?? [] {
                let name = ModelName.folded(facts.id)
                if let place = known[name] {
                    // Two of equal names at one backend: the first is asked.
                    guard models[place].places.last?.index != index else { continue }
                    models[place].places.append((index, facts))
                } else {
                    known[name] = models.count
                    models.append(Model(name: facts.id, places: [(index, facts)]))
                }
            }
        }
        return models.map { entry(of: $0) }
    }

    /// Each entry and, right after it, the name by which clients of the Messages API find it.
    static func withAliases(_ entries: [ModelEntry]) -> [ModelEntry] {
        let known = Set(entries.map(\.id))
        return entries.flatMap { entry -> [ModelEntry] in
            guard let alias = ModelName.offered(for: entry.id), !known.contains(alias) else {
                return [entry]
            }
            var offered = entry
            offered.id = alias
            return [entry, offered]
        }
    }

    /// What is meant by a name, however it is decorated; it keeps the name.
    func entry(named id: String) -> ModelEntry? {
        if picture.isDemo { return Self.withAliases(entries).first { $0.id == id } }
        for meant in [id] + [ModelAlias.withoutWindow(id), ModelAlias.meant(by: id)].compactMap({ $0 }) {
            guard var entry = meant == id ? listedEntry(meant) : entry(named: meant) else { continue }
            entry.id = id
            return entry
        }
        return nil
    }

    /// Of a name as it is listed, or of `backend/model` where that backend lists the model.
    private func listedEntry(_ name: String) -> ModelEntry? {
        let places = picture.order.compactMap { index in
            picture.backends[index].model(named: name).map { (index, $0) }
        }
        if let first = places.first { return entry(of: Model(name: first.1.id, places: places)) }
        guard let slash = name.firstIndex(of: "/") else { return nil }
        let prefix = name[..<slash].lowercased()
        guard let index = picture.backends.firstIndex(where: { $0.name.lowercased() == prefix }),
            let facts = picture.backends[index].model(named: String(name[name.index(after: slash)...]))
        else { return nil }
        return entry(of: Model(name: facts.id, places: [(index, facts)]))
    }

    private func entry(of model: Model) -> ModelEntry {
        var entry = ModelEntry(
            id: model.name, displayName: displayName(model), description: description(model))
        entry.created = model.places.lazy.compactMap(\.facts.created).first ?? 0
        entry.maxInputTokens = model.places.lazy.compactMap(\.facts.contextWindow).min()
        entry.maxOutputTokens = model.places.lazy.compactMap { index, facts in
            [facts.outputLimit, knowledge(index, facts).outputLimit].compactMap { $0 }.min()
        }.min()
        entry.capabilities = capabilities(model)
        if let first = model.places.first { entry.owner = picture.backends[first.index].name }
        return entry
    }

    // MARK: For people

    /// Backends named in one place.
    private static let namedBackends = 3

    /// The real name, whatever the alias; where there are several backends, with those that have it.
    private func displayName(_ model: Model) -> String {
        guard picture.backends.count > 1 else { return model.name }
        guard model.places.count < Self.namedBackends else {
            return "\(model.name) (\(model.places.count) backends)"
        }
        return
            "\(model.name) (\(model.places.map { picture.backends[$0.index].name }.joined(separator: ", ")))"
    }

    /// Such as "qwen3-coder:30b on box1, box2; 64k context; loaded on box1".
    private func description(_ model: Model) -> String {
        var text = "\(model.name) on \(names(model.places.map(\.index)))"
        if let window = model.places.lazy.compactMap(\.facts.contextWindow).min() {
            text += "; \(Self.short(window)) context"
        }
        let loaded = model.places.filter { $0.facts.isLoaded == true }
        if loaded.count == model.places.count {
            text += "; loaded"
        } else if !loaded.isEmpty {
            text += "; loaded on \(names(loaded.map(\.index)))"
        } else if model.places.allSatisfy({ $0.facts.isLoaded == false }) {
            text += "; not loaded"
        }
        return text
    }

    private func names(_ indexes: [Int]) -> String {
        var names = indexes.prefix(Self.namedBackends).map { index in
            let backend = picture.backends[index]
            return backend.isDown ? "\(backend.name) (does not answer)" : backend.name
        }
        if indexes.count > names.count { names.append("\(indexes.count - names.count) more") }
        return names.joined(separator: ", ")
    }

    /// A number of tokens as people say it: 64k is 65536 as well as 64000.
    static func short(_ tokens: Int) -> String {
        for (unit, letter) in [(1 << 20, "M"), (1_000_000, "M"), (1 << 10, "k"), (1000, "k")]
        where tokens >= unit && tokens % unit == 0 {
            return "\(tokens / unit)\(letter)"
        }
        return tokens < 10_000 ? "\(tokens)" : "\(tokens / 1000)k"
    }

    // MARK: Capabilities

    /// Nil unless it is known of thinking and of images whether the model takes them: the shape has no word for
    /// "unknown".
    private func capabilities(_ model: Model) -> ModelCapabilities? {
        let places = model.places.map { ($0.facts, knowledge($0.index, $0.facts)) }
        func known(_ feature: Feature, _ said: (ModelFacts) -> Bool?) -> Bool? {
            let words = places.map { facts, knowledge -> Bool? in
                if knowledge.lacking.contains(feature) { return false }
                return knowledge.taken.contains(feature) ? true : said(facts)
            }
            // A request goes where it can be answered.
            if words.contains(true) { return true }
            return words.contains { $0 == nil } ? nil : false
        }
        guard let thinking = known(.thinking, \.thinks), let images = known(.images, \.seesImages) else {
            return nil
        }
        return ModelCapabilities(
            thinking: thinking, effort: thinking && known(.effort, { _ in true }) == true, images: images,
            documents: readsDocuments,
            structuredOutput: known(.structuredOutput) { _ in true } == true)
    }
}
