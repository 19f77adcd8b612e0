// A value in a parsed text: what it is, its members and elements, its bytes. Reading never fails by
// trapping: what is not there, or is of another kind, is nil or empty.

/// A value of a parsed text. Cheap to copy; keeps the text alive.
public struct JSONNode: Sendable {
    let storage: JSONStorage
    let index: Int

    private var entry: TapeEntry { storage.tape[index] }

    public var kind: JSONKind { entry.kind }
    public var isNull: Bool { kind == .null }
    public var isString: Bool { kind == .string }
    public var isObject: Bool { kind == .object }
    public var isArray: Bool { kind == .array }
    /// The value that its text consists of; no part of another.
    public var isRoot: Bool { index == 0 }
    /// An array or object without content.
    public var isEmpty: Bool { entry.next == UInt32(truncatingIfNeeded: index &+ 1) }

    /// The whole text that this node belongs to; `rawRange` and `stringRange` count in it.
    public var bytes: [UInt8] { storage.bytes }

    /// The bytes of the value, quotes and brackets included.
    public var rawRange: Range<Int> {
        let entry = entry
        guard entry.kind == .string else { return Int(entry.start)..<Int(entry.end) }
        return Int(entry.start) &- 1..<Int(entry.end) &+ 1
    }
    public var raw: ArraySlice<UInt8> { storage.bytes[rawRange] }

    /// Of a string: the bytes between its quotes, escapes as written. Of anything else: empty.
    public var stringRange: Range<Int> {
        let entry = entry
        return entry.kind == .string ? Int(entry.start)..<Int(entry.end) : 0..<0
    }
    public var stringRaw: ArraySlice<UInt8> { storage.bytes[stringRange] }
    public var hasEscapes: Bool { entry.flags.contains(.escaped) }
    /// In this string, or anywhere inside: an escaped surrogate without its partner. Writers of this
    /// module put `\ufffd` in its place.
    public var hasLoneSurrogate: Bool { entry.flags.contains(.loneSurrogate) }

    /// The value of the first member with this name; nil too when this is no object.
    public subscript(name: StaticString) -> JSONNode? {
        let found = storage.member(of: index, named: name)
        return found < 0 ? nil : JSONNode(storage: storage, index: found)
    }

    /// As the subscript, with the member's position among all of them.
    public func member(named name: StaticString) -> (position: Int, value: JSONNode)? {
        var position = 0
        let found = storage.member(of: index, named: name, &position)
        return found < 0 ? nil : (position, JSONNode(storage: storage, index: found))
    }

    /// Why an object's members cannot be told apart by their names.
    public enum MemberFault: Sendable {
        /// This name stands there a second time.
        case repeated(JSONNode)
        case tooMany
    }

    /// The first fault among the members; each name is compared with all before it, so that the time is
    /// quadratic up to `limit`, which is the number of members allowed.
    public func memberFault(limit: Int) -> MemberFault? { storage.memberFault(of: index, limit: limit) }

    /// Elements of an array; empty for anything else.
    public var elements: JSONElements {
        let entry = entry
        return JSONElements(
            storage: storage, at: index &+ 1, end: entry.kind == .array ? Int(entry.next) : index &+ 1)
    }

    /// Members of an object, duplicates included; empty for anything else.
    public var members: JSONMembers {
        let entry = entry
        return JSONMembers(
            storage: storage, at: index &+ 1, end: entry.kind == .object ? Int(entry.next) : index &+ 1)
    }

    public var first: JSONNode? {
        let entry = entry
        guard entry.kind == .array, Int(entry.next) > index &+ 1 else { return nil }
        return JSONNode(storage: storage, index: index &+ 1)
    }

    /// Whether this is a string that, decoded, is this text.
    public func stringEquals(_ text: StaticString) -> Bool { storage.string(index, equals: text) }

    /// The decoded string; surrogates without partner become U+FFFD.
    public var string: String? {
        let entry = entry
        guard entry.kind == .string else { return nil }
        guard entry.flags.contains(.escaped) else { return String(decoding: stringRaw, as: UTF8.self) }
        var decoded: [UInt8] = []
        Unescape.append(stringRaw, to: &decoded)
        return String(decoding: decoded, as: UTF8.self)
    }

    /// Appends the decoded bytes of a string; nothing for other kinds.
    public func appendDecoded(to out: inout [UInt8]) {
        if hasEscapes { Unescape.append(stringRaw, to: &out) } else { out.append(contentsOf: stringRaw) }
    }

    /// The same of a part of the string, which cuts no escape in two.
    public func appendDecoded(_ range: Range<Int>, to out: inout [UInt8]) {
        let part = storage.bytes[range.clamped(to: stringRange)]
        if hasEscapes { Unescape.append(part, to: &out) } else { out.append(contentsOf: part) }
    }

