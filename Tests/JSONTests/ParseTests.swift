// What the parser takes and refuses, and what nodes read out of it.

import JSON
import Testing

private func parse(_ text: String) throws(JSONError) -> JSONNode {
    try JSONDocument(parsing: Array(text.utf8)).root
}

private func refusal(_ bytes: [UInt8], limits: JSONLimits = .init()) -> JSONError? {
    do {
        _ = try JSONDocument(parsing: bytes, limits: limits)
        return nil
    } catch { return error }
}

@Suite struct ParseTests {
    @Test(arguments: [
        "null", " true ", "\tfalse\r\n", "0", "-0", "12", "-1.10", "1e2", "1E+2", "0.5e-7",
        "123456789012345678901234567890", "\"\"", "\"a\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", "\"é漢😀\"",
        "[]", "[ ]", "{}", "{ }", "[1,2 , 3]", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":[{}]}}", "[[],{}]",
        "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "\"\\ude00x\"", "\"\\ud83d\\ud83d\\ude00\"", "\"\u{7f}\"",
    ])
    func accepted(text: String) throws {
        let root = try parse(text)
        let inner = text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()
        #expect(String(decoding: root.raw, as: UTF8.self) == String(inner))
    }

    @Test(arguments: [
        ("", JSONError.Reason.unexpectedEnd, 0), ("  ", .unexpectedEnd, 2), ("{", .unexpectedEnd, 1),
        ("[1,]", .unexpectedByte, 3), ("{\"a\":1,}", .unexpectedByte, 7), ("[1 2]", .unexpectedByte, 3),
        ("{\"a\" 1}", .unexpectedByte, 5), ("{a:1}", .unexpectedByte, 1), ("]", .unexpectedByte, 0),
        ("[}", .unexpectedByte, 1), ("{]", .unexpectedByte, 1), ("{\"a\":1]", .unexpectedByte, 6),
        ("NaN", .unexpectedByte, 0), ("Infinity", .unexpectedByte, 0), ("-Infinity", .badNumber, 1),
        ("nul", .unexpectedEnd, 3), ("nulx", .badLiteral, 0), ("01", .badNumber, 0),
        ("1.", .unexpectedEnd, 2),
        (".5", .unexpectedByte, 0), ("+1", .unexpectedByte, 0), ("1e", .unexpectedEnd, 2),
        ("-", .unexpectedEnd, 1),
        ("1.x", .badNumber, 2), ("1 1", .trailingBytes, 2), ("{}x", .trailingBytes, 2),
        ("0x1", .trailingBytes, 1),
        ("\"a", .unexpectedEnd, 2), ("\"a\nb\"", .controlCharacter, 2), ("\"\\x\"", .badEscape, 1),
        ("\"\\u12g4\"", .badEscape, 1), ("\"\\u12", .unexpectedEnd, 5), ("\"\\", .unexpectedEnd, 2),
        ("'a'", .unexpectedByte, 0), ("[1", .unexpectedEnd, 2), ("{\"a\"", .unexpectedEnd, 4),
        ("// c\n1", .unexpectedByte, 0), ("\u{FEFF}1", .unexpectedByte, 0), ("é", .unexpectedByte, 0),
    ])
    func refused(text: String, reason: JSONError.Reason, offset: Int) {
        #expect(refusal(Array(text.utf8)) == JSONError(reason, at: offset))
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0x80], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82],
            [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80],
            [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        for padding in 0..<10 {
            let text = Array("\"".utf8) + Array(repeating: 0x61, count: padding) + bytes + Array("\"".utf8)
            #expect(refusal(text) == JSONError(.invalidUTF8, at: 1 + padding))
        }
    }

    @Test func deepNestingIsAnErrorAndNoCrash() throws {
        let arrays = Array(repeating: UInt8(ascii: "["), count: 100_000)
        #expect(refusal(arrays)?.reason == .tooDeep)
        #expect(refusal(arrays)?.offset == 512)
        let balanced = arrays + Array(repeating: UInt8(ascii: "]"), count: 100_000)
        #expect(refusal(balanced, limits: JSONLimits(depth: 100_000)) == nil)
        #expect(refusal(Array("[[[]]]".utf8), limits: JSONLimits(depth: 3)) == nil)
        #expect(refusal(Array("[[[]]]".utf8), limits: JSONLimits(depth: 2))?.reason == .tooDeep)
        #expect(refusal(Array("[[],[],{},[[]]]".utf8), limits: JSONLimits(depth: 3)) == nil)
    }

    @Test func sizeAndCountAreLimited() {
        #expect(refusal(Array("[1,2]".utf8), limits: JSONLimits(bytes: 4))?.reason == .tooLarge)
        #expect(refusal(Array("[1,2]".utf8), limits: JSONLimits(nodes: 2))?.reason == .tooManyValues)
        #expect(refusal(Array("[1,2]".utf8), limits: JSONLimits(nodes: 3)) == nil)
    }

    @Test func membersInOrderWithDuplicates() throws {
        let root = try parse(#"{"b":1,"a":[true,null,"x"],"b":{"c":2.50}}"#)
        #expect(root.members.map { $0.name.string ?? "" } == ["b", "a", "b"])
        #expect(root["b"]?.int == 1)
        #expect(root["a"]?.elements.map(\.kind) == [.bool, .null, .string])
        #expect(root["a"]?.first?.bool == true)
        #expect(root["z"] == nil)
        #expect(root["a"]?["b"] == nil)
        let last = Array(root.members).last?.value
        #expect(last.map { String(decoding: $0.raw, as: UTF8.self) } == #"{"c":2.50}"#)
        #expect(last?["c"]?.double == 2.5)
        #expect(root["b"]?.elements.map(\.kind) == [])
        #expect(root["a"]?.isEmpty == false)
        #expect(try parse("{}").isEmpty)
        #expect(try parse("[ ]").isEmpty)
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("42", 42), ("-42", -42), ("9223372036854775807", Int.max),
            ("-9223372036854775808", Int.min), ("9223372036854775808", nil), ("-9223372036854775809", nil),
            ("1.0", nil), ("1e2", nil), ("\"1\"", nil), ("99999999999999999999999", nil),
        ] as [(String, Int?)])
    func integers(text: String, expected: Int?) throws {
        #expect(try parse(text).int == expected)
    }

    @Test(arguments: [
        (#""a\"b\\c\/d\b\f\n\r\t""#, "a\"b\\c/d\u{8}\u{c}\n\r\t"), (#""\u00e9\u6f22""#, "é漢"),
        (#""\ud83d\ude00""#, "😀"), (#""x\ud83dy""#, "x\u{FFFD}y"), (#""\ude00""#, "\u{FFFD}"),
        (#""\ud83d\u0041""#, "\u{FFFD}A"), (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"), (#""\u0000""#, "\0"),
        ("\"plain é\"", "plain é"),
    ])
    func decoding(text: String, expected: String) throws {
        let node = try parse(text)
        #expect(node.string == expected)
        var bytes: [UInt8] = []
        node.appendDecoded(to: &bytes)
        #expect(bytes == Array(expected.utf8))
    }

    @Test func escapedNamesCompareByMeaning() throws {
        let root = try parse(#"{"\u006dodel":"q\u0077en","max":1}"#)
        #expect(root["model"]?.stringEquals("qwen") == true)
        #expect(root["model"]?.stringEquals("qwem") == false)
        #expect(root["max"]?.stringEquals("1") == false)
        #expect(root["ma"] == nil)
        #expect(root["maxx"] == nil)
    }

    @Test(arguments: [
        (#"{"a":1,"b":{"a":2},"ab":3}"#, nil), (#"{"a":1,"b":2,"a":3}"#, "a"), (#"{"a":1,"\u0061":3}"#, "a"),
        (#"{"\u0061":1,"b":2,"a":3}"#, "a"), (#"{"é":1,"\u00e9":3}"#, "é"),
        ("{\"\u{e9}\":1,\"e\u{301}\":2}", nil), (#"{"a":1,"b":2,"c":3,"d":4}"#, nil),
        (#"{"a":1,"b":2,"c":3,"d":4,"e":5}"#, "too many"), (#"{"a":1,"b":2,"c":3,"d":4,"a":5}"#, "a"),
        ("[]", nil),
    ])
    func namesThatStandTwice(text: String, expected: String?) throws {
        switch try parse(text).memberFault(limit: 4) {
        case nil: #expect(expected == nil)
        case .tooMany: #expect(expected == "too many")
        case .repeated(let name): #expect(name.string == expected)
        }
    }

    @Test func membersKnowTheirPosition() throws {
        let root = try parse(#"{"a":{"b":1},"b":[1,2],"\u0063":3}"#)
        #expect(root.member(named: "a")?.position == 0)
        #expect(root.member(named: "b")?.position == 1)
        #expect(root.member(named: "b")?.value.first?.int == 1)
        #expect(root.member(named: "c")?.position == 2)
        #expect(root.member(named: "d") == nil)
    }

    @Test func loneSurrogatesAreMarkedUpToTheRoot() throws {
        let root = try parse(#"{"a":["ok",{"b":"\ud83d"}],"c":"\ud83d\ude00"}"#)
        #expect(root.hasLoneSurrogate)
        #expect(root["a"]?.hasLoneSurrogate == true)
        #expect(root["a"]?.first?.hasLoneSurrogate == false)
        #expect(root["c"]?.hasLoneSurrogate == false)
        #expect(root["c"]?.hasEscapes == true)
        #expect(try parse(#"{"\udc00":1}"#).hasLoneSurrogate)
    }
}
