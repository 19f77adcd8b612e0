// The fuzzers: one program, the parser under test chosen by FUZZ_TARGET. libFuzzer brings `main` and calls
// `LLVMFuzzerTestOneInput` with what it made up; what an input must not break is said by the targets, and a
// broken promise ends the process, which is what libFuzzer calls a finding.

import Glibc
import TestSupport

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
