// Where each conversation, and each agent within it, was before, and what lies in whose cache. Pure. Holds: at most
// `sessions` conversations, none for longer than `ttl` after its last request; at most `places` backends of each.

import Shared

/// A conversation, or an agent within it.
struct ConversationKey: Hashable, Sendable {
    let session: UInt64
    let agent: UInt64

    /// Nil: nothing is to be remembered of it. Auxiliary requests have prompts of their own, so they neither follow
    /// a conversation nor move it.
    init?(_ question: AdmissionQuestion) {
        guard question.session != 0, question.lane != .auxiliary else { return nil }
        session = question.session
        // A sub-agent without a name must not be taken for its conversation.
        agent = question.lane == .subagent && question.agent == 0 ? Self.unnamedAgent : question.agent
    }

    private static let unnamedAgent: UInt64 = 0x5eb0_a6e4_7000_0001
}

/// One conversation.
struct Conversation: Sendable {
    static let maximumPlaces = 4

    struct Place: Sendable {
        let backend: BackendNumber
        /// Of the last prompt that was sent there.
        var tokens: UInt32
        /// The last mark of that prompt; 0 = it had none.
        var end: UInt64
        /// The backend's clock then: see `CacheEstimate`.
        var clock: Double
    }

    /// The last one used comes last.
    private(set) var places: [Place] = []

    var current: BackendNumber? { places.last?.backend }

    func place(at backend: BackendNumber) -> Place? { places.first { $0.backend == backend } }

    mutating func move(to place: Place) {
        remove(place.backend)
        if places.count >= Self.maximumPlaces { places.removeFirst() }
        places.append(place)
    }

    mutating func remove(_ backend: BackendNumber) { places.removeAll { $0.backend == backend } }
}

/// How much a backend's cache holds, learnt from what it reports of it. The clock counts the tokens that it has read
/// or written: what is older than `span` of them was displaced.
struct CacheEstimate: Sendable {
    private static let smallestSpan = 4096.0

    private(set) var clock = 0.0
    private(set) var span = Double.infinity

    mutating func advance(_ tokens: Double) { clock = max(clock + max(tokens, 0), restarted) }

    /// The clock when it began anew, with nothing in its cache.
    private var restarted = 0.0

    func holds(since then: Double) -> Bool { then >= restarted && clock - then <= span }

    mutating func restart() { restarted = clock + 1 }

    /// What was written `age` ago turned out to be there, or not.
    mutating func learn(age: Double, wasThere: Bool) {
        if wasThere {
            if age > span { span = age }
        } else if age < span {
            // How long something stays depends on what else was used meanwhile. So a single loss only says that it is
            // possible; and who is believed to have lost its cache moves, and loses it for certain.
            let far = span.isFinite ? span - (span - age) * 0.1 : age * 4
            span = max(far, Self.smallestSpan)
        }
    }
}
