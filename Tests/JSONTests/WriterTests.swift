// What the writer puts down, and that the parser reads the same back.

import JSON
import Testing

@Suite struct WriterTests {
    @Test func commasAndNesting() {
        var writer = JSONWriter(capacity: 64)
        writer.beginObject()
        writer.name("a")
        writer.beginArray()
        writer.value(1)
        writer.value("x\"y")
        writer.beginObject()
        writer.endObject()
        writer.null()
        writer.endArray()
        writer.name("é\n" as String)
        writer.value(true)
        writer.name("s")
        writer.string { $0.append(ascii: "raw") }
        writer.name("r")
        writer.raw("{}")
        writer.endObject()
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"{"a":[1,"x\"y",{},null],"é\n":true,"s":"raw","r":{}}"#)
    }

    @Test(arguments: [0, 1, -1, 10, 1234567890, Int.max, Int.min])
    func integers(value: Int) {
        var bytes = Array("x".utf8)
        bytes.appendJSON(value)
        #expect(String(decoding: bytes, as: UTF8.self) == "x\(value)")
    }

    @Test func everyByteSurvivesAtEveryPosition() throws {
        for scalar in (0..<0x180).compactMap(Unicode.Scalar.init) {
            for padding in 0..<10 {
                let text = String(repeating: "a", count: padding) + String(scalar) + "bcdefghij\"k"
                var bytes: [UInt8] = []
                bytes.appendJSON(text)
                #expect(try JSONDocument(parsing: bytes).root.string == text)
            }
        }
    }

    @Test func controlCharactersAreEscaped() {
        var bytes: [UInt8] = []
        bytes.appendJSON("\u{1}\u{1f}\n\r\t\u{7f}\u{2028}/")
        #expect(String(decoding: bytes, as: UTF8.self) == "\"\\u0001\\u001f\\n\\r\\t\u{7f}\u{2028}/\"")
    }

    @Test(arguments: [
        (#""a\ud83d""#, #""a\ufffd""#), (#""\ud83d\ude00\ude00""#, #""\ud83d\ude00\ufffd""#),
        (#"{"k":["\\ud83d","\udc00\n"]}"#, #"{"k":["\\ud83d","\ufffd\n"]}"#),
        (#"{"k":"\ud83d\ud83d\ude00"}"#, #"{"k":"\ufffd\ud83d\ude00"}"#),
        (#"{"\ud83d":1.10}"#, #"{"\ufffd":1.10}"#), (#""\ufffd\ud800""#, #""\ufffd\ufffd""#),
    ])
    func loneSurrogatesAreReplacedInRawCopies(text: String, expected: String) throws {
        let root = try JSONDocument(parsing: Array(text.utf8)).root
        var bytes: [UInt8] = []
        bytes.append(raw: root)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
        if root.isString {
            var inside = [UInt8(ascii: "\"")]
            inside.append(stringRaw: root)
            inside.append(UInt8(ascii: "\""))
            #expect(inside == bytes)
        }
        // What stands behind it stays where it was.
        var behind: [UInt8] = [1, 2]
        behind.appendMended(root.bytes[...])
        #expect(behind == [1, 2] + bytes)
    }
}
