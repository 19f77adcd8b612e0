// Asking the same backend once more, without what it said that its model does not take. Pure. No failover: the
// backend is well, and the client has seen nothing yet.

internal import Translation

struct FeatureRetry {
    /// Rounds in one exchange at most, over all backends that it tries.
    static let limit = 4

    /// What the present backend is not asked for, beyond what was known of it; in the order of its refusals.
    private(set) var withheld: [Feature] = []
    /// What any backend of this exchange was asked without, for the journal.
    private(set) var all: [Feature] = []

    /// Whether to ask again, without this feature from now on.
    mutating func takes(_ refused: Feature) -> Bool {
        guard all.count < Self.limit, !withheld.contains(refused) else { return false }
        withheld.append(refused)
        all.append(refused)
        return true
    }

    /// Another backend's model may take what this one does not.
    mutating func beginsAnew() { withheld = [] }
}
