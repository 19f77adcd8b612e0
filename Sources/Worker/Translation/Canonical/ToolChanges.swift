// Tools that come and go while a conversation lasts. The real API tells its models at the place where it
// happens; backends have one list in front of everything, so that the list is what changes.
// Holds: what comes later stands further behind, and what is there does not move: a list that only grows
// begins with the same bytes.

import JSON

/// Something that a message says about a tool.
enum ToolEvent: Sendable, Equatable {
    /// A search of the client found it.
    case loaded(String)
    case added(String)
    case removed(String)
    /// Defined in a message, by its number among those; becomes `added` once it is read.
    case defined(Int)
}

/// A tool's definition inside a message.
struct InlineTool {
    let definition: JSONNode
    let path: FieldPath
}

/// Which tools are offered for the answer to come, and in what order.
struct ToolAvailability {
    private var removed: Set<String> = []
    /// When those came that were not there from the beginning.
    private var arrivals: [String: Int] = [:]
    /// The client brings deferred tools in by itself: those that it did not are not offered yet.
    private var bringsTools = false

    init(events: [ToolEvent], of tools: [Tool]) {
        let deferred = Set(tools.lazy.filter(\.isDeferred).map(\.name))
        for (index, event) in events.enumerated() {
            switch event {
            case .loaded(let name):
                if deferred.contains(name), arrivals[name] == nil { arrivals[name] = index }
            case .added(let name):
                if deferred.contains(name) { bringsTools = true }
                let wasRemoved = removed.remove(name) != nil
                // One that is there already stays where it is.
                if wasRemoved || deferred.contains(name), arrivals[name] == nil { arrivals[name] = index }
            case .removed(let name):
                removed.insert(name)
                arrivals[name] = nil
            case .defined: break
            }
        }
    }

    /// Those that the client carries out and that are offered now.
    func offered(_ tools: [Tool]) -> [Tool] {
        let here = tools.filter { tool in
            if case .server = tool.kind { return false }
            return !removed.contains(tool.name)
        }
        let late = here.enumerated().filter { _, tool in isLate(tool) }
        guard !late.isEmpty else { return here }
        let arrived = late.filter { _, tool in !bringsTools || arrivals[tool.name] != nil }
        let order = arrived.sorted { left, right in
            (arrivals[left.element.name] ?? .max, left.offset) < (
                arrivals[right.element.name] ?? .max, right.offset
            )
        }
        return here.filter { !isLate($0) } + order.map(\.element)
    }

    private func isLate(_ tool: Tool) -> Bool { tool.isDeferred || arrivals[tool.name] != nil }
}
