// What an operator may have put right in a conversation before its backend sees it. Small models learn from
// what they see: calls of theirs that a tool refused, and arguments with names of their own making, teach
// them to go on like that. Pure, and a function of the messages alone. Holds: what the client or a tool said
// stays, except for the refusals that belong to calls which are dropped; the last round is never touched, or
// the model would repeat what has just failed.

import JSON

struct HistoryHealing {
    private(set) var messages: [Message]
    private(set) var droppedCalls = 0
    private(set) var mendedInputs = 0
    private let tools: [Tool]
    /// Bytes at the start of a result in which the reason of a refusal stands.
    private static let reasonBytes = 600

    init(_ request: CanonicalRequest) {
        messages = request.messages
        tools = request.tools
    }

    mutating func heal() {
        var schemas: [String: [UInt8]] = [:]
        for tool in tools { schemas[tool.name] = tool.schemaBytes }
        var start = 0
        while let round = nextRound(from: start) {
            let failed = failedCalls(in: round)
            // Only what lies behind the model already.
            if round.upperBound < messages.count { drop(failed, in: round) }
            for index in round where messages[index].role == .assistant {
                mend(index, except: failed, schemas)
            }
            start = round.upperBound
        }
        messages.removeAll { $0.index < 0 }
    }

    /// Assistant messages in a row, and what follows up to the next.
    private func nextRound(from start: Int) -> Range<Int>? {
        guard let first = messages[start...].firstIndex(where: { $0.role == .assistant }) else { return nil }
        let said = messages[first...].firstIndex { $0.role != .assistant } ?? messages.count
        return first..<(messages[said...].firstIndex { $0.role == .assistant } ?? messages.count)
    }

    // MARK: Failed calls

    /// Ids of calls that never ran, for what was wrong with their input or a sibling's.
    private func failedCalls(in round: Range<Int>) -> Set<String> {
        var calls: [String: Int] = [:]
        var failed: Set<String> = []
        for message in messages[round] {
            for block in message.blocks {
                switch block {
                case .toolUse(let call) where message.role == .assistant: calls[call.id, default: 0] += 1
                case .toolResult(let result) where Self.isRefusal(result): failed.insert(result.id)
                default: continue
                }
            }
        }
        // An id used twice does not say which of the two it was.
        return failed.filter { calls[$0] == 1 }
    }

    private static func isRefusal(_ result: ToolResult) -> Bool {
        guard result.isError else { return false }
        for case .text(let node) in result.blocks {
            let reason = String(decoding: node.stringRaw.prefix(reasonBytes), as: UTF8.self).lowercased()
            return words.contains { $0.allSatisfy(reason.contains) }
        }
        return false
    }

    /// As Claude Code says it; all words of one line.
    private static let words: [[String]] = [
        ["inputvalidationerror"], ["sibling tool call errored"], ["required parameter", "is missing"],
        ["an unexpected parameter"], ["type is expected as"],
    ]

    private mutating func drop(_ failed: Set<String>, in round: Range<Int>) {
        guard !failed.isEmpty else { return }
        for index in round {
            let before = messages[index].blocks.count
            messages[index].blocks.removeAll { block in
                switch block {
                case .toolUse(let call): failed.contains(call.id)
                case .toolResult(let result): failed.contains(result.id)
                default: false
                }
            }
            guard messages[index].blocks.count < before else { continue }
            if messages[index].role == .assistant { droppedCalls += before - messages[index].blocks.count }
            // Reasoning that led to nothing goes, too.
            if messages[index].blocks.allSatisfy(\.isReasoning) { messages[index].index = Self.gone }
        }
    }

    private static let gone = -1

    // MARK: Inputs

    private mutating func mend(_ index: Int, except failed: Set<String>, _ schemas: [String: [UInt8]]) {
        for at in messages[index].blocks.indices {
            guard case .toolUse(var call) = messages[index].blocks[at], !failed.contains(call.id),
                let input = call.input,
                let healed = ArgumentHealing.healed(Array(input.raw), schema: schemas[call.name]),
                let root = (try? JSONDocument(parsing: healed.bytes))?.root
            else { continue }
            call.input = root
            messages[index].blocks[at] = .toolUse(call)
            mendedInputs += 1
        }
    }
}

extension Block {
    fileprivate var isReasoning: Bool {
        switch self {
        case .thinking, .redactedThinking: true
        default: false
        }
    }
}
