// Points in monotonic time. `Loop.now` is read once per turn of the loop, so that an event costs no
// clock call; `Instant.now` asks the clock.

internal import CSystem

/// A point in CLOCK_MONOTONIC, in nanoseconds. Arithmetic saturates: no sum of outside numbers traps.
public struct Instant: InstantProtocol, Sendable, Hashable {
    public var nanoseconds: UInt64

    @inlinable
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Later than everything.
    public static let distantFuture = Instant(nanoseconds: .max)

    /// Asks the clock.
    public static var now: Instant { Instant(nanoseconds: cs_now()) }

    @inlinable
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    @inlinable
    public func advanced(nanoseconds count: UInt64) -> Instant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(count)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }

    public func advanced(by duration: Duration) -> Instant {
        let count = duration.wholeNanoseconds
        if count >= 0 { return advanced(nanoseconds: UInt64(count)) }
        let back = count.magnitude
        return Instant(nanoseconds: nanoseconds > back ? nanoseconds - back : 0)
    }

    public func duration(to other: Instant) -> Duration {
        other < self
            ? .zero - .nanoseconds(Int64(clamping: nanoseconds - other.nanoseconds))
            : .nanoseconds(Int64(clamping: other.nanoseconds - nanoseconds))
    }

    /// Nanoseconds since `earlier`; 0 when that is later.
    @inlinable
    public func nanoseconds(since earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }
}

extension Duration {
    /// Whole nanoseconds, clamped to what Int64 holds (292 years).
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carry) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carry ? (seconds < 0 ? .min : .max) : sum
    }
}
