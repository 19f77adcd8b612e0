// Durations in nanoseconds, counted in buckets 1.6 % wide: quantiles without keeping every value.

struct Histogram {
    private var counts = [Int](repeating: 0, count: 64 * 40)
    private(set) var total = 0
    private(set) var maximum: UInt64 = 0

    mutating func add(_ nanoseconds: UInt64) {
        counts[Self.bucket(nanoseconds)] += 1
        total += 1
        maximum = max(maximum, nanoseconds)
    }

    private static func bucket(_ value: UInt64) -> Int {
        guard value >= 64 else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        let index = (exponent - 5) * 64 + Int(value >> UInt64(exponent - 6)) - 64
        return min(index, 64 * 40 - 1)
    }

    private static func middle(_ bucket: Int) -> UInt64 {
        guard bucket >= 64 else { return UInt64(bucket) }
        let exponent = bucket / 64 + 5
        let step = UInt64(1) << UInt64(exponent - 6)
        return UInt64(bucket % 64 + 64) * step + step / 2
    }

    /// The value at `share` of all (0.5 = median), in milliseconds; 0 when empty.
    func milliseconds(_ share: Double) -> Double {
        guard total > 0 else { return 0 }
        let rank = min(total - 1, Int(Double(total) * share))
        var seen = 0
        for (index, count) in counts.enumerated() where count > 0 {
            seen += count
            if seen > rank { return Double(min(Self.middle(index), maximum)) / 1e6 }
        }
        return Double(maximum) / 1e6
    }
}
