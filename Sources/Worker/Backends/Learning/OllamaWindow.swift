// The context window that a model of Ollama is asked for. Pure: a function of the setting, of what is known
// of the model, and of what was decided before. Holds: never Ollama's own default, which is small and cuts
// prompts in silence (ollama#3839); the same value as long as the model stays loaded, for another one loads
// it anew.

internal import Routing
internal import Shared
internal import Translation

enum OllamaWindow {
    /// Less than this is no use to a coding agent, whose instructions and tools alone take more than half of
    /// it.
    static let enough = UpstreamTarget.unknownOllamaWindow
    /// What is asked for where the model can do more: memory grows with it.
    static let usual = 65_536

    /// - Parameter before: what was decided for this model earlier, in this process.
    static func decided(
        _ setting: Configuration.ContextWindow, _ model: ModelFacts, before: Int?
    ) -> Int {
        let limit = model.limit ?? .max
        switch setting {
        case .tokens(let count): return min(count, limit)
        case .auto: break
        }
        // It runs elsewhere and takes no memory here.
        if model.isRemote { return model.limit ?? enough }
        if let loaded = model.loadedWindow, loaded >= min(enough, limit) || loaded == model.presetWindow {
            return loaded
        }
        // Written into its Modelfile: somebody wanted it so.
        if let preset = model.presetWindow { return min(preset, limit) }
        if let before { return min(before, limit) }
        return model.limit.map { min($0, usual) } ?? enough
    }

    /// What comes out where nobody has loaded the model yet: the same in every process.
    static func usual(_ setting: Configuration.ContextWindow, _ model: ModelFacts) -> Int {
        var model = model
        model.loadedWindow = nil
        return decided(setting, model, before: nil)
    }

    /// Whether a decision is one to keep: not if it was made before anything was known.
    static func isFirm(_ model: ModelFacts) -> Bool { model.limit != nil || model.loadedWindow != nil }
}
