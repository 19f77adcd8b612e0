// When a refusal becomes a verdict on a model, and for how long it holds. Pure; the time is given. Holds:
// words that leave a doubt need two conversations; every verdict ends, and what is refused again is asked for
// again later and later.

internal import EventLoop
internal import Shared
internal import Translation

enum Verdict {
    /// How long a feature that was refused once is not asked for again.
    static let shortest = Duration.seconds(5 * 60)
    /// A server may be updated without being seen to go away.
    static let longest = Duration.seconds(6 * 3600)

    /// - Parameter times: refusals in a row.
    static func lifetime(_ times: UInt8) -> Duration {
        guard times > 0 else { return .zero }
        // Seven doublings reach the longest.
        return min(shortest * (1 << min(Int(times) - 1, 7)), longest)
    }

    /// A stamp that is ahead of the clock is ignored: the feature is asked for again.
    static func holds(_ times: UInt8, since learntAt: WallTime, at now: WallTime) -> Bool {
        learntAt.age(at: now).map { $0 < UInt64(lifetime(times).wholeNanoseconds) } ?? false
    }
}

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
