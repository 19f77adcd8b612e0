// The words of a decision. See Scheduler+Choice.

import Shared

/// Whether a candidate may be asked now.
enum Standing: UInt8, Sendable {
    case usable
    /// Its breaker is half-open: this request would be the trial.
    case trial
    /// Another request is the trial.
    case tried
    /// It wants to be left alone for a while.
    case resting
    /// Its breaker, or its model's, is open.
    case open
    /// Its checks fail.
    case down
    /// It has said lately that it has no such model.
    case missing
    /// Not configured any more.
    case absent

    var isUsable: Bool { self == .usable || self == .trial }
}

/// Where a request goes.
struct Choice: Sendable {
    let candidate: Int
    let reason: PlacementReason
    /// Tokens that are expected in the backend's cache.
    var cached: UInt32 = 0
    /// Those that would be there if nothing had displaced them, and since when by the backend's clock.
    var remembered: UInt32 = 0
    var age: Double?
}

enum Decision: Sendable {
    case go(Choice)
    /// For the candidate where the first answer is to be expected, if one is preferred.
    case wait(home: Int?)
    case refuse(AdmissionRefusal)
}

/// What a decision has found out of each candidate, in their order. One for all decisions, so that none allocates.
struct Scratch: Sendable {
    var standings: [Standing] = []
    /// Seconds to read the prompt there: what the cache lacks, the model's loading, what would be displaced.
    var reading: [Double] = []
    /// Seconds until it is read, beyond that.
    var waiting: [Double] = []
    var cached: [UInt32] = []
    /// Tokens by the backends' bits.
    var prefixes = [UInt32](repeating: 0, count: PrefixIndex.backends)

    mutating func begin(_ count: Int) {
        standings.removeAll(keepingCapacity: true)
        reading.removeAll(keepingCapacity: true)
        waiting.removeAll(keepingCapacity: true)
        cached.removeAll(keepingCapacity: true)
        standings.reserveCapacity(count)
        reading.reserveCapacity(count)
        waiting.reserveCapacity(count)
        cached.reserveCapacity(count)
    }

    /// Until the first token, as expected.
    func seconds(_ candidate: Int) -> Double { reading[candidate] + waiting[candidate] }
}

/// What the candidates are worth together.
struct Survey: Sendable {
    /// The highest class with a usable backend.
    var top: Int?
    /// When the first of those that rest may be asked again.
    var restsUntil: MonotonicInstant?
    /// Whoever is left when none is usable.
    var lastResort: Int?
    var isAnyThere = false
}

extension UInt64 {
    /// The last steps of SplitMix64: each bit of the result hangs on each of the input.
    var mixed: UInt64 {
        var value = self
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
