// When a refusal becomes a verdict on a model. Pure. Holds: words that leave a doubt need two conversations. How
// long a verdict holds says `Verdict`.

internal import Shared
internal import Translation

/// Refusals that one more conversation would confirm. Of this worker only: what is not sure is not told.
struct Suspicions: Sendable {
    private struct Subject: Hashable {
        let place: ModelKey
        let feature: Feature
    }

    /// Subjects remembered at most.
    static let capacity = 256

    private var conversations: [Subject: Int] = [:]

    /// Whether another conversation was refused the same before; if not, this one is remembered.
    mutating func confirms(_ place: ModelKey, _ feature: Feature, conversation: Int) -> Bool {
        let subject = Subject(place: place, feature: feature)
        if let known = conversations[subject] {
            guard known != conversation else { return false }
            conversations[subject] = nil
            return true
        }
        if conversations.count >= Self.capacity { conversations = [:] }
        conversations[subject] = conversation
        return false
    }
}
