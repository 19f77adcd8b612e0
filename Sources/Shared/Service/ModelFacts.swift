// What a backend says of its models: found by the prober, the same in all processes.

/// One model as its backend lists it.
public struct ModelFacts: Sendable, Equatable {
    /// The name that the backend knows it by.
    public var id: String
    /// The window in force, in tokens; nil when the backend does not say. Never the model's theoretical
    /// one where the backend cuts earlier.
    public var contextWindow: Int?
    /// Whether it is in memory now; nil when the backend does not say.
    public var isLoaded: Bool?
    /// nil = unknown.
    public var usesTools: Bool?
    public var seesImages: Bool?
    public var thinks: Bool?
    /// The window that the model could have at most, in tokens; of Ollama, where it is decided by the caller.
    public var limit: Int?
    /// The window that it is loaded with now, and the one that its Modelfile asks for. Of Ollama.
    public var loadedWindow: Int?
    public var presetWindow: Int?
    /// Tokens that it gives in one answer at most; nil when the backend does not say.
    public var outputLimit: Int?
    /// Ollama only passes requests on to another service.
    public var isRemote = false
    /// Seconds since 1970; nil when the backend does not say.
    public var created: Int?
    /// False for embedding, ranking and speech models, which `auto` passes over.
    public var isChat = true
    /// Requests that the server handles at once, each with a cache of its own; of llama.cpp.
    public var slots: Int?

    public init(id: String, contextWindow: Int? = nil, isLoaded: Bool? = nil, usesTools: Bool? = nil) {
        self.id = id
        self.contextWindow = contextWindow
        self.isLoaded = isLoaded
        self.usesTools = usesTools
    }
}

extension Array where Element == ModelFacts {
    /// What `auto` means where it gave nothing before: the loaded model, else the first that can use tools, else
    /// the first; its place. Nil where there is none.
    public var usualPlace: Int? {
        func place(_ condition: (ModelFacts) -> Bool) -> Int? {
            firstIndex { $0.isChat && condition($0) }
        }
        return place { $0.isLoaded == true } ?? place { $0.usesTools == true } ?? place { _ in true }
            ?? indices.first
    }
}
