// The fuzzers: one program, the parser under test chosen by FUZZ_TARGET. libFuzzer brings `main` and calls
// `LLVMFuzzerTestOneInput` with what it made up; what an input must not break is said by the targets, and a
// broken promise ends the process, which is what libFuzzer calls a finding.

import Glibc

/// One parser and what must hold for any bytes. `random` depends on the input alone, so that a finding is
/// found again from its file.
struct FuzzTarget: Sendable {
    var name: String
    var run: @Sendable ([UInt8], inout SeededRandom) -> Void
}

let fuzzTargets: [FuzzTarget] = [
    FuzzTarget(name: "json", run: fuzzJSON), FuzzTarget(name: "sse", run: fuzzSSE),
    FuzzTarget(name: "lines", run: fuzzLines),
    FuzzTarget(name: "reply", run: fuzzReply), FuzzTarget(name: "textcalls", run: fuzzTextCalls),
    FuzzTarget(name: "relay", run: fuzzRelay),
    FuzzTarget(name: "arguments", run: fuzzArguments),
    FuzzTarget(name: "failure", run: fuzzFailure), FuzzTarget(name: "request", run: fuzzRequest),
    FuzzTarget(name: "chat", run: fuzzChat), FuzzTarget(name: "events", run: fuzzEvents),
    FuzzTarget(name: "carriers", run: fuzzCarriers),
    FuzzTarget(name: "head", run: fuzzHead), FuzzTarget(name: "chunked", run: fuzzChunked),
    FuzzTarget(name: "control", run: fuzzControl), FuzzTarget(name: "configuration", run: fuzzConfiguration),
]

private let chosen: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = fuzzTargets.first(where: { $0.name == name }) else {
        let names = fuzzTargets.map(\.name).joined(separator: " ")
        print("FUZZ_TARGET is one of: \(names)")
        exit(64)
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    var random = SeededRandom(bytes)
    chosen.run(bytes, &random)
    return 0
}

/// Ends the process: a finding.
func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
    guard !holds else { return }
    fatalError("broken promise: \(what())")
}

/// splitmix64, seeded with the input's bytes (FNV-1a).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    init(_ bytes: [UInt8]) {
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// Where to cut `count` bytes: up to twelve places, in order, doubles among them; sometimes everywhere.
    mutating func cuts(_ count: Int) -> [Int] {
        guard count > 0 else { return [] }
        if count < 512, Int.random(in: 0..<8, using: &self) == 0 { return Array(1..<max(count, 2)) }
        return (0..<Int.random(in: 1...12, using: &self)).map { _ in Int.random(in: 0...count, using: &self) }
            .sorted()
    }
}
