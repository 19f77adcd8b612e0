// What the tests of the supervisor share: random numbers that are the same on every machine (SplitMix64), and
// identities as literals.

public import Shared

struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension WorkerID: ExpressibleByIntegerLiteral {
    public init(integerLiteral life: UInt32) { self.init(life: life) }
}

extension BackendID: ExpressibleByStringLiteral {
    public init(stringLiteral name: String) { self.init(name) }
}
