// A queue that can be left from anywhere. Pure. Holds: elements stand in the order in which they came; each
// of them is there once; finding one and removing one take the same time however many wait, for who leaves
// leaves a hole, and there are never more holes than elements but for a few.

struct KeyedQueue<Element: Identifiable & Sendable>: Sendable, Sequence where Element.ID: Sendable {
    /// Holes that are not worth closing.
    private static var holesAllowed: Int { 16 }

    private var slots: [Element?] = []
    /// The first slot that is no hole, if any is.
    private var head = 0
    private var places: [Element.ID: Int] = [:]

    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }
    var underestimatedCount: Int { count }

    subscript(_ id: Element.ID) -> Element? { places[id].flatMap { slots[$0] } }

    var first: Element? { isEmpty ? nil : slots[head] }

    /// An element that is there already keeps its place.
    mutating func append(_ element: Element) {
        guard places[element.id] == nil else { return }
        places[element.id] = slots.count
        slots.append(element)
    }

    /// Before all others, in the order given.
    mutating func prepend(_ elements: [Element]) {
        let all = elements + self
        slots = []
        places = [:]
        head = 0
        for element in all { append(element) }
    }

    /// Nil when there is no such element.
    @discardableResult
    mutating func remove(_ id: Element.ID) -> Element? {
        guard let place = places.removeValue(forKey: id) else { return nil }
        let element = slots[place]
        slots[place] = nil
        if place == head { while head < slots.count, slots[head] == nil { head += 1 } }
        if slots.count > 2 * places.count + Self.holesAllowed { prepend([]) }
        return element
    }

    /// Changes an element where it stands; its identity must stay.
    mutating func update(_ id: Element.ID, _ change: (inout Element) -> Void) {
        guard let place = places[id], var element = slots[place] else { return }
        change(&element)
        slots[place] = element
    }

    struct Iterator: IteratorProtocol {
        fileprivate var slots: ArraySlice<Element?>.Iterator

        mutating func next() -> Element? {
            while let slot = slots.next() {
                if let element = slot { return element }
            }
            return nil
        }
    }

    func makeIterator() -> Iterator { Iterator(slots: slots[head...].makeIterator()) }
}