    /// A number written as an integer that fits. `1.0` and `1e2` are not integers.
    public var int: Int? {
        guard kind == .number else { return nil }
        var value = 0
        let text = raw
        let negative = text.first == UInt8(ascii: "-")
        for byte in text.dropFirst(negative ? 1 : 0) {
            let digit = byte &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            let (product, tooBig) = value.multipliedReportingOverflow(by: 10)
            let (sum, over) = product.subtractingReportingOverflow(Int(digit))
            guard !tooBig, !over else { return nil }
            value = sum
        }
        guard !negative else { return value }
        return value == .min ? nil : -value
    }

    public var double: Double? {
        kind == .number ? Double(String(decoding: raw, as: UTF8.self)) : nil
    }

    public var bool: Bool? { kind == .bool ? raw.first == UInt8(ascii: "t") : nil }
}

/// A member's name and value.
public struct JSONMember: Sendable {
    /// A string node.
    public let name: JSONNode
    public let value: JSONNode
}

public struct JSONElements: Sequence, IteratorProtocol, Sendable {
    let storage: JSONStorage
    var at: Int
    let end: Int

    public mutating func next() -> JSONNode? {
        guard at < end else { return nil }
        defer { at = Int(storage.tape[at].next) }
        return JSONNode(storage: storage, index: at)
    }
}

public struct JSONMembers: Sequence, IteratorProtocol, Sendable {
    let storage: JSONStorage
    var at: Int
    let end: Int

    public mutating func next() -> JSONMember? {
        guard at < end else { return nil }
        defer { at = Int(storage.tape[at &+ 1].next) }
        return JSONMember(
            name: JSONNode(storage: storage, index: at), value: JSONNode(storage: storage, index: at &+ 1))
    }
}

extension JSONStorage {
    /// The tape index of the value of the first member with this name; -1 without one.
    func member(of index: Int, named name: StaticString) -> Int {
        var position = 0
        return member(of: index, named: name, &position)
    }

    /// - Parameter position: how many members stand before it.
    func member(of index: Int, named name: StaticString, _ position: inout Int) -> Int {
        let entry = tape[index]
        guard entry.kind == .object else { return -1 }
        let length = name.utf8CodeUnitCount
        var at = index &+ 1
        while at < Int(entry.next) {
            let member = tape[at]
            // Most names differ in length already.
            if Int(member.end &- member.start) == length || member.flags.contains(.escaped),
                string(at, equals: name)
            {
                return at &+ 1
            }
            at = Int(tape[at &+ 1].next)
            position &+= 1
        }
        return -1
    }

    func memberFault(of index: Int, limit: Int) -> JSONNode.MemberFault? {
        let entry = tape[index]
        guard entry.kind == .object else { return nil }
        let end = Int(entry.next)
        var at = index &+ 1
        var count = 0
        while at < end {
            var earlier = index &+ 1
            while earlier < at {
                if haveSameText(earlier, at) { return .repeated(JSONNode(storage: self, index: at)) }
                earlier = Int(tape[earlier &+ 1].next)
            }
            guard count < limit else { return .tooMany }
            count &+= 1
            at = Int(tape[at &+ 1].next)
        }
        return nil
    }

    /// Whether two strings are the same, decoded.
    private func haveSameText(_ one: Int, _ other: Int) -> Bool {
        let (one, other) = (tape[one], tape[other])
        let ranges = (Int(one.start)..<Int(one.end), Int(other.start)..<Int(other.end))
        guard one.flags.contains(.escaped) || other.flags.contains(.escaped) else {
            guard ranges.0.count == ranges.1.count else { return false }
            for offset in 0..<ranges.0.count
            where bytes[ranges.0.lowerBound &+ offset] != bytes[ranges.1.lowerBound &+ offset] {
                return false
            }
            return true
        }
        var decoded: ([UInt8], [UInt8]) = ([], [])
        Unescape.append(bytes[ranges.0], to: &decoded.0)
        Unescape.append(bytes[ranges.1], to: &decoded.1)
        return decoded.0 == decoded.1
    }

    func string(_ index: Int, equals text: StaticString) -> Bool {
        let entry = tape[index]
        guard entry.kind == .string else { return false }
        let range = Int(entry.start)..<Int(entry.end)
        return text.withUTF8Buffer { expected in
            guard entry.flags.contains(.escaped) else {
                guard range.count == expected.count else { return false }
                for offset in 0..<expected.count where bytes[range.lowerBound &+ offset] != expected[offset] {
                    return false
                }
                return true
            }
            var decoded: [UInt8] = []
            Unescape.append(bytes[range], to: &decoded)
            return decoded.elementsEqual(expected)
        }
    }
}
