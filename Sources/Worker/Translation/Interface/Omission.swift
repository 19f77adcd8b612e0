// What a conversion leaves out, by name: it reaches the client's header and the journal.

/// Something of the request that the backend's dialect could not carry. Never lost silently.
public struct Omission: Sendable, Equatable {
    /// Path in the request, such as `top_k` or `tools[3]`.
    public var path: String
    public var reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}
