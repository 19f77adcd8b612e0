// Times as people read them.

import Shared

extension Duration {
    /// Zero for negative durations.
    var wholeSeconds: UInt64 { UInt64(max(inNanoseconds, 0)) / 1_000_000_000 }

    /// `850ms`, `12s`, `3h12m`: two units at most.
    var brief: String {
        let seconds = wholeSeconds
        switch seconds {
        case 0 where inNanoseconds <= 0: return "0s"
        case 0: return "\(inNanoseconds / 1_000_000)ms"
        case ..<60: return "\(seconds)s"
        case ..<3600: return "\(seconds / 60)m\(Self.padded(seconds % 60))s"
        case ..<86_400: return "\(seconds / 3600)h\(Self.padded(seconds / 60 % 60))m"
        default: return "\(seconds / 86_400)d\(Self.padded(seconds / 3600 % 24))h"
        }
    }

    private static func padded(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
