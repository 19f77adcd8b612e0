// Arguments that the tool's schema refuses, put right where it is plain what was meant: wrong names, values
// of the wrong type, empty and null options. Pure. Holds: what the schema accepts is not touched; no value is
// made up; a name is changed only if one property alone can be meant and is not there yet; no switch,
// negation or unit is guessed; what cannot be put right stays for the tool to complain about; the work is
// bounded, whatever the model wrote.

import JSON

struct ArgumentHealing {
    private struct Member {
        let name: JSONNode
        var key: String
        let value: JSONNode
        var isRenamed = false
        var replacement: [UInt8]?
        var isDropped = false
    }

    /// Arguments with more members stay as they are.
    private static let memberLimit = 256
    /// With more unknown names than these, no name is changed.
    private static let unknownLimit = 32

    private let schema: ToolSchema
    private var members: [Member] = []
    private var repairs: [String] = []

    /// The arguments after the named repairs; nil if there is nothing to put right, or no way to.
    static func healed(_ arguments: [UInt8], schema: [UInt8]?) -> (bytes: [UInt8], repairs: [String])? {
        guard let schema, let root = (try? JSONDocument(parsing: arguments))?.root, root.isObject,
            let schema = ToolSchema(schema), !schema.accepts(root)
        else { return nil }
        guard root.members.prefix(memberLimit + 1).reduce(0, { count, _ in count + 1 }) <= memberLimit else {
            return nil
        }
        var healing = ArgumentHealing(schema: schema)
        if let inner = healing.wrapped(root) {
            healing.note("wrapped-arguments")
            healing.read(inner)
        } else {
            healing.read(root)
        }
        healing.rename()
        healing.correctValues()
        return healing.repairs.isEmpty ? nil : (healing.written(), healing.repairs)
    }

    private init(schema: ToolSchema) { self.schema = schema }

    private mutating func read(_ root: JSONNode) {
        members = root.members.map { Member(name: $0.name, key: $0.name.string ?? "", value: $0.value) }
    }

    private mutating func note(_ repair: String) {
        if !repairs.contains(repair) { repairs.append(repair) }
    }

    private func written() -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        for member in members where !member.isDropped {
            member.isRenamed ? writer.name(member.key) : writer.name(raw: member.name)
            if let bytes = member.replacement { writer.raw(bytes[...]) } else { writer.raw(member.value) }
        }
        writer.endObject()
        return writer.bytes
    }

    // MARK: names

    private static let wrappers: Set<String> = [
        "arguments", "parameters", "input", "args", "params", "kwargs",
    ]

    /// The arguments inside an object that only wraps them.
    private func wrapped(_ root: JSONNode) -> JSONNode? {
        var outer = root.members
        guard let only = outer.next(), outer.next() == nil, let name = only.name.string,
            Self.wrappers.contains(name), schema[name] == nil
        else { return nil }
        var inner = only.value
        if inner.isString {
            var text: [UInt8] = []
            inner.appendDecoded(to: &text)
            guard let root = (try? JSONDocument(parsing: text))?.root else { return nil }
            inner = root
        }
        guard inner.isObject, !inner.isEmpty else { return nil }
        return inner.members.allSatisfy { schema[$0.name.string ?? ""] != nil } ? inner : nil
    }

    /// The surest likeness decides first, over all names.
    private mutating func rename() {
        guard schema.takesNames else { return }
        for likeness in ArgumentNames.Likeness.allCases {
            let unknown = members.indices.filter { !members[$0].isRenamed && schema[members[$0].key] == nil }
            guard !unknown.isEmpty, unknown.count <= Self.unknownLimit else { return }
            let given = Set(members.map(\.key))
            let names = ArgumentNames(
                schema.properties.filter { property in
                    // Where other names are allowed, only what is missed can be what was meant.
                    (schema.isClosed || schema.required.contains(property.name))
                        && !given.contains(property.name)
                }, required: schema.required)
            var targets: [(member: Int, property: String)] = []
            for at in unknown {
                if let name = target(of: members[at], names, likeness) { targets.append((at, name)) }
            }
            for (at, name) in targets where targets.count(where: { $0.property == name }) == 1 {
                members[at].key = name
                members[at].isRenamed = true
                note("argument-name")
            }
        }
    }

    /// The one property that `member` can mean: absent, alike, of a type that fits.
    private func target(
        of member: Member, _ names: ArgumentNames, _ likeness: ArgumentNames.Likeness
    ) -> String? {
        let isSwitch = member.value.kind == .bool
        let found = names.matches(member.key, isSwitch: isSwitch, likeness).filter { property in
            property.types.accepts(member.value) || ArgumentValue.coerced(member.value, property) != nil
        }
        return found.count == 1 ? found.first?.name : nil
    }

    // MARK: values

    private mutating func correctValues() {
        for at in members.indices {
            let member = members[at]
            guard let property = schema[member.key], !schema.accepts(member.value, for: property) else {
                continue
            }
            let isOptional = !schema.required.contains(property.name)
            if isOptional, !property.isSwitch, member.value.isString,
                member.value.stringRange.isEmpty
            {
                members[at].isDropped = true
                note("empty-argument")
            } else if isOptional, member.value.isNull {
                members[at].isDropped = true
                note("null-argument")
            } else if let bytes = ArgumentValue.coerced(member.value, property) {
                members[at].replacement = bytes
                note("argument-type")
            }
        }
    }
}
