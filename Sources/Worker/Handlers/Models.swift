// The model lists, from the registry's memory: never slower than that, whatever the backends do.

internal import EventLoop
internal import HTTP
internal import Routing
internal import Shared
internal import Translation

extension ModelPage {
    /// The page that the query asks for; what is not understood in it is passed over.
    init(query: String?) {
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
        self = page
    }
}

extension Server {
    func models(_ shape: ModelsShape, _ head: RequestHead, _ answer: Answer) async {
        await registry.waitForFirstRound()
        switch shape {
        case .anthropic:
            let page = ModelPage(query: head.query)
            let entries = ModelOffer.withAliases(modelOffer.entries)
            answer.send(200, body: ModelsReply.anthropicList(entries, page: page))
        case .openAI: answer.send(200, body: ModelsReply.openAIList(modelOffer.entries))
        }
    }

    /// - Returns: why there was none to show.
    func model(_ id: String, _ shape: ModelsShape, _ answer: Answer) async -> Failure? {
        await registry.waitForFirstRound()
        guard let entry = modelOffer.entry(named: id) else {
            let failure = Failure.request(.unlistedModel(ExchangeRecord.short(id)))
            answer.send(failure)
            return failure
        }
        answer.send(200, body: shape == .anthropic ? ModelsReply.anthropic(entry) : ModelsReply.openAI(entry))
        return nil
    }

    private var modelOffer: ModelOffer {
        var offer = registry.offer
        offer.readsDocuments = context.documents.canRead
        return offer
    }
}
