// The model lists, from the registry's memory: never slower than that, whatever the backends do.

internal import EventLoop
internal import HTTP
internal import Routing
internal import Shared
internal import Translation

enum ModelOffer {
    /// Every name that a backend lists, in the order in which backends are tried; a name stands once.
    static func entries(of picture: BackendSnapshot) -> [ModelEntry] {
        if picture.isDemo { return [ModelEntry(id: Demo.model, description: "Dragoman's built-in demo")] }
        var seen = Set<String>()
        return picture.order.flatMap { index in
            let backend = picture.backends[index]
            return (backend.models?.all ?? []).map {
                ModelEntry(
                    id: $0.id, created: $0.created ?? 0, description: "on \(backend.name)",
                    maxInputTokens: $0.contextWindow,
                    owner: backend.name)
            }
        }.filter { seen.insert($0.id).inserted }
    }

    /// Each entry and, right after it, the name by which clients of the Messages API find it.
    static func withAliases(_ entries: [ModelEntry]) -> [ModelEntry] {
        let known = Set(entries.map(\.id))
        return entries.flatMap { entry -> [ModelEntry] in
            guard let alias = ModelAlias.offered(for: entry.id), !known.contains(alias) else {
                return [entry]
            }
            var offered = entry
            offered.id = alias
            offered.displayName = entry.id
            return [entry, offered]
        }
    }

    /// What is meant by a name, however it is decorated; it keeps the name.
    static func entry(named id: String, of picture: BackendSnapshot) -> ModelEntry? {
        if let entry = withAliases(entries(of: picture)).first(where: { $0.id == id }) { return entry }
        if let entry = entry(ofBackendIn: id, picture) { return entry }
        for meant in [ModelAlias.withoutWindow(id), ModelAlias.meant(by: id)].compactMap({ $0 }) {
            guard var entry = entry(named: meant, of: picture) else { continue }
            entry.id = id
            return entry
        }
        return nil
    }

    /// `backend/model`, where that backend lists the model.
    private static func entry(ofBackendIn id: String, _ picture: BackendSnapshot) -> ModelEntry? {
        guard let slash = id.firstIndex(of: "/") else { return nil }
        let prefix = id[..<slash].lowercased()
        guard let backend = picture.backends.first(where: { $0.name.lowercased() == prefix }),
            let model = backend.model(named: String(id[id.index(after: slash)...]))
        else { return nil }
        return ModelEntry(
            id: id, created: model.created ?? 0, description: "on \(backend.name)",
            maxInputTokens: model.contextWindow, owner: backend.name)
    }

    /// The page that the query asks for; what is not understood in it is passed over.
    static func page(of query: String?) -> ModelPage {
        var page = ModelPage()
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let value = percentDecoded(parts[1]) else { continue }
            switch parts[0] {
            case "limit":
                let asked = Int(value) ?? page.limit
                page = ModelPage(limit: asked, afterID: page.afterID, beforeID: page.beforeID)
            case "after_id": page.afterID = value
            case "before_id": page.beforeID = value
            default: break
            }
        }
        return page
    }
}

extension Server {
    func models(_ shape: ModelsShape, _ head: RequestHead, _ answer: Answer) async {
        await registry.waitForFirstRound()
        switch shape {
        case .anthropic:
            let page = ModelOffer.page(of: head.query)
            let entries = ModelOffer.withAliases(modelEntries)
            answer.send(200, body: ModelsReply.anthropicList(entries, page: page))
        case .openAI: answer.send(200, body: ModelsReply.openAIList(modelEntries))
        }
    }

    /// - Returns: why there was none to show.
    func model(_ id: String, _ shape: ModelsShape, _ answer: Answer) async -> Failure? {
        await registry.waitForFirstRound()
        guard let entry = ModelOffer.entry(named: id, of: registry.picture) else {
            let failure = Failure.request(.unlistedModel(ExchangeRecord.short(id)))
            answer.send(failure)
            return failure
        }
        answer.send(200, body: shape == .anthropic ? ModelsReply.anthropic(entry) : ModelsReply.openAI(entry))
        return nil
    }

    private var modelEntries: [ModelEntry] { ModelOffer.entries(of: registry.picture) }
}
