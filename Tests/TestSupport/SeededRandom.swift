// Randomness that a failing test can be run again with.

/// SplitMix64: the same numbers for the same seed, on every machine.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// Seeded with a test's input (FNV-1a).
    public init(_ bytes: some Sequence<UInt8>) {
        state = 0xCBF2_9CE4_8422_2325
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// Where to cut `count` bytes: up to twelve places, in order, doubles among them; sometimes everywhere.
    public mutating func cuts(_ count: Int) -> [Int] {
        guard count > 0 else { return [] }
        if count < 512, Int.random(in: 0..<8, using: &self) == 0 { return Array(1..<max(count, 2)) }
        return (0..<Int.random(in: 1...12, using: &self)).map { _ in Int.random(in: 0...count, using: &self) }
            .sorted()
    }
}
