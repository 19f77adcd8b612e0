// Synthetic coding sessions: what developers and their agents ask, and when.

import TestSupport

/// One agent's conversation: its requests come one after the other.
struct Agent: Sendable {
    /// Of the session and of the agent within it; 0 = the conversation itself.
    let session: Int
    let agent: Int
    let turns: [Turn]
}

struct Turn: Sendable {
    /// Tokens of the whole prompt, and of its answer.
    let prompt: Int
    let output: Int
    /// Seconds from the last answer until this is asked.
    let pause: Double
    /// Runs after this answer; the conversation waits for its end.
    var subagent: Agent?
}

enum Workload {
    static let sessions = 600
    /// The beginning that all prompts have in common.
    static let systemPrompt = 12_000

    static func make(seed: UInt64) -> [Agent] {
        var random = SeededRandom(seed: seed)
        return (1...sessions).map { session in
            let hasSubagents = Int.random(in: 0..<5, using: &random) == 0
            var prompt = 15_000
            var agents = 0
            let turns = (0..<Int.random(in: 5...80, using: &random)).map { _ in
                let growth = Int.random(in: 500...6000, using: &random)
                let output = min(growth / 2, Int.random(in: 50...800, using: &random))
                defer { prompt += growth }
                var turn = Turn(
                    prompt: prompt, output: output, pause: .random(in: 1...120, using: &random))
                if hasSubagents, Int.random(in: 0..<6, using: &random) == 0 {
                    agents += 1
                    turn.subagent = subagent(session, agents, &random)
                }
                return turn
            }
            return Agent(session: session, agent: 0, turns: turns)
        }
    }

    /// Its tools answer quickly, and it ends soon.
    private static func subagent(_ session: Int, _ agent: Int, _ random: inout SeededRandom) -> Agent {
        var prompt = 14_000
        let turns = (0..<Int.random(in: 3...10, using: &random)).map { _ in
            defer { prompt += Int.random(in: 500...4000, using: &random) }
            return Turn(
                prompt: prompt, output: .random(in: 50...400, using: &random),
                pause: .random(in: 1...5, using: &random))
        }
        return Agent(session: session, agent: agent, turns: turns)
    }
}

/// A request on its way.
struct Request: Sendable {
    let id: Int
    let session: Int
    let agent: Int
    let turn: Int
    let prompt: Int
    let output: Int
    let asked: Double
}

struct ConversationName: Hashable, Sendable {
    let session: Int
    let agent: Int
}
