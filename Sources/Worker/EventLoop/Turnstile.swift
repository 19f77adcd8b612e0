// Those who have held the loop for long enough and let the others go first. They go on one at a time, at most
// one in each turn of the loop: however many there are, whoever is made ready by an event waits for one of
// them, not for all.

/// Tasks that have yielded, first come, first served; touched by the loop's thread only.
struct Turnstile {
    private var waiting: [UnsafeContinuation<Void, Never>] = []
    /// Of `waiting`: those before it have been let through.
    private var first = 0
    /// One was let through and its job has not begun yet.
    private var isOccupied = false

    /// Somebody could be let through.
    var isOpen: Bool { !isOccupied && first < waiting.count }

    mutating func append(_ continuation: UnsafeContinuation<Void, Never>) { waiting.append(continuation) }

    /// Lets the next one through, unless the last has not gone on yet.
    mutating func admit() {
        guard isOpen else { return }
        isOccupied = true
        let next = waiting[first]
        first += 1
        if first == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            first = 0
        } else if first >= 64, first * 2 >= waiting.count {
            waiting.removeFirst(first)
            first = 0
        }
        next.resume()
    }

    mutating func passed() { isOccupied = false }
}
