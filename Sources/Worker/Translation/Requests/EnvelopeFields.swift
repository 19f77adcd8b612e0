// Reading one object of the request's envelope: every member once, by name, with Anthropic's words for
// what is wrong. Tool inputs and schemas are no envelope: they stay raw and are not looked into.

import JSON

extension ClientError {
    /// 400 `invalid_request_error`.
    static func invalid(_ message: String) -> ClientError {
        ClientError(status: 400, kind: .invalidRequest, message: message)
    }

    static func missing(_ path: Path) -> ClientError { invalid("\(path): Field required") }

    init(_ error: JSONError) {
        self = .invalid("Invalid JSON: \(error.reason.rawValue) at byte \(error.offset)")
    }
}

/// Words of the client inside words of ours: they reach the journal and a header of the reply.
enum Quoted {
    private static let limit = 60

    /// At most 60 characters, none of them a control character; `""` for nothing.
    static func shown(_ text: String) -> String {
        guard !text.isEmpty else { return "\"\"" }
        var shown = ""
        for scalar in text.unicodeScalars.prefix(limit) {
            let category = scalar.properties.generalCategory
            shown.unicodeScalars.append(category == .control || category == .format ? "?" : scalar)
        }
        return text.unicodeScalars.count > limit ? shown + "…" : shown
    }
}

/// Where in the request something stands, in Anthropic's notation: `messages.0.content.1.source`.
struct Path: CustomStringConvertible {
    private(set) var description: String

    init(_ root: String) { description = root }
    /// The object itself.
    static let root = Path("")

    static func / (path: Path, name: String) -> Path {
        Path(path.description.isEmpty ? name : "\(path.description).\(name)")
    }

    static func / (path: Path, index: Int) -> Path { path / String(index) }
}

struct EnvelopeFields {
    private var members: [(name: String, value: JSONNode, taken: Bool)] = []
    /// Made only when something is wrong.
    private let path: () -> Path

    /// More members than any envelope has; each is compared with those before.
    private static let limit = 256

    init(_ node: JSONNode, at path: @escaping () -> Path) throws(ClientError) {
        self.path = path
        guard node.isObject else { throw .invalid("\(path()): Input should be a valid dictionary") }
        for member in node.members {
            let name = member.name.string ?? ""
            if members.contains(where: { $0.name == name }) {
                throw .invalid(
                    "Invalid JSON: duplicate key \"\(Quoted.shown(name))\" in \(Self.place(path()))")
            }
            guard members.count < Self.limit else {
                throw .invalid("Invalid JSON: too many keys in \(Self.place(path()))")
            }
            members.append((name, member.value, false))
        }
    }

    private static func place(_ path: Path) -> String {
        path.description.isEmpty ? "the request" : path.description
    }

    /// The member's value; nil when absent or null.
    mutating func take(_ name: String) -> JSONNode? {
        guard let index = members.firstIndex(where: { $0.name == name }) else { return nil }
        members[index].taken = true
        let value = members[index].value
        return value.isNull ? nil : value
    }

    mutating func ignore(_ names: String...) { for name in names { _ = take(name) } }

    mutating func required(_ name: String) throws(ClientError) -> JSONNode {
        guard let value = take(name) else { throw .missing(path() / name) }
        return value
    }

    mutating func string(_ name: String) throws(ClientError) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.isString else { throw .invalid("\(path() / name): Input should be a valid string") }
        return value
    }

    mutating func requiredString(_ name: String) throws(ClientError) -> JSONNode {
        guard let value = try string(name) else { throw .missing(path() / name) }
        return value
    }

    mutating func bool(_ name: String) throws(ClientError) -> Bool? {
        guard let value = take(name) else { return nil }
        guard let flag = value.bool else {
            throw .invalid("\(path() / name): Input should be a valid boolean")
        }
        return flag
    }

    mutating func int(_ name: String, atLeast least: Int) throws(ClientError) -> Int? {
        guard let value = take(name) else { return nil }
        guard let number = value.int else {
            throw .invalid("\(path() / name): Input should be a valid integer")
        }
        guard number >= least else {
            throw .invalid("\(path() / name): Input should be greater than or equal to \(least)")
        }
        return number
    }

    /// Kept as text: `0.10` stays `0.10`.
    mutating func number(_ name: String) throws(ClientError) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.kind == .number else {
            throw .invalid("\(path() / name): Input should be a valid number")
        }
        return value
    }

    mutating func array(_ name: String) throws(ClientError) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.isArray else { throw .invalid("\(path() / name): Input should be a valid array") }
        return value
    }

    mutating func object(_ name: String) throws(ClientError) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.isObject else { throw .invalid("\(path() / name): Input should be a valid dictionary") }
        return value
    }

    /// Names that nobody asked for, fit to be shown.
    var rest: [String] { members.filter { !$0.taken }.map { Quoted.shown($0.name) } }
}
