// JSON: the parser agrees with a reader written differently on what is JSON, and what it read can be written
// again, raw or decoded, and reads the same.

import JSON
import TestSupport

@testable import Translation

func fuzzJSON(_ bytes: [UInt8], _ random: inout SeededRandom) {
    let document = try? JSONDocument(parsing: bytes)
    expect((document != nil) == ReferenceJSON.accepts(bytes), "both readers agree")
    // The same text as a part of a larger one, through the parser whose memory is used again.
    var parser = JSONParser()
    _ = try? parser.parse(Array("[1,{\"a\":\"\\u0041\"}]".utf8), range: 0..<19)
    let part = try? parser.parse([0x5B] + bytes + [0x22, 0x5D], range: 1..<bytes.count + 1)
    expect((part != nil) == (document != nil), "a part is judged as the whole")

    let mended = JSONRepair.mended(bytes[...])
    expect(String(validating: mended, as: UTF8.self) != nil, "what is mended is UTF-8")
    guard let root = document?.root else { return }
    expect(mended == bytes, "what is JSON is not mended")
    if let part { expectSame(root, part) }
    check(root, within: 0..<bytes.count)

    var raw = JSONWriter()
    raw.raw(root)
    reread(raw.bytes, as: root)
    var rebuilt = JSONWriter()
    write(root, to: &rebuilt)
    reread(rebuilt.bytes, as: root)
    var quoted: [UInt8] = [0x22]
    quoted.appendJSONEscaped(raw: root)
    quoted.append(0x22)
    let unquoted = (try? JSONDocument(parsing: quoted))?.root.string
    expect(unquoted == String(decoding: raw.bytes, as: UTF8.self), "a text within a text comes out the same")
}

private func reread(_ bytes: [UInt8], as root: JSONNode) {
    guard let again = (try? JSONDocument(parsing: bytes))?.root else {
        return expect(false, "what was written is JSON: \(String(decoding: bytes, as: UTF8.self))")
    }
    expect(!again.hasLoneSurrogate, "what was written has no lone surrogate")
    expectSame(root, again)
}

private func write(_ node: JSONNode, to writer: inout JSONWriter) {
    switch node.kind {
    case .object:
        writer.beginObject()
        for member in node.members {
            writer.name(member.name.string ?? "")
            write(member.value, to: &writer)
        }
        writer.endObject()
    case .array:
        writer.beginArray()
        for element in node.elements { write(element, to: &writer) }
        writer.endArray()
    case .string: writer.value(node.string ?? "")
    case .bool: writer.value(node.bool ?? false)
    case .null: writer.null()
    case .number:
        if let number = node.int, number != 0 { writer.value(number) } else { writer.raw(node) }
    }
}

/// Ranges lie within their parents, one after the other.
private func check(_ node: JSONNode, within outer: Range<Int>) {
    let range = node.rawRange
    expect(
        range.lowerBound >= outer.lowerBound && range.upperBound <= outer.upperBound, "a range in its parent")
    expect(node.isString == (node.string != nil), "a string has a text")
    expect(node.kind != .number || node.double != nil, "a number has a value")
    var start = range.lowerBound
    for element in node.elements {
        check(element, within: start..<range.upperBound)
        start = element.rawRange.upperBound
    }
    for member in node.members {
        check(member.name, within: start..<range.upperBound)
        check(member.value, within: member.name.rawRange.upperBound..<range.upperBound)
        start = member.value.rawRange.upperBound
    }
}

/// Same kinds, same decoded texts, same text of numbers.
private func expectSame(_ one: JSONNode, _ other: JSONNode) {
    expect(one.kind == other.kind, "kinds are kept")
    switch one.kind {
    case .string: expect(one.string == other.string, "texts are kept")
    case .number: expect(one.raw.elementsEqual(other.raw), "the text of numbers is kept")
    case .bool: expect(one.bool == other.bool, "booleans are kept")
    case .null: break
    case .array:
        let (elements, others) = (Array(one.elements), Array(other.elements))
        expect(elements.count == others.count, "elements are kept")
        for (element, other) in zip(elements, others) { expectSame(element, other) }
    case .object:
        let (members, others) = (Array(one.members), Array(other.members))
        expect(members.count == others.count, "members are kept")
        for (member, other) in zip(members, others) {
            expectSame(member.name, other.name)
            expectSame(member.value, other.value)
        }
    }
}

/// RFC 8259 over Unicode scalars, by recursive descent: slow and plain.
private struct ReferenceJSON {
    private let text: [Unicode.Scalar]
    private var at = 0

    static func accepts(_ bytes: [UInt8]) -> Bool {
        guard let text = String(validating: bytes, as: UTF8.self) else { return false }
        var reader = ReferenceJSON(text: Array(text.unicodeScalars))
        return reader.value(depth: 0) && reader.at == reader.text.count
    }

    private init(text: [Unicode.Scalar]) { self.text = text }

    private var next: Unicode.Scalar? { at < text.count ? text[at] : nil }

    private mutating func take(_ scalars: String) -> Bool {
        guard text[at...].starts(with: scalars.unicodeScalars) else { return false }
        at += scalars.unicodeScalars.count
        return true
    }

    private mutating func space() {
        while let next, [" ", "\t", "\n", "\r"].contains(next) { at += 1 }
    }

    private mutating func value(depth: Int) -> Bool {
        space()
        defer { space() }
        switch next {
        case "{": return container(depth, "}") { $0.member(depth) }
        case "[": return container(depth, "]") { $0.value(depth: depth + 1) }
        case "\"": return string()
        case "t": return take("true")
        case "f": return take("false")
        case "n": return take("null")
        default: return number()
        }
    }

    private mutating func container(
        _ depth: Int, _ close: String, _ item: (inout ReferenceJSON) -> Bool
    ) -> Bool {
        guard depth < JSONLimits().depth else { return false }
        at += 1
        space()
        if take(close) { return true }
        while item(&self) {
            if take(close) { return true }
            guard take(",") else { return false }
        }
        return false
    }

    private mutating func member(_ depth: Int) -> Bool {
        space()
        guard string() else { return false }
        space()
        return take(":") && value(depth: depth + 1)
    }

    private mutating func string() -> Bool {
        guard take("\"") else { return false }
        while let next {
            at += 1
            if next == "\"" { return true }
            if next.value < 0x20 { return false }
            guard next == "\\" else { continue }
            guard let escape = self.next else { return false }
            at += 1
            if escape == "u" {
                let digits = text[at...].prefix(4)
                guard digits.count == 4, digits.allSatisfy(\.properties.isASCIIHexDigit) else { return false }
                at += 4
            } else if !"\"\\/bfnrt".unicodeScalars.contains(escape) {
                return false
            }
        }
        return false
    }

    private mutating func digits() -> Bool {
        let start = at
        while let next, ("0"..."9").contains(next) { at += 1 }
        return at > start
    }

    private mutating func number() -> Bool {
        _ = take("-")
        if !take("0"), !digits() { return false }
        if take("."), !digits() { return false }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            return digits()
        }
        return true
    }
}
