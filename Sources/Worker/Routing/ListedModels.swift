// What one backend lists, ready to be asked by name: made once for each list, read by every request.

public import Shared

public struct ListedModels: Sendable, Equatable {
    /// In the backend's own order; each name once.
    public let all: [ModelFacts]
    /// Places in `all`, by the name as it stands and by what equal names have in common.
    private let exact: [String: Int]
    private let folded: [String: Int]
    private let first: Int?

    public init(_ models: [ModelFacts]) {
        var all: [ModelFacts] = []
        var exact: [String: Int] = [:]
        var folded: [String: Int] = [:]
        all.reserveCapacity(models.count)
        for model in models where exact[model.id] == nil {
            exact[model.id] = all.count
            let name = ModelName.folded(model.id)
            if folded[name] == nil { folded[name] = all.count }
            all.append(model)
        }
        self.all = all
        self.exact = exact
        self.folded = folded
        first = all.usualPlace
    }

    public static func == (left: ListedModels, right: ListedModels) -> Bool { left.all == right.all }

    public var isEmpty: Bool { all.isEmpty }

    /// What `auto` means where it gave nothing before: the loaded model, else the first that can use tools, else
    /// the first.
    public var usual: ModelFacts? { first.map { all[$0] } }

    /// The model that is called exactly so.
    public func model(called id: String) -> ModelFacts? { exact[id].map { all[$0] } }

    /// The model that this name means: the one that is called so, else one of an equal name.
    public func model(named name: String) -> ModelFacts? {
        model(called: name) ?? model(alike: ModelName.folded(name))
    }

    /// The first model whose name has this in common with equal ones.
    func model(alike name: String) -> ModelFacts? { folded[name].map { all[$0] } }
}
