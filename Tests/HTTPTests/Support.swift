// Seeded randomness and the ways to feed a parser, shared by the tests of this room.

@testable import HTTP

/// SplitMix64: the same seed gives the same cuts on every machine.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

enum HeadOutcome: Equatable {
    case complete(length: Int, path: String, fields: Int)
    case incomplete
    case refused(FramingFailure)
}

/// Feeds `bytes` in pieces that end at `cuts` and at the end.
func parseHead(_ bytes: [UInt8], cuts: [Int] = [], limits: HeadLimits = HeadLimits()) -> HeadOutcome {
    var parser = RequestHeadParser(limits: limits)
    do {
        for end in cuts + [bytes.count] {
            if let head = try parser.parse(Array(bytes[..<end])) {
                return .complete(length: head.length, path: head.path, fields: head.fieldCount)
            }
        }
        return .incomplete
    } catch {
        return .refused(error)
    }
}

func randomCuts(_ count: Int, using random: inout SeededRandom) -> [Int] {
    guard count > 0 else { return [] }
    return (0..<Int.random(in: 0...6, using: &random)).map { _ in Int.random(in: 0...count, using: &random) }
        .sorted()
}

func head(_ text: String) throws -> RequestHead? {
    var parser = RequestHeadParser()
    return try parser.parse(Array(text.utf8))
}
