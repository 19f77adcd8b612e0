// How many lines of the journal a backend may fill. Pure. Holds: at most `maximum` a minute; what is kept back is
// counted, and the count is told when the minute is over.

import Shared

struct ChangeLog: Sendable {
    static let maximum = 20
    static let period = Duration.seconds(60)

    private var began: MonotonicInstant?
    private var told = 0
    private var kept = 0

    /// True when this change may be told.
    mutating func admit(at now: MonotonicInstant) -> Bool {
        if let began, now < began + Self.period {
        } else if kept == 0 {
            began = now
            told = 0
        }
        guard told < Self.maximum else {
            kept = kept &+ 1
            return false
        }
        told &+= 1
        return true
    }

    /// How many were kept back in the minute that is over; nil = nothing is to be told.
    mutating func settle(at now: MonotonicInstant) -> Int? {
        guard kept > 0, let began, now >= began + Self.period else { return nil }
        let count = kept
        kept = 0
        // The line with the count is the first of the new minute.
        self.began = now
        told = 1
        return count
    }

    var deadline: MonotonicInstant? { kept > 0 ? began.map { $0 + Self.period } : nil }
}
