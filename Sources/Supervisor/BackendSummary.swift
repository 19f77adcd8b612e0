// The backends as a worker reports them, for people. Read only by `dragoman status` and, when run by hand,
// for the lines on the terminal: as a service the supervisor passes the report on unread.

import JSON

/// What people want to know of one backend in the workers' report.
struct BackendSummary: Equatable {
    let name: String
    let url: String
    let type: String
    let state: String
    let models: [Model]
    let defaultModel: String?

    struct Model: Equatable {
        let id: String
        let context: Int?
    }

    init(_ node: JSONNode) {
        name = node["name"]?.string ?? "?"
        url = node["url"]?.string ?? ""
        type = node["type"]?.string ?? "?"
        state = node["state"]?.string ?? "?"
        models = node["models"].items.compactMap { model in
            model["id"]?.string.map { Model(id: $0, context: model["context"]?.int) }
        }
        defaultModel = node["default_model"]?.string
    }

    /// The window of the model that a Claude name would lead to; nil when it is not known.
    var context: Int? { (models.first { $0.id == defaultModel } ?? models.first)?.context }

    var line: String {
        let shown = models.prefix(6).map { model in
            model.context.map { "\(model.id) (\($0) tokens)" } ?? model.id
        }
        let more = models.count > shown.count ? ", and \(models.count - shown.count) more" : ""
        let list = shown.isEmpty ? "no models" : shown.joined(separator: ", ") + more
        return "\(name) \(url) \(type), \(state): \(list)"
    }
}

extension JSONNode? {
    /// The elements of an array; none of anything else.
    var items: [JSONNode] { self.map { Array($0.elements) } ?? [] }
}
