// Time as the supervisor sees it: nanoseconds of the monotonic clock. Everything that decides gets its
// `now` handed in; only the loop asks the clock.

import CSystem

struct Moment: Comparable, Hashable, Sendable {
    let nanoseconds: UInt64

    static func now() -> Moment { Moment(nanoseconds: cs_now()) }

    static func < (left: Moment, right: Moment) -> Bool { left.nanoseconds < right.nanoseconds }

    static func + (moment: Moment, duration: Duration) -> Moment {
        let (sum, overflow) = moment.nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return Moment(nanoseconds: overflow ? .max : sum)
    }

    /// How long ago `earlier` was; zero when it is not in the past.
    func since(_ earlier: Moment) -> Duration {
        guard nanoseconds > earlier.nanoseconds else { return .zero }
        return .nanoseconds(Int64(clamping: nanoseconds - earlier.nanoseconds))
    }
}

extension Duration {
    /// Zero for negative durations, capped at 2^63-1 (292 years).
    var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return UInt64(Int64.max) }
        let (sum, carried) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? UInt64(Int64.max) : UInt64(sum)
    }

    var wholeSeconds: UInt64 { wholeNanoseconds / 1_000_000_000 }

    /// `850ms`, `12s`, `3h12m`: two units at most, for people.
    var brief: String {
        let seconds = wholeSeconds
        switch seconds {
        case 0 where wholeNanoseconds == 0: return "0s"
        case 0: return "\(wholeNanoseconds / 1_000_000)ms"
        case ..<60: return "\(seconds)s"
        case ..<3600: return "\(seconds / 60)m\(Self.padded(seconds % 60))s"
        case ..<86_400: return "\(seconds / 3600)h\(Self.padded(seconds / 60 % 60))m"
        default: return "\(seconds / 86_400)d\(Self.padded(seconds / 3600 % 24))h"
        }
    }

    private static func padded(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
