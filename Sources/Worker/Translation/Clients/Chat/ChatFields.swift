// Reading a chat completions request: members by name, and OpenAI's words for what is wrong with them.

import JSON

extension Failure {
    /// 400 `invalid_request_error` with OpenAI's `param` and `code`.
    static func chat(_ words: ErrorWords, _ parameter: String? = nil, _ code: String? = nil) -> Failure {
        .request(.malformed(Complaint(words, parameter: parameter, code: code)))
    }

    static func chatMissing(_ path: String) -> Failure {
        .chat("Missing required parameter: '\(path)'.", path, "missing_required_parameter")
    }

    static func chatType(_ path: String, expected: String, _ found: JSONNode) -> Failure {
        .chat(
            "Invalid type for '\(path)': expected \(expected), but got \(found.kindWords) instead.", path,
            "invalid_type")
    }

    static func chatValue(_ path: String, _ found: String, supported: String) -> Failure {
        .chat(
            "Invalid value: '\(Excerpt.shown(found))'. Supported values are: \(supported).", path,
            "invalid_value")
    }
}

extension JSONNode {
    fileprivate var kindWords: String {
        switch kind {
        case .null: "null"
        case .bool: "a boolean"
        case .number: int == nil ? "a decimal number" : "an integer"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// The members of one object. A name that stands twice is refused: two readers would not agree on its value.
struct ChatFields {
    private var members: [(name: String, value: JSONNode, isTaken: Bool)] = []
    private let path: String

    /// More than any request has; each is compared with those before.
    private static let limit = 256

    init(_ node: JSONNode, _ path: String = "") throws(Failure) {
        self.path = path
        guard node.isObject else { throw .chatType(path, expected: "an object", node) }
        for member in node.members {
            let name = member.name.string ?? ""
            guard !members.contains(where: { $0.name == name }) else {
                throw .chat("Duplicate parameter: '\(Excerpt.shown(place(name)))'.", place(name))
            }
            guard members.count < Self.limit else { throw .chat("Too many parameters.", path) }
            members.append((name, member.value, false))
        }
    }

    /// The path of a member.
    func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// The member's value; nil when absent or null.
    mutating func take(_ name: String) -> JSONNode? {
        guard let index = members.firstIndex(where: { $0.name == name }) else { return nil }
        members[index].isTaken = true
        let value = members[index].value
        return value.isNull ? nil : value
    }

    mutating func string(_ name: String) throws(Failure) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.isString else { throw .chatType(place(name), expected: "a string", value) }
        return value
    }

    mutating func requiredString(_ name: String) throws(Failure) -> JSONNode {
        guard let value = try string(name) else { throw .chatMissing(place(name)) }
        return value
    }

    mutating func bool(_ name: String) throws(Failure) -> Bool? {
        guard let value = take(name) else { return nil }
        guard let flag = value.bool else { throw .chatType(place(name), expected: "a boolean", value) }
        return flag
    }

    mutating func int(_ name: String, atLeast least: Int) throws(Failure) -> Int? {
        guard let value = take(name) else { return nil }
        guard let number = value.int else { throw .chatType(place(name), expected: "an integer", value) }
        guard number >= least else {
            throw .chat(
                "Invalid '\(place(name))': integer below minimum value. Expected a value >= \(least), but got "
                    + "\(number) instead.", place(name), "integer_below_min_value")
        }
        return number
    }

    /// Kept as text: `0.10` stays `0.10`.
    mutating func number(_ name: String) throws(Failure) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.kind == .number else { throw .chatType(place(name), expected: "a number", value) }
        return value
    }

    mutating func array(_ name: String) throws(Failure) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.isArray else { throw .chatType(place(name), expected: "an array", value) }
        return value
    }

    mutating func object(_ name: String) throws(Failure) -> JSONNode? {
        guard let value = take(name) else { return nil }
        guard value.isObject else { throw .chatType(place(name), expected: "an object", value) }
        return value
    }

    /// Names and values that nobody asked for and that say something, names fit to be shown.
    var rest: [(name: String, value: JSONNode)] {
        members.filter { !$0.isTaken && !$0.value.isNull }.map {
            (Excerpt.shown($0.name).description, $0.value)
        }
    }
}
