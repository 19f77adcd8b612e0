// What of a request's head is part of the Messages API; credentials, cookies and what clients say of
// themselves stay here.

/// The fields of a Messages request that stand in its head.
public struct MessagesHead: Sendable, Equatable {
    /// `anthropic-version`; nil = none was sent.
    public var version: String?
    /// `anthropic-beta`, every line of it.
    public var betas: [String]
    /// The path was asked for with `?beta=true`.
    public var isBeta: Bool

    public init(version: String? = nil, betas: [String] = [], isBeta: Bool = false) {
        self.version = version
        self.betas = betas
        self.isBeta = isBeta
    }

    /// The version sent for clients that name none.
    public static let defaultVersion = "2023-06-01"

    func headers(accept: String) -> [UpstreamCall.Header] {
        var headers: [UpstreamCall.Header] = [
            .init(name: "accept", value: accept),
            .init(name: "anthropic-version", value: version ?? Self.defaultVersion),
        ]
        if !betas.isEmpty {
            headers.append(.init(name: "anthropic-beta", value: betas.joined(separator: ",")))
        }
        return headers
    }

    func path(_ path: String) -> String { isBeta ? path + "?beta=true" : path }
}
