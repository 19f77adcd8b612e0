// Points in wall-clock time, for what is compared between processes that may be on different hosts or have
// started at different boots. Everything else uses the monotonic clock.
//
// A wall clock is set now and then, and those of two hosts differ. Up to `tolerance` that is ignored: of two
// stamps so close together either may count as the newer, which costs one observation that is made again. A
// stamp that is further ahead of the reader's clock comes from before that clock was set back, or from a host
// whose clock is wrong: it counts as older than every other, so that nothing lasts until a clock has caught
// up. A clock that orders causes (hybrid logical) is not needed for that: each observation stands for itself.

internal import CSystem

/// A point in CLOCK_REALTIME, in nanoseconds since 1970. Arithmetic saturates: no sum of outside numbers
/// traps.
public struct WallTime: Hashable, Sendable {
    /// How far a stamp may be ahead of the reader's clock.
    public static let tolerance: UInt64 = 5_000_000_000

    public let nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Asks the clock.
    public static func now() -> WallTime { WallTime(nanoseconds: cs_wall_now()) }

    /// Whether the reader's clock cannot vouch for this stamp.
    public func isAhead(of now: WallTime) -> Bool {
        nanoseconds > now.nanoseconds && nanoseconds - now.nanoseconds > Self.tolerance
    }

    /// Nanoseconds from then until `now`: 0 when that is a little earlier, nil when it is ahead of `now`.
    public func age(at now: WallTime) -> UInt64? {
        if isAhead(of: now) { return nil }
        return now.nanoseconds > nanoseconds ? now.nanoseconds - nanoseconds : 0
    }

    /// What stamps are ordered by, as seen at `now`.
    func rank(at now: WallTime) -> UInt64 { isAhead(of: now) ? 0 : nanoseconds }

    public func advanced(nanoseconds count: UInt64) -> WallTime {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(count)
        return WallTime(nanoseconds: overflow ? .max : sum)
    }

    /// As RFC 3339 has it, in UTC: `2026-01-02T03:04:05.678Z`.
    public var text: String {
        var bytes: [UInt8] = []
        LogEntry.Clock(microseconds: Int64(clamping: nanoseconds / 1000)).appendDate(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
