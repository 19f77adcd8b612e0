// Which conversation's cache lies in which slot of a backend that shows them (llama.cpp). Pure. Holds: a slot is asked
// for only while none of our requests can be in it: llama.cpp may exchange the prompt of a slot that is at work for the
// cached one of a request that waits for it, and then never goes on with either. A main conversation keeps its slot
// while there is any other free one that is none's; when all are main conversations', the one not used for longest
// makes room.

import Shared

struct SlotTable: Sendable {
    /// More slots than that are not told apart.
    static let maximum = 256

    private struct Slot {
        var owner: ConversationKey?
        var isMain = false
        /// A request of ours is in it.
        var isTaken = false
        var tokens: UInt32 = 0
        var used: MonotonicInstant?
    }

    private var slots: [Slot]

    init(count: Int) { slots = Array(repeating: Slot(), count: min(max(count, 0), Self.maximum)) }

    var count: Int { slots.count }

    func isOwner(_ key: ConversationKey) -> Bool { slots.contains { $0.owner == key } }

    /// Tokens of a main conversation that would have to be read again if this request came here.
    func evicted(by key: ConversationKey?, isMain: Bool) -> UInt32 {
        guard let place = choose(key, isMain: isMain) else { return 0 }
        return slots[place].isMain && slots[place].owner != key ? slots[place].tokens : 0
    }

    /// Nil: the backend chooses.
    /// - Parameter others: requests of ours that are there already.
    mutating func take(
        _ key: ConversationKey?, isMain: Bool, tokens: UInt32, others: Int, at now: MonotonicInstant
    ) -> UInt16? {
        // What has no id to be known by, the backend knows best by what it has in its slots.
        guard key != nil || !isMain else { return nil }
        // One that was sent without a slot may be in any of them.
        guard others <= slots.count(where: \.isTaken), let place = choose(key, isMain: isMain) else {
            return nil
        }
        // A second request of a conversation at the same time is a guest: the conversation stays where it is.
        let isGuest = slots.indices.contains { $0 != place && key != nil && slots[$0].owner == key }
        slots[place].owner = isGuest ? nil : key
        slots[place].isMain = isMain && !isGuest
        slots[place].isTaken = true
        slots[place].tokens = tokens
        slots[place].used = now
        return UInt16(clamping: place)
    }

    mutating func giveBack(_ slot: UInt16) {
        guard slots.indices.contains(Int(slot)) else { return }
        slots[Int(slot)].isTaken = false
    }

    /// Its own, if that is free; else the best of the others that are.
    private func choose(_ key: ConversationKey?, isMain: Bool) -> Int? {
        let own = key.flatMap { key in slots.firstIndex { $0.owner == key } }
        if let own, !slots[own].isTaken { return own }
        // For a guest no main conversation makes room, and for a short request only where all slots are theirs.
        let sparesMain = own != nil || !isMain && slots.contains { !$0.isMain }
        var best: Int?
        for place in slots.indices where !slots[place].isTaken {
            if slots[place].isMain, sparesMain { continue }
            if best.map({ isBefore(place, $0) }) ?? true { best = place }
        }
        return best
    }

    /// Nobody's main conversation, then the one not used for longest.
    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        if slots[left].isMain != slots[right].isMain { return slots[right].isMain }
        guard let leftUsed = slots[left].used else { return slots[right].used != nil }
        return slots[right].used.map { leftUsed < $0 } ?? false
    }
}
