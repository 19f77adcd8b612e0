// Properties over random texts: whatever is cut or changed, the parser answers and never traps; what it
// accepts comes back byte for byte.

import JSON
import TestSupport
import Testing

private let strings = [
    "", "a", "hello world, this is longer than eight", "é漢😀", #"\n\"x\""#, #"\ud83d\ude00"#, #"\u0000"#,
    "12345678", "1234567", "aaaaaaaé", "\u{7f}", #"\\"#,
]
private let numbers = ["0", "-1", "1.10", "1e400", "123456789012345678901234567890", "-0.0", "5E-3"]

private func value(_ depth: Int, _ random: inout SeededRandom) -> String {
    switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &random) {
    case 0: "null"
    case 1: Bool.random(using: &random) ? "true" : "false"
    case 2: numbers.randomElement(using: &random) ?? "0"
    case 3, 4: "\"\(strings.randomElement(using: &random) ?? "")\""
    case 5, 6:
        "{"
            + (0..<Int.random(in: 0..<5, using: &random)).map { _ in
                "\"\(strings.randomElement(using: &random) ?? "")\":\(value(depth - 1, &random))"
            }.joined(separator: ",") + "}"
    default:
        "["
            + (0..<Int.random(in: 0..<5, using: &random)).map { _ in value(depth - 1, &random) }
            .joined(separator: ",") + "]"
    }
}

/// Writes the tree again from its leaves.
private func rewrite(_ node: JSONNode, into writer: inout JSONWriter) {
    switch node.kind {
    case .object:
        writer.beginObject()
        for member in node.members {
            writer.name("x")
            writer.bytes.removeLast(4)
            writer.bytes.append(contentsOf: member.name.raw + [UInt8(ascii: ":")])
            rewrite(member.value, into: &writer)
        }
        writer.endObject()
    case .array:
        writer.beginArray()
        for element in node.elements { rewrite(element, into: &writer) }
        writer.endArray()
    default: writer.raw(node)
    }
}

/// Touches everything a node offers.
private func walk(_ node: JSONNode) -> Int {
    var seen = 1 + node.raw.count + (node.string?.utf8.count ?? 0) + (node.int ?? 0) & 1
    seen += node.bool == true ? 1 : 0
    seen += node.double == nil ? 0 : 1
    for element in node.elements { seen += walk(element) }
    for member in node.members { seen += walk(member.name) + walk(member.value) }
    return seen
}

@Suite struct RandomTests {
    @Test(arguments: 0..<40 as Range<UInt64>)
    func acceptedTextsComeBackByteForByte(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<50 {
            let text = Array(value(5, &random).utf8)
            let root = try JSONDocument(parsing: text).root
            var writer = JSONWriter()
            rewrite(root, into: &writer)
            #expect(writer.bytes == text)
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func cutsAndChangesNeverTrap(seed: UInt64) {
        var random = SeededRandom(seed: seed &+ 1000)
        let limits = JSONLimits(depth: 8, bytes: 2000, nodes: 100)
        var parser = JSONParser(limits: limits)
        for _ in 0..<100 {
            var text = Array(value(5, &random).utf8)
            for _ in 0..<Int.random(in: 0..<4, using: &random) where !text.isEmpty {
                let at = Int.random(in: 0..<text.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: text[at] = UInt8.random(in: 0...255, using: &random)
                case 1: text.remove(at: at)
                default: text.insert(UInt8.random(in: 0...255, using: &random), at: at)
                }
            }
            let cut = text.prefix(Int.random(in: 0...text.count, using: &random))
            let whole = (try? JSONDocument(parsing: text, limits: limits)).map { walk($0.root) }
            let again = (try? parser.parse(text, range: 0..<text.count)).map(walk)
            #expect(whole == again)
            _ = (try? parser.parse(cut)).map(walk)
        }
    }

    @Test func parserKeepsWhatNodesSee() throws {
        var parser = JSONParser()
        let text = Array(#"xx{"a":[1,2]}yy{"b":"\u0041"}zz"#.utf8)
        let first = try parser.parse(text, range: 2..<13)
        let second = try parser.parse(text, range: 15..<text.count - 2)
        #expect(String(decoding: first.raw, as: UTF8.self) == #"{"a":[1,2]}"#)
        #expect(first["a"]?.first?.int == 1)
        #expect(second["b"]?.string == "A")
        #expect((try? parser.parse(text, range: 0..<text.count)) == nil)
        #expect((try? parser.parse(text, range: 5..<5000)) == nil)
    }
}
