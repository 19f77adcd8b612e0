// What was used lately, at most so many of it: the one not used for longest is forgotten first. Pure. Holds: never
// more entries than the limit; finding, adding and forgetting take the same time however many there are.

import Shared

struct RecentTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry {
        var key: Key
        var value: Value
        var used: MonotonicInstant
        /// Places of the neighbours in the order of use; `none` at both ends.
        var older: Int
        var newer: Int
    }

    private static var none: Int { -1 }

    private(set) var limit: Int
    private var places: [Key: Int] = [:]
    private var entries: [Entry] = []
    private var free: [Int] = []
    private var oldest = -1
    private var newest = -1

    /// - Parameter limit: at least 1.
    init(limit: Int) { self.limit = max(limit, 1) }

    var count: Int { places.count }

    func value(_ key: Key) -> Value? { places[key].map { entries[$0].value } }

    /// When it was used last.
    func used(_ key: Key) -> MonotonicInstant? { places[key].map { entries[$0].used } }

    /// Changes the value and counts as its use; what was not there begins as `initial`.
    mutating func update(
        _ key: Key, at now: MonotonicInstant, initial: @autoclosure () -> Value,
        _ change: (inout Value) -> Void
    ) {
        if let place = places[key] {
            change(&entries[place].value)
            entries[place].used = now
            guard place != newest else { return }
            unlink(place)
            link(place)
            return
        }
        if places.count >= limit { forgetOldest() }
        var value = initial()
        change(&value)
        let entry = Entry(key: key, value: value, used: now, older: Self.none, newer: Self.none)
        let place: Int
        if let hole = free.popLast() {
            entries[hole] = entry
            place = hole
        } else {
            place = entries.count
            entries.append(entry)
        }
        places[key] = place
        link(place)
    }

    /// Changes the value where there is one; that is no use of it.
    mutating func change(_ key: Key, _ change: (inout Value) -> Void) {
        guard let place = places[key] else { return }
        change(&entries[place].value)
    }

    mutating func changeAll(_ change: (inout Value) -> Void) {
        for place in places.values { change(&entries[place].value) }
    }

    @discardableResult
    mutating func remove(_ key: Key) -> Value? {
        guard let place = places.removeValue(forKey: key) else { return nil }
        unlink(place)
        free.append(place)
        return entries[place].value
    }

    /// Forgets what was not used since then.
    mutating func forget(before moment: MonotonicInstant) {
        while oldest >= 0, entries[oldest].used < moment { forgetOldest() }
    }

    private mutating func forgetOldest() {
        guard oldest >= 0 else { return }
        remove(entries[oldest].key)
    }

    private mutating func unlink(_ place: Int) {
        let older = entries[place].older
        let newer = entries[place].newer
        if older >= 0 { entries[older].newer = newer } else { oldest = newer }
        if newer >= 0 { entries[newer].older = older } else { newest = older }
    }

    private mutating func link(_ place: Int) {
        entries[place].older = newest
        entries[place].newer = Self.none
        if newest >= 0 { entries[newest].newer = place } else { oldest = place }
        newest = place
    }
}
