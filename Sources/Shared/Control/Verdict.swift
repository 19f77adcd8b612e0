// For how long a refusal of a backend's model holds as a verdict on it. Pure; the time is given. Holds: every
// verdict ends, and what is refused again is asked for again later and later.

public enum Verdict {
    /// How long a feature that was refused once is not asked for again.
    public static let shortest = Duration.seconds(5 * 60)
    /// A server may be updated without being seen to go away.
    public static let longest = Duration.seconds(6 * 3600)

    /// - Parameter times: refusals in a row.
    public static func lifetime(_ times: UInt8) -> Duration {
        guard times > 0 else { return .zero }
        // Seven doublings reach the longest.
        return min(shortest * (1 << min(Int(times) - 1, 7)), longest)
    }

    /// A stamp that is ahead of the clock is ignored: the feature is asked for again.
    public static func holds(_ times: UInt8, since learntAt: WallTime, at now: WallTime) -> Bool {
        learntAt.age(at: now).map { $0 < UInt64(max(lifetime(times).inNanoseconds, 0)) } ?? false
    }
}
