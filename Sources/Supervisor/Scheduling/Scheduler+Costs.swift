// What a request would cost at each of its candidates, in seconds until the first token.

import Shared

extension Scheduler {
    /// Fills `scratch` with what each candidate costs.
    mutating func weigh(
        _ question: AdmissionQuestion, _ conversation: Conversation?, at now: MonotonicInstant
    ) {
        let isPlaced = settings.affinity != nil
        let key = ConversationKey(question)
        let isShort = question.lane >= .subagent
        let root = question.prefix.first?.tokens ?? 0
        if isPlaced, !question.prefix.isEmpty { prefixes.longest(question.prefix, into: &scratch.prefixes) }
        let seconds = now.seconds
        let fastest = fastestMeasured(question)
        scratch.reading.removeAll(keepingCapacity: true)
        scratch.waiting.removeAll(keepingCapacity: true)
        scratch.cached.removeAll(keepingCapacity: true)
        for candidate in question.candidates {
            let place = Int(candidate.backend.value)
            guard place < records.count else {
                scratch.reading.append(.infinity)
                scratch.waiting.append(0)
                scratch.cached.append(0)
                continue
            }
            var cached: UInt32 = 0
            if isPlaced {
                if !question.prefix.isEmpty, let bit = records[place].bit { cached = scratch.prefixes[bit] }
                if let conversation, let known = conversation.place(at: candidate.backend),
                    reaches(known, question)
                {
                    let isHeld = records[place].cache.holds(since: known.clock)
                    cached = isHeld ? max(cached, known.tokens) : min(cached, root)
                }
                cached = min(cached, question.promptTokens)
            }
            // What was never measured is taken for as fast as the fastest, so that it is measured.
            let speed = records[place].speed.secondsPerToken
            let rate = records[place].speed.isMeasured ? speed : min(speed, fastest ?? speed)
            var displaced = 0.0
            if records[place].slots != nil {
                let slots = records[place].slots
                if let key, slots?.isOwner(key) == false { cached = 0 }
                displaced = Double(slots?.evicted(by: key, isMain: !isShort) ?? 0)
            } else if isShort, records[place].cache.span.isFinite {
                displaced = Double(question.promptTokens - cached) / 2
            }
            var reading = (Double(question.promptTokens - cached) + displaced) * rate
            if candidate.isLoaded == false { reading += records[place].speed.load }
            scratch.cached.append(cached)
            scratch.reading.append(reading)
            scratch.waiting.append(expectedWait(place, at: seconds))
        }
    }

    private func fastestMeasured(_ question: AdmissionQuestion) -> Double? {
        var fastest: Double?
        for candidate in question.candidates {
            let place = Int(candidate.backend.value)
            guard place < records.count, records[place].speed.isMeasured else { continue }
            fastest = min(fastest ?? .infinity, records[place].speed.secondsPerToken)
        }
        return fastest
    }

    /// Whether what the conversation left there is a beginning of this prompt; after a compaction it is not.
    func reaches(_ known: Conversation.Place, _ question: AdmissionQuestion) -> Bool {
        known.end == 0 || question.prefix.isEmpty || question.prefix.contains { $0.digest == known.end }
    }

    /// Seconds until a request that comes now is begun with.
    func expectedWait(_ place: Int, at now: Double) -> Double {
        // Field by field: a copy of the whole estimate would count references for each candidate.
        let work = max(0, records[place].speed.readUntil - now)
        guard !records[place].hasPlace else { return work }
        // Until its turn what is there now will have been read.
        let turn =
            Double(records[place].queuedAtHome &+ 1) * records[place].speed.hold
            / Double(records[place].limit)
        return max(work, turn)
    }

    /// For the grant: what the candidates would have cost, the least first.
    func leastCosts(_ question: AdmissionQuestion) -> [Grant.Cost] {
        var costs: [Grant.Cost] = []
        costs.reserveCapacity(Grant.maximumCosts &+ 1)
        for index in question.candidates.indices where scratch.standings[index] != .absent {
            let milliseconds = (scratch.seconds(index) * 1000).clamped(to: 0...4e9)
            let cost = Grant.Cost(question.candidates[index].backend, milliseconds: UInt32(milliseconds))
            if costs.count == Grant.maximumCosts, let last = costs.last,
                cost.milliseconds >= last.milliseconds
            {
                continue
            }
            let position = costs.firstIndex { cost.milliseconds < $0.milliseconds } ?? costs.endIndex
            costs.insert(cost, at: position)
            if costs.count > Grant.maximumCosts { costs.removeLast() }
        }
        return costs
    }
}
