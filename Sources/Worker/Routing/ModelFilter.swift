// Which of its models a backend offers: its `models:` of the configuration. It holds for what is listed and
// for what is asked for by `backend/model`. Pure.

public struct ModelFilter: Sendable, Equatable {
    private let included: [ModelGlob]
    private let excluded: [ModelGlob]

    /// Takes every model.
    public static let all = ModelFilter([])

    /// - Parameter patterns: globs; `!` in front excludes. Where nothing is included, all are but those
    ///   excluded.
    public init(_ patterns: [String]) {
        included = patterns.filter { !$0.hasPrefix("!") }.map { ModelGlob($0) }
        excluded = patterns.filter { $0.hasPrefix("!") }.map { ModelGlob(String($0.dropFirst())) }
    }

    public func takes(_ model: String) -> Bool {
        (included.isEmpty || included.contains { $0.matches(model) })
            && !excluded.contains { $0.matches(model) }
    }
}
