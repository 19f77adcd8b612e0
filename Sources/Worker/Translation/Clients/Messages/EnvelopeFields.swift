// Reading one object of the request's envelope: every member once, by name, with Anthropic's words for
// what is wrong. Tool inputs and schemas are no envelope: they stay raw and are not looked into.

import JSON

extension Failure {
    /// 400 `invalid_request_error`.
    static func invalid(_ words: ErrorWords) -> Failure { .request(.malformed(Complaint(words))) }

    static func missing(_ path: FieldPath) -> Failure { invalid("\(path): Field required") }

    init(_ error: JSONError) {
        self = .invalid("Invalid JSON: \(error.reason.rawValue) at byte \(error.offset)")
    }
}

/// Where in the request something stands, in Anthropic's notation: `messages.0.content.1.source`.
struct FieldPath: CustomStringConvertible {
    private(set) var description: String

    init(_ root: String) { description = root }
    /// The object itself.
    static let root = FieldPath("")

    static func / (path: FieldPath, name: String) -> FieldPath {
        FieldPath(path.description.isEmpty ? name : "\(path.description).\(name)")
    }

    static func / (path: FieldPath, index: Int) -> FieldPath { path / String(index) }
}

struct EnvelopeFields {
    private let node: JSONNode
    /// One bit for each member that was asked for, by its position.
    private var taken = SIMD4<UInt64>()
    /// Made only when something is wrong.
    private let path: () -> FieldPath

    /// More members than any envelope has; each is compared with those before.
    private static let limit = 256

    init(_ node: JSONNode, at path: @escaping () -> FieldPath) throws(Failure) {
        self.node = node
        self.path = path
        guard node.isObject else { throw .invalid("\(path()): Input should be a valid dictionary") }
        switch node.memberFault(limit: Self.limit) {
        case nil: return
        case .repeated(let name):
            throw .invalid(
                "Invalid JSON: duplicate key \"\(Excerpt.shown(name.string ?? ""))\" in \(Self.place(path()))"
            )
        case .tooMany: throw .invalid("Invalid JSON: too many keys in \(Self.place(path()))")
        }
    }

    private static func place(_ path: FieldPath) -> String {
        path.description.isEmpty ? "the request" : path.description
    }

    private func place(of name: StaticString) -> FieldPath { path() / String(describing: name) }

    /// The member's value; nil when absent or null.
    mutating func take(_ name: StaticString) -> JSONNode? {
        guard let (position, value) = node.member(named: name) else { return nil }
        // The limit keeps every position within the bits.
        taken[position >> 6] |= 1 << UInt64(position & 63)
        return value.isNull ? nil : value
    }

    mutating func ignore(_ names: StaticString...) { for name in names { _ = take(name) } }

    mutating func required(_ name: StaticString) throws(Failure) -> JSONNode {
        guard let value = take(name) else { throw .missing(place(of: name)) }
        return value
    }

    mutating func string(_ name: StaticString) throws(Failure) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.isString else { throw .invalid("\(place(of: name)): Input should be a valid string") }
        return value
    }

    mutating func requiredString(_ name: StaticString) throws(Failure) -> JSONNode {
        guard let value = try string(name) else { throw .missing(place(of: name)) }
        return value
    }

    mutating func bool(_ name: StaticString) throws(Failure) -> Bool? {
        guard let value = take(name) else { return nil }
        guard let flag = value.bool else {
            throw .invalid("\(place(of: name)): Input should be a valid boolean")
        }
        return flag
    }

    mutating func int(_ name: StaticString, atLeast least: Int) throws(Failure) -> Int? {
        guard let value = take(name) else { return nil }
        guard let number = value.int else {
            throw .invalid("\(place(of: name)): Input should be a valid integer")
        }
        guard number >= least else {
            throw .invalid("\(place(of: name)): Input should be greater than or equal to \(least)")
        }
        return number
    }

    /// Kept as text: `0.10` stays `0.10`.
    mutating func number(_ name: StaticString) throws(Failure) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.kind == .number else {
            throw .invalid("\(place(of: name)): Input should be a valid number")
        }
        return value
    }

    mutating func array(_ name: StaticString) throws(Failure) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.isArray else { throw .invalid("\(place(of: name)): Input should be a valid array") }
        return value
    }

    mutating func object(_ name: StaticString) throws(Failure) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.isObject else { throw .invalid("\(place(of: name)): Input should be a valid dictionary") }
        return value
    }

    /// Names that nobody asked for, fit to be shown.
    var rest: [String] {
        var names: [String] = []
        for (position, member) in node.members.enumerated()
        where taken[position >> 6] & 1 << UInt64(position & 63) == 0 {
            names.append(Excerpt.shown(member.name.string ?? "").description)
        }
        return names
    }
}
