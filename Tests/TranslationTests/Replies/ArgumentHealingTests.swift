// Arguments that the schema refuses: what each becomes, and what stays as it is.

import JSON
import TestSupport
import Testing

@testable import Translation

@Suite("arguments against the tool's schema")
struct ArgumentHealingTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let why: String
        let schema: String
        let given: String
        /// nil: untouched.
        let healed: String?
        let repairs: [String]
        var testDescription: String { why }

        init(_ why: String, _ schema: String, _ given: String, _ healed: String?, _ repairs: [String] = []) {
            self.why = why
            self.schema = schema
            self.given = given
            self.healed = healed
            self.repairs = repairs
        }
    }

    static let read = #"""
        {"type":"object","properties":{"file_path":{"type":"string"},"limit":{"type":"integer"},
        "offset":{"type":["integer","null"]},"pages":{"type":"string"}},"required":["file_path"],
        "additionalProperties":false}
        """#
    static let edit = #"""
        {"type":"object","properties":{"file_path":{"type":"string"},"old_string":{"type":"string"},
        "new_string":{"type":"string"},"replace_all":{"type":"boolean","default":false}},
        "required":["file_path","old_string","new_string"],"additionalProperties":false}
        """#
    static let open = #"""
        {"type":"object","properties":{"a_file":{"type":"string"},"b_file":{"type":"string"},"n":{"type":"number"}},
        "required":["a_file"]}
        """#
    static let lists = #"""
        {"properties":{"todos":{"type":"array","items":{"type":"object"}},"tags":{"type":"array","items":
        {"type":"string"}},"ids":{"type":"array","items":{"type":"integer"}},"map":{"type":"object"},"any":{},
        "mode":{"enum":["a","b"]},"alt":{"anyOf":[{"type":"integer"},{"type":"null"}]},"flag":{"type":"boolean"},
        "name":{"type":"string"}}}
        """#

    static let bash = #"""
        {"type":"object","properties":{"command":{"type":"string"},"timeout":{"type":"number"},"description":
        {"type":"string"},"dangerouslyDisableSandbox":{"type":"boolean"},"dry_run":{"type":["boolean","null"]}},
        "required":["command"],"additionalProperties":false}
        """#
    static let switches = #"""
        {"properties":{"no_backup":{"type":"boolean"},"recursive":{"type":"boolean"}},"required":["no_backup",
        "recursive"],"additionalProperties":false}
        """#
    static let units = #"""
        {"properties":{"delay":{"type":"number"},"size":{"type":"number"},"label":{"type":"string"}},"required":
        ["delay","size","label"],"additionalProperties":false}
        """#

    static let rows = [
        // Untouched.
        Row("valid, odd spelling kept", read, #"{ "limit":1.0 , "file_path" : "a"}"#, nil),
        Row("null where null is allowed", read, #"{"file_path":"a","offset":null}"#, nil),
        Row("other names where they are allowed", open, #"{"a_file":"x","zzz":1,"b":"y"}"#, nil),
        Row(
            "an unknown reference allows anything",
            ##"{"properties":{"a":{"$ref":"#/x","type":"integer"}}}"##, #"{"a":"3"}"#,
            nil),
        Row("an untyped property", lists, #"{"any":"3"}"#, nil),
        Row("nothing is made up for what is missing", read, "{}", nil),
        Row("no properties in the schema", #"{"type":"object"}"#, #"{"path":1}"#, nil),
        Row(
            "a wrapper's name where other names are allowed", #"{"properties":{"a":{}}}"#,
            #"{"arguments":{"a":1}}"#, nil),
        Row("no schema", "", #"{"path":1}"#, nil),
        Row("a name that fits nothing", read, #"{"file_path":"a","colour":"red"}"#, nil),
        Row(
            "alternatives at the top bring names of their own",
            #"{"properties":{"file_name":{"type":"string"}},"anyOf":[{}],"additionalProperties":false}"#,
            #"{"filename":"x"}"#, nil),
        // Names.
        Row("alias", read, #"{"path":"/a"}"#, #"{"file_path":"/a"}"#, ["argument-name"]),
        Row("camel case", read, #"{"filePath":"/a"}"#, #"{"file_path":"/a"}"#, ["argument-name"]),
        Row("dashes and case", read, #"{"File-Path":"/a"}"#, #"{"file_path":"/a"}"#, ["argument-name"]),
        Row("part of the name", read, #"{"file_path_name":"/a"}"#, #"{"file_path":"/a"}"#, ["argument-name"]),
        Row(
            "order and other values stay", edit, #"{"old":"x","file":"/a","new":"y"}"#,
            #"{"old_string":"x","file_path":"/a","new_string":"y"}"#, ["argument-name"]),
        Row(
            "spelling before alias", read, #"{"path":"b","filePath":"/a"}"#,
            #"{"path":"b","file_path":"/a"}"#, ["argument-name"]),
        Row("two names for one property", read, #"{"path":"b","file":"a"}"#, nil),
        Row("the property is there already", read, #"{"file_path":"a","path":"b"}"#, nil),
        Row(
            "part of two names", #"{"properties":{"a_file":{},"b_file":{}},"required":["a_file","b_file"]}"#,
            #"{"file":"x"}"#, nil),
        Row(
            "open schema: only what is required is missed", open, #"{"file":"x"}"#, #"{"a_file":"x"}"#,
            ["argument-name"]),
        Row("open schema: an option is not guessed", open, #"{"b_fil":"x"}"#, nil),
        Row("a type that cannot fit", read, #"{"path":{"a":1}}"#, nil),
        Row(
            "name and type", read, #"{"path":"/a","max":"3"}"#, #"{"file_path":"/a","limit":3}"#,
            ["argument-name", "argument-type"]),
        // What is never guessed: switches, negations, units.
        Row("a switch", bash, #"{"command":"rm -rf x","sandbox":true}"#, nil),
        Row(
            "a switch's own name in another spelling", bash, #"{"command":"x","dryRun":true}"#,
            #"{"command":"x","dry_run":true}"#, ["argument-name"]),
        Row("a switch in part", bash, #"{"command":"x","run":true}"#, nil),
        Row("a switch in words", bash, #"{"command":"x","run":"true"}"#, nil),
        Row(
            "a switch by another name", edit,
            #"{"file_path":"/a","old_string":"a","new_string":"b","global":true}"#, nil),
        Row("a required switch", switches, #"{"backup":true}"#, nil),
        Row("a required switch, negated", switches, #"{"non_recursive":true}"#, nil),
        Row("a sign that negates", switches, #"{"no_backup":true,"!recursive":true}"#, nil),
        Row("truth for what is no switch", read, #"{"path":true}"#, nil),
        Row("an empty text for a switch", bash, #"{"command":"x","dry_run":""}"#, nil),
        Row("a unit", bash, #"{"command":"x","timeout_seconds":30}"#, nil),
        Row("a unit of the same kind", bash, #"{"command":"x","timeoutMs":30}"#, nil),
        Row("a unit of what is required", units, #"{"delay_seconds":3,"max_bytes":1}"#, nil),
        Row("an option in part", bash, #"{"command":"x","descriptive":"y"}"#, nil),
        Row("negated text", units, #"{"delay":1,"size":1,"no_label":"x"}"#, nil),
        Row("lines are a unit", read, #"{"file_path":"/a","max_lines":3}"#, nil),
        // What the schema takes.
        Row(
            "names by a pattern",
            #"{"properties":{"path":{"type":"string"}},"patternProperties":{"^x_":{}},"additionalProperties":false}"#,
            #"{"x_path":"keep"}"#, nil),
        Row(
            "names by a pattern, one missing",
            #"{"properties":{"path":{}},"required":["path"],"patternProperties":{"^x_":{}}}"#,
            #"{"x_path":"keep"}"#, nil),
        Row(
            "an empty text in a format that has such",
            #"{"properties":{"id":{"type":"string"},"body":{"type":"string","format":"markdown"}},"required":["id"]}"#,
            #"{"id":"1","body":""}"#, nil),
        Row(
            "an empty text that is no date",
            #"{"properties":{"id":{"type":"string"},"day":{"type":"string","format":"date"}},"required":["id"]}"#,
            #"{"id":"1","day":""}"#, #"{"id":"1"}"#, ["empty-argument"]),
        Row(
            "pages of another tool", #"{"properties":{"id":{"type":"string"},"pages":{"type":"string"}}}"#,
            #"{"id":"1","pages":""}"#, nil),
        Row(
            "too short to be part of a name", #"{"properties":{"name":{}},"required":["name"]}"#,
            #"{"na":"x"}"#, nil),
        // Types.
        Row(
            "text to integer", read, #"{"file_path":"a","limit":" 3 "}"#, #"{"file_path":"a","limit":3}"#,
            ["argument-type"]),
        Row("no integer", read, #"{"file_path":"a","limit":"3.5"}"#, nil),
        Row("no number at all", read, #"{"file_path":"a","limit":"3 lines"}"#, nil),
        Row(
            "text to number keeps its digits", open, #"{"a_file":"x","n":"1.10"}"#,
            #"{"a_file":"x","n":1.10}"#, ["argument-type"]),
        Row(
            "number to text keeps its digits", read, #"{"file_path":12345678901234567890.10}"#,
            #"{"file_path":"12345678901234567890.10"}"#, ["argument-type"]),
        Row("truth to text", read, #"{"file_path":true}"#, #"{"file_path":"true"}"#, ["argument-type"]),
        Row("text to truth", lists, #"{"flag":"True"}"#, #"{"flag":true}"#, ["argument-type"]),
        Row("numbers are no truth", lists, #"{"flag":1}"#, nil),
        Row("text to an alternative", lists, #"{"alt":"7"}"#, #"{"alt":7}"#, ["argument-type"]),
        Row("text to null", lists, #"{"alt":"null"}"#, #"{"alt":null}"#, ["argument-type"]),
        Row(
            "an array in a text", lists, #"{"todos":"[{\"a\":1}]"}"#, #"{"todos":[{"a":1}]}"#,
            ["argument-type"]),
        Row(
            "an array in Python's words", lists, #"{"tags":"['a', 'b']"}"#, #"{"tags":["a","b"]}"#,
            ["argument-type"]),
        Row(
            "an object in a text", lists, #"{"map":"{\"a\":[1]}"}"#, #"{"map":{"a":[1]}}"#, ["argument-type"]),
        Row("half an object in a text", lists, #"{"map":"{\"a\":[1"}"#, nil),
        Row("an object is no array's text", lists, #"{"map":"[1]"}"#, nil),
        Row("one value to an array", lists, #"{"tags":"a"}"#, #"{"tags":["a"]}"#, ["argument-type"]),
        Row(
            "one object to an array", lists, #"{"todos":{"a":1}}"#, #"{"todos":[{"a":1}]}"#, ["argument-type"]
        ),
        Row(
            "one value to an array of another type", lists, #"{"ids":"3"}"#, #"{"ids":[3]}"#,
            ["argument-type"]),
        Row("a value that no element can be", lists, #"{"ids":"x"}"#, nil),
        Row(
            "an array of one to its value", read, #"{"file_path":["a"]}"#, #"{"file_path":"a"}"#,
            ["argument-type"]),
        Row("an array of two is not joined", read, #"{"file_path":["a","b"]}"#, nil),
        Row("an object is no text", read, #"{"file_path":{"a":1}}"#, nil),
        // Empty options.
        Row(
            "empty option of another type", read, #"{"file_path":"a","limit":""}"#, #"{"file_path":"a"}"#,
            ["empty-argument"]),
        Row(
            "empty option that is refused", read, #"{"file_path":"a","pages":""}"#, #"{"file_path":"a"}"#,
            ["empty-argument"]),
        Row(
            "empty option that is none of the words", lists, #"{"mode":"","name":""}"#, #"{"name":""}"#,
            ["empty-argument"]),
        Row(
            "null option", read, #"{"limit":null,"file_path":"a"}"#, #"{"file_path":"a"}"#, ["null-argument"]),
        Row("null where a value is required stays", read, #"{"file_path":null}"#, nil),
        Row(
            "an empty text that is required stays", edit, #"{"file_path":"a","old_string":"x","new":""}"#,
            #"{"file_path":"a","old_string":"x","new_string":""}"#, ["argument-name"]),
        // Wrapped.
        Row(
            "wrapped", read, #"{"arguments":{"file_path":"a"}}"#, #"{"file_path":"a"}"#, ["wrapped-arguments"]
        ),
        Row(
            "wrapped in a text", read, #"{"input":"{\"file_path\":\"a\"}"}"#, #"{"file_path":"a"}"#,
            ["wrapped-arguments"]),
        Row("a wrapper with foreign names", read, #"{"arguments":{"b":"a"}}"#, nil),
        Row(
            "a property of the wrapper's name",
            #"{"properties":{"input":{"type":"string"}},"required":["x"]}"#, #"{"input":{"input":"a"}}"#, nil),
    ]

    @Test("healed, or untouched", arguments: rows)
    func healed(_ row: Row) throws {
        let found = ArgumentHealing.healed(
            Array(row.given.utf8), schema: row.schema.isEmpty ? nil : Array(row.schema.utf8))
        #expect(found.map { String(decoding: $0.bytes, as: UTF8.self) } == row.healed)
        #expect(found?.repairs ?? [] == row.repairs)
        // Once is enough.
        guard let found else { return }
        #expect((try? JSONDocument(parsing: found.bytes)) != nil)
        let again = ArgumentHealing.healed(found.bytes, schema: Array(row.schema.utf8))
        #expect(again == nil)
    }

    @Test(
        "random arguments: what comes out is an object, and healing it again changes nothing",
        arguments: 0..<20)
    func random(_ block: Int) {
        let keys = [
            "file_path", "path", "filePath", "limit", "pages", "todos", "old", "", "map", "arguments", "é",
        ]
        let values = [
            "1", "\"3\"", "\"\"", "null", "true", "[]", "[1]", "{}", "{\"path\":\"x\"}", "\"[1\"", "\"{}\"",
            "1e999", "\"\\ud800\"",
        ]
        for seed in 0..<200 {
            var random = SeededRandom(seed: UInt64(block * 1000 + seed))
            let members = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                "\"\(keys.randomElement(using: &random) ?? "")\":\(values.randomElement(using: &random) ?? "1")"
            }
            let given = Array("{\(members.joined(separator: ","))}".utf8)
            for schema in [Self.read, Self.edit, Self.open, Self.lists] {
                guard let found = ArgumentHealing.healed(given, schema: Array(schema.utf8)) else { continue }
                #expect((try? JSONDocument(parsing: found.bytes))?.root.isObject == true)
                #expect(!found.repairs.isEmpty)
            }
        }
    }
}
