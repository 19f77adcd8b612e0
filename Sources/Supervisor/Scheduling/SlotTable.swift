// Which conversation's cache lies in which slot of a backend that shows them (llama.cpp). Pure. Holds: a main
// conversation keeps its slot while there is any other slot that is none's; there a short request rather waits for the
// one before it. Only when all slots are main conversations', the one not used for longest makes room.

import Shared

struct SlotTable: Sendable {
    /// More slots than that are not told apart.
    static let maximum = 256

    private struct Slot {
        var owner: ConversationKey?
        var isMain = false
        /// Requests that were sent to it.
        var inFlight = 0
        var tokens: UInt32 = 0
        var used: MonotonicInstant?
    }

    private var slots: [Slot]

    init(count: Int) { slots = Array(repeating: Slot(), count: min(max(count, 0), Self.maximum)) }

    var count: Int { slots.count }

    func isOwner(_ key: ConversationKey) -> Bool { slots.contains { $0.owner == key } }

    /// Tokens of a main conversation that would have to be read again if this request came here.
    func evicted(by key: ConversationKey?) -> UInt32 {
        guard let place = choose(key) else { return 0 }
        return slots[place].isMain && slots[place].owner != key ? slots[place].tokens : 0
    }

    /// Nil: each is a main conversation's that is using it; the backend chooses.
    mutating func take(
        _ key: ConversationKey?, isMain: Bool, tokens: UInt32, at now: MonotonicInstant
    ) -> UInt16? {
        guard let place = choose(key) else { return nil }
        // A second request of a conversation at the same time is a guest: the conversation stays where it is.
        let isGuest = slots.indices.contains { $0 != place && key != nil && slots[$0].owner == key }
        slots[place].owner = isGuest ? nil : key
        slots[place].isMain = isMain && !isGuest
        slots[place].inFlight &+= 1
        slots[place].tokens = tokens
        slots[place].used = now
        return UInt16(clamping: place)
    }

    mutating func giveBack(_ slot: UInt16) {
        guard slots.indices.contains(Int(slot)) else { return }
        slots[Int(slot)].inFlight = max(slots[Int(slot)].inFlight &- 1, 0)
    }

    /// Its own, if that is free; else the best of the others.
    private func choose(_ key: ConversationKey?) -> Int? {
        let own = key.flatMap { key in slots.firstIndex { $0.owner == key } }
        if let own, slots[own].inFlight == 0 { return own }
        var best: Int?
        for place in slots.indices where place != own {
            // A main conversation that is using its slot makes no room, and none does for a guest.
            if slots[place].isMain, own != nil || slots[place].inFlight > 0 { continue }
            if best.map({ isBefore(place, $0) }) ?? true { best = place }
        }
        return best
    }

    /// Nobody's main conversation, then the least used now, then the one not used for longest.
    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        if slots[left].isMain != slots[right].isMain { return slots[right].isMain }
        if slots[left].inFlight != slots[right].inFlight {
            return slots[left].inFlight < slots[right].inFlight
        }
        guard let leftUsed = slots[left].used else { return slots[right].used != nil }
        return slots[right].used.map { leftUsed < $0 } ?? false
    }
}
