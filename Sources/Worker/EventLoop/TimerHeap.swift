// Which timer is due next: a four-way heap over plain numbers, so that tens of thousands of timers cost
// no reference counting. Pure: it knows neither clock nor timers, only their identifiers.

/// Deadlines by identifier. Identifiers are small numbers, dense from 0; each is in the heap at most once.
struct TimerHeap {
    private struct Entry {
        var deadline: UInt64
        var identifier: Int32
    }

    private var entries: [Entry] = []
    /// Where in `entries` an identifier stands, or -1.
    private var positions: [Int32] = []

    var count: Int { entries.count }
    /// The earliest deadline.
    var earliest: UInt64? { entries.first?.deadline }

    func contains(_ identifier: Int) -> Bool {
        identifier < positions.count && positions[identifier] >= 0
    }

    /// Adds the identifier or moves it to another deadline.
    mutating func set(_ identifier: Int, deadline: UInt64) {
        while positions.count <= identifier { positions.append(-1) }
        let position = Int(positions[identifier])
        if position < 0 {
            entries.append(Entry(deadline: deadline, identifier: Int32(identifier)))
            positions[identifier] = Int32(entries.count - 1)
            rise(from: entries.count - 1)
        } else if deadline < entries[position].deadline {
            entries[position].deadline = deadline
            rise(from: position)
        } else {
            entries[position].deadline = deadline
            sink(from: position)
        }
    }

    mutating func remove(_ identifier: Int) {
        guard contains(identifier) else { return }
        removeEntry(at: Int(positions[identifier]))
    }

    /// Takes out one identifier whose deadline is not after `now`, the earliest first.
    mutating func popDue(at now: UInt64) -> Int? {
        guard let first = entries.first, first.deadline <= now else { return nil }
        removeEntry(at: 0)
        return Int(first.identifier)
    }

    private mutating func removeEntry(at position: Int) {
        positions[Int(entries[position].identifier)] = -1
        let last = entries.removeLast()
        guard position < entries.count else { return }
        place(last, at: position)
        rise(from: position)
        sink(from: Int(positions[Int(last.identifier)]))
    }

    private mutating func place(_ entry: Entry, at position: Int) {
        entries[position] = entry
        positions[Int(entry.identifier)] = Int32(position)
    }

    private mutating func rise(from start: Int) {
        let moving = entries[start]
        var position = start
        while position > 0 {
            let parent = (position - 1) / 4
            guard moving.deadline < entries[parent].deadline else { break }
            place(entries[parent], at: position)
            position = parent
        }
        place(moving, at: position)
    }

    private mutating func sink(from start: Int) {
        let moving = entries[start]
        var position = start
        while true {
            let first = position * 4 + 1
            guard first < entries.count else { break }
            var least = first
            for child in (first + 1)..<max(first + 1, min(first + 4, entries.count))
            where entries[child].deadline < entries[least].deadline {
                least = child
            }
            guard entries[least].deadline < moving.deadline else { break }
            place(entries[least], at: position)
            position = least
        }
        place(moving, at: position)
    }
}
