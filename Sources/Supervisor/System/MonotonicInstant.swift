// Time as the supervisor sees it: nanoseconds of the monotonic clock. Everything that decides gets its
// `now` handed in; only the loop asks the clock.

import CSystem

struct MonotonicInstant: Comparable, Hashable, Sendable {
    let nanoseconds: UInt64

    static func now() -> MonotonicInstant { MonotonicInstant(nanoseconds: cs_now()) }

    static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    static func + (moment: MonotonicInstant, duration: Duration) -> MonotonicInstant {
        let (sum, overflow) = moment.nanoseconds.addingReportingOverflow(
            UInt64(max(duration.wholeNanoseconds, 0)))
        return MonotonicInstant(nanoseconds: overflow ? .max : sum)
    }

    /// How long ago `earlier` was; zero when it is not in the past.
    func since(_ earlier: MonotonicInstant) -> Duration {
        guard nanoseconds > earlier.nanoseconds else { return .zero }
        return .nanoseconds(Int64(clamping: nanoseconds - earlier.nanoseconds))
    }
}

extension Duration {
    /// Whole nanoseconds, clamped to what Int64 holds (292 years); x    /// ours.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carry) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carry ? (seconds < 0 ? .min : .max) : sum
    }

    /// Zero for negative durations.
    var wholeSeconds: UInt64 { UInt64(max(wholeNanoseconds, 0)) / 1_000_000_000 }

    /// `850ms`, `12s`, `3h12m`: two units at most, for people.
    var brief: String {
        let seconds = wholeSeconds
        switch seconds {
        case 0 where wholeNanoseconds <= 0: return "0s"
        case 0: return "\(wholeNanoseconds / 1_000_000)ms"
        case ..<60: return "\(seconds)s"
        case ..<3600: return "\(seconds / 60)m\(Self.padded(seconds % 60))s"
        case ..<86_400: return "\(seconds / 3600)h\(Self.padded(seconds / 60 % 60))m"
        default: return "\(seconds / 86_400)d\(Self.padded(seconds / 3600 % 24))h"
        }
    }

    private static func padded(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
