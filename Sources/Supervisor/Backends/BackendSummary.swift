// The backends as a worker reports them, for people: `dragoman status`, the service's status line, and the
// lines on a terminal. Whatever the report says, reading it decides nothing.

import JSON
import Shared

/// What people want to know of one backend.
struct BackendSummary: Equatable {
    struct Model: Equatable {
        let id: String
        let context: Int?
    }

    /// Models named in a line before it says how many more there are.
    private static let shownModels = 6

    let name: String
    let url: String
    let type: String
    /// Nil when the report has no such word, or one that is not ours.
    let state: BackendState?
    let error: String?
    let models: [Model]
    /// What exchanges have found out, one line for each model.
    let learnt: [String]
    /// The model that a Claude name leads to, and its window in tokens where that is known.
    let defaultModel: String?
    let defaultContext: Int?

    init(_ node: JSONNode) {
        name = node["name"]?.string ?? "?"
        url = node["url"]?.string ?? ""
        type = node["type"]?.string ?? "?"
        state = node["state"]?.string.flatMap(BackendState.init(rawValue:))
        error = node["error"]?.string
        let models = node["models"].items.compactMap { model in
            model["id"]?.string.map { Model(id: $0, context: model["context"]?.int) }
        }
        self.models = models
        learnt = node["learnt"].items.compactMap(Self.learnt)
        let chosen = node["default_model"]?.string
        defaultModel = chosen
        defaultContext = node["default_context"]?.int ?? models.first { $0.id == chosen }?.context
    }

    /// What a worker's report says; nothing when it cannot be read.
    static func all(in report: String) -> [BackendSummary] {
        guard let document = try? JSONDocument(parsing: Array(report.utf8)) else { return [] }
        return JSONNode?.some(document.root).items.map(BackendSummary.init)
    }

    /// Backends named in the status line before it says how many more there are.
    private static let namedBackends = 4

    /// All of them in a few words, such as `gpu1 up, laptop down`; a demo is named as such.
    static func line(of all: [BackendSummary]) -> String {
        let named = all.prefix(namedBackends).map {
            $0.isDemo ? "no backend, using the demo" : "\($0.name) \($0.stateText)"
        }
        let more = all.count > named.count ? ["\(all.count - named.count) more"] : []
        return Wording.shown((named + more).joined(separator: ", "))
    }

    private var stateText: String { state?.rawValue ?? "?" }

    var isDemo: Bool { state == .demo }
    var isUnknown: Bool { state == .unknown }
    /// It can answer now.
    var isUsable: Bool { state == .up && defaultModel != nil }

    private static func learnt(_ node: JSONNode) -> String? {
        guard let model = node["model"]?.string else { return nil }
        var facts: [String] = []
        let lacking = node["lacks"].items.compactMap { $0.string }
        if !lacking.isEmpty { facts.append("does not take \(lacking.joined(separator: ", "))") }
        if let limit = node["output_limit"]?.int { facts.append("answers with \(limit) tokens at most") }
        if let count = node["tokens_per_thousand"]?.int {
            facts.append("counts \(count) tokens for 1000 estimated")
        }
        return facts.isEmpty ? nil : "\(model) \(facts.joined(separator: "; "))"
    }

    var line: String {
        guard !isDemo else { return "\(name) (built in; answers in a model's place and says so)" }
        guard state != .down else {
            return "\(name) \(url) (\(type)) is down: \(error ?? "no reason known")"
        }
        let shown = models.prefix(Self.shownModels).map { model in
            model.context.map { "\(model.id) (\($0) tokens)" } ?? model.id
        }
        let more = models.count > shown.count ? ", and \(models.count - shown.count) more" : ""
        let list = shown.isEmpty ? "no models" : shown.joined(separator: ", ") + more
        return "\(name) \(url) (\(type)) is \(stateText): \(list)"
    }
}

extension JSONNode? {
    /// The elements of an array; none of anything else.
    var items: [JSONNode] { self.map { Array($0.elements) } ?? [] }
}
