// How a model's own count of tokens compares with our estimate, learnt from what its backend reports. Pure:
// a ratio and an observation give the next ratio. Holds: no single report moves it far, and it rises faster
// than it falls, for an estimate that is too low lets conversations overflow.

/// Tokens that a backend counts for each one that we estimate.
public struct TokenRatio: Sendable, Equatable {
    /// For a thousand estimated tokens; within `bounds`.
    public let perThousand: Int

    /// Vocabularies differ less than this; what lies beyond was no count of the whole prompt.
    public static let bounds = 500...4000
    /// Nothing is known: the estimate as it is.
    public static let unknown = TokenRatio(perThousand: 1000)

    public init(perThousand: Int) {
        self.perThousand = min(max(perThousand, Self.bounds.lowerBound), Self.bounds.upperBound)
    }

    /// Rounded up.
    public func applied(to estimate: Int) -> Int {
        guard self != .unknown else { return estimate }
        let (product, overflow) = estimate.multipliedReportingOverflow(by: perThousand)
        return overflow ? estimate : (product &+ 999) / 1000
    }

    /// Prompts estimated below this teach nothing: what a template adds outweighs their text.
    public static let leastEstimate = 256
    /// From here on a prompt counts fully.
    private static let fullEstimate = 2048
    /// Of the way to what was observed, in thousandths: up, down, and farthest in one step.
    private static let (rise, fall) = (800, 400)
    private static let (farthestUp, farthestDown) = (1600, 750)

    /// After a prompt of `estimated` tokens, by the bare estimate, was reported to have `reported`.
    public func observing(reported: Int, estimated: Int) -> TokenRatio {
        guard estimated >= Self.leastEstimate, reported > 0 else { return self }
        let (product, overflow) = reported.multipliedReportingOverflow(by: 1000)
        let observed = overflow ? Int.max : product / estimated
        // A backend that reports only what was not in its cache, or that has cut the prompt.
        guard observed >= Self.bounds.lowerBound else { return self }
        let clamped = min(observed, Self.bounds.upperBound)
        let weight = min(estimated, Self.fullEstimate) * 1000 / Self.fullEstimate
        let share = clamped > perThousand ? Self.rise : Self.fall
        let step = (clamped - perThousand) * share * weight / 1_000_000
        let highest = perThousand * Self.farthestUp / 1000
        let lowest = perThousand * Self.farthestDown / 1000
        return TokenRatio(perThousand: min(max(perThousand + step, lowest), highest))
    }
}
