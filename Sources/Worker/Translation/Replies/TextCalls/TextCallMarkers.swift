// Finds marks at one place of a text. Pure.
// Holds: one step for each byte that a mark and the text have in common, however many marks there are.

/// Marks by their letters: a tree whose edges are bytes.
struct TextCallMarkers: Sendable {
    /// Which places count.
    struct Places: OptionSet, Sendable {
        let rawValue: UInt8
        init(rawValue: UInt8) { self.rawValue = rawValue }
        init(_ place: TextCallMarker.Place) { rawValue = 1 << place.rawValue }
        static let all = Places(rawValue: .max)
    }

    enum Match {
        case none
        /// The text ends within a mark.
        case begun
        case whole(TextCallMarker)
    }

    private struct Node: Sendable {
        var edges: [(byte: UInt8, node: Int)] = []
        var marker: TextCallMarker?
        /// Of the marks that go on from here.
        var places: Places = []
    }

    private var nodes = [Node()]

    static let calls = TextCallMarkers(TextCallMarker.calls)
    static let harmony = TextCallMarkers(TextCallMarker.harmony)
    static let harmonyCrumbs = TextCallMarkers(TextCallMarker.harmonyCrumbs)
    static let crumbs = TextCallMarkers(TextCallMarker.crumbs)

    private init(_ markers: [TextCallMarker]) {
        for marker in markers {
            var at = 0
            for byte in marker.opener {
                nodes[at].places.formUnion(Places(marker.place))
                if let edge = nodes[at].edges.first(where: { $0.byte == byte }) {
                    at = edge.node
                } else {
                    nodes[at].edges.append((byte, nodes.count))
                    at = nodes.count
                    nodes.append(Node())
                }
            }
            nodes[at].marker = marker
        }
    }

    /// The longest mark at `start`.
    /// - Parameter steps: the bytes that were looked at are added.
    func match(
        _ text: ArraySlice<UInt8>, _ start: Int, _ places: Places, isEnd: Bool, _ steps: inout Int
    ) -> Match {
        var node = 0
        var at = start
        var found: TextCallMarker?
        while true {
            if let marker = nodes[node].marker, places.contains(Places(marker.place)) { found = marker }
            guard !nodes[node].places.isDisjoint(with: places) else { break }
            guard at < text.endIndex else {
                // A word that may be any word counts only if it came whole, as its one token does.
                let isWord = text[start...].first == UInt8(ascii: "a")
                if !isEnd, !isWord || at - start >= TextCallMarker.assistant.count { return .begun }
                break
            }
            steps &+= 1
            let byte = text[at]
            guard let edge = nodes[node].edges.first(where: { $0.byte == byte }) else { break }
            node = edge.node
            at += 1
        }
        return found.map(Match.whole) ?? .none
    }

    /// Whether a mark stands at `at` that means a call wherever calls are.
    func isCall(_ text: ArraySlice<UInt8>, _ at: Int) -> Bool {
        var steps = 0
        guard case .whole = match(text, at, [.init(.tag), .init(.token)], isEnd: true, &steps) else {
            return false
        }
        return true
    }
}
