// What a schema refers to: whether one of its references leads back to itself, which no inlining can end.
// Pure, and bounded: what is too large to be looked through counts as plain.

import JSON

struct SchemaReferences {
    /// Values looked at in one schema.
    private static let maxNodes = 20_000
    /// Different references of one schema that are followed.
    private static let maxReferences = 256

    private let root: JSONNode
    /// Members by name, of the objects that references lead through, by where they stand.
    private var members: [Int: [String: JSONNode]] = [:]

    init(_ root: JSONNode) { self.root = root }

    /// `#/a/b` only; RFC 6901 escapes are undone.
    mutating func resolve(_ reference: JSONNode) -> JSONNode? {
        guard let text = reference.string, text == "#" || text.hasPrefix("#/") else { return nil }
        var node = root
        for part in text.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false)
        where text != "#" {
            guard let next = member(Self.unescaped(part), of: node) else { return nil }
            node = next
        }
        return node
    }

    /// Definitions are many, and so are references to them.
    private mutating func member(_ name: String, of node: JSONNode) -> JSONNode? {
        let place = node.rawRange.lowerBound
        if let known = members[place] { return known[name] }
        var named: [String: JSONNode] = [:]
        for member in node.members {
            guard let name = member.name.string, named[name] == nil else { continue }
            named[name] = member.value
        }
        members[place] = named
        return named[name]
    }

    /// Whether it refers to itself, and only by way of its definitions: such references can stay as they are.
    mutating func areRecursive() -> Bool {
        var search = Search(root: root)
        search.follow(from: root, &self)
        return search.isRecursive && !search.isTooLarge && search.usesDefinitionsOnly
    }

    private struct Search {
        var nodesLeft: Int
        var isTooLarge = false
        var isRecursive = false
        var usesDefinitionsOnly = true
        /// True while it is being followed.
        private var followed: [String: Bool] = [:]

        init(root: JSONNode) {
            // More than it has are looked at only where definitions overlap.
            nodesLeft = min(SchemaReferences.maxNodes, root.rawRange.count)
        }

        mutating func follow(from node: JSONNode, _ schema: inout SchemaReferences) {
            for reference in references(in: node) {
                guard let name = reference.string else { continue }
                switch followed[name] {
                case true?:
                    isRecursive = true
                    continue
                case false?: continue
                case nil: break
                }
                guard followed.count < SchemaReferences.maxReferences else {
                    isTooLarge = true
                    return
                }
                if !name.hasPrefix("#/$defs/"), !name.hasPrefix("#/definitions/") {
                    usesDefinitionsOnly = false
                }
                guard let target = schema.resolve(reference) else { continue }
                followed[name] = true
                follow(from: target, &schema)
                followed[name] = false
            }
        }

        /// All `$ref` below, but for those of definitions that nothing refers to.
        private mutating func references(in node: JSONNode) -> [JSONNode] {
            var found: [JSONNode] = []
            var rest = [node]
            while let next = rest.popLast() {
                guard nodesLeft > 0 else {
                    isTooLarge = true
                    return found
                }
                nodesLeft -= 1
                if next.isArray { rest += next.elements }
                for member in next.members {
                    switch member.name.string {
                    case "$ref" where member.value.isString: found.append(member.value)
                    case "$defs", "definitions", "enum", "const", "default", "examples": continue
                    default: if member.value.isObject || member.value.isArray { rest.append(member.value) }
                    }
                }
            }
            return found
        }
    }

    private static func unescaped(_ part: Substring) -> String {
        var name = ""
        var rest = part[...]
        while let first = rest.first {
            if rest.hasPrefix("~1") || rest.hasPrefix("~0") {
                name += rest.hasPrefix("~1") ? "/" : "~"
                rest = rest.dropFirst(2)
            } else {
                name.append(first)
                rest = rest.dropFirst()
            }
        }
        return name
    }
}
