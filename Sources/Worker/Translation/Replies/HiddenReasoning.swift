// Reasoning kept until it is clear whether it was the answer itself, or had its calls in it.

/// Escaped text; what grows beyond the limit is forgotten as a whole, for half an answer is none.
struct HiddenReasoning: Sendable {
    static let limit = 1 << 20

    private var bytes: [UInt8] = []
    private var isLost = false

    var all: ArraySlice<UInt8> { bytes[...] }

    mutating func hold(_ more: ArraySlice<UInt8>) {
        guard !isLost, bytes.count + more.count <= Self.limit else {
            isLost = true
            bytes = []
            return
        }
        bytes.append(contentsOf: more)
    }

    /// What is the answer after a stop for this reason: servers whose reasoning parser waits for a tag that
    /// never comes, since thinking was switched off, give the whole answer as reasoning.
    mutating func takeAnswer(_ stop: StopReason?) -> [UInt8] {
        let answer = bytes
        bytes = []
        switch stop {
        case .maxTokens, .contextWindowExceeded, .refusal: return []
        case .endTurn, .stopSequence, .toolUse, nil: return answer
        }
    }
}
