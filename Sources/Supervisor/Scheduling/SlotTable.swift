// Which conversation's cache lies in which slot of a backend that shows them (llama.cpp). Pure. Holds: a main
// conversation keeps its slot while there is any other for a short request; no slot is given twice at a time.

import Shared

struct SlotTable: Sendable {
    /// More slots than that are not told apart.
    static let maximum = 256

    private struct Slot {
        var owner: ConversationKey?
        var isMain = false
        var isBusy = false
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

    /// Nil: none is free.
    mutating func take(
        _ key: ConversationKey?, isMain: Bool, tokens: UInt32, at now: MonotonicInstant
    ) -> UInt16? {
        guard let place = choose(key) else { return nil }
        slots[place] = Slot(owner: key, isMain: isMain, isBusy: true, tokens: tokens, used: now)
        return UInt16(clamping: place)
    }

    mutating func giveBack(_ slot: UInt16) {
        guard slots.indices.contains(Int(slot)) else { return }
        slots[Int(slot)].isBusy = false
    }

    /// Its own; else one that nobody owns; else the short requests' one not used for longest; else the main
    /// conversations' one.
    private func choose(_ key: ConversationKey?) -> Int? {
        var best: Int?
        for place in slots.indices where !slots[place].isBusy {
            if let key, slots[place].owner == key { return place }
            if best.map({ isBefore(place, $0) }) ?? true { best = place }
        }
        return best
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        if slots[left].isMain != slots[right].isMain { return slots[right].isMain }
        guard let leftUsed = slots[left].used else { return slots[right].used != nil }
        return slots[right].used.map { leftUsed < $0 } ?? false
    }
}
