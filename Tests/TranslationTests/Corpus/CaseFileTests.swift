// The form of a case, and its language: what is read is what was written, and nothing is taken for something else.

import Testing

@testable import Translation

@Suite("case files")
struct CaseFileTests {
    private static func read(_ text: String) throws -> CaseFile { try CaseFile(parsing: Array(text.utf8)) }

    @Test("every file is a case of its room, and is printed as it is written", arguments: GoldenRoom.allCases)
    func files(_ room: GoldenRoom) throws {
        var names: Set<String> = []
        for golden in GoldenCase.all(in: room) {
            #expect(names.insert(golden.name).inserted, "\(golden.name) is the name of two")
            do {
                _ = try golden.circumstances(try golden.read())
                let bytes = try golden.bytes()
                #expect(try CaseFile(parsing: bytes).printed == bytes, "\(golden.name)")
            } catch { Issue.record("\(golden.name): \(error)") }
        }
        #expect(!names.isEmpty)
    }

    @Test("reason, circumstances, inputs and outputs")
    func sections() throws {
        let file = try Self.read(
            """
            Why it is there.
            And more.
            -- circumstances --
            profile: vllm
            keep-alive: {"a": 1}
            -- in answer.json (no final newline) --
            {}
            -- out stream --

            -- almost a section
            -- out whole --

            """)
        #expect(file.reason == "Why it is there.\nAnd more.\n")
        let circumstances = try file.circumstances()
        #expect(circumstances.map(\.key) == ["profile", "keep-alive"])
        #expect(circumstances.map(\.value) == ["vllm", #"{"a": 1}"#])
        #expect(file.input("answer.json") == Array("{}".utf8))
        #expect(file.output("stream") == Array("\n-- almost a section\n".utf8))
        #expect(file.output("whole") == [])
        #expect(file.output("repairs") == nil)
    }

    @Test(
        "any bytes come back",
        arguments: [
            [], [0x0A], [0x0D, 0x0A], Array("a\r\rb".utf8), [0x00, 0x41, 0xFF, 0xC3], Array(#"C:\x"#.utf8),
            Array("\\\r\n".utf8), Array("-- in x --\n".utf8), Array("-- in x --".utf8), Array("é\n\n".utf8),
            [0xE2, 0x82, 0x0D], Array("a".utf8), [0xED, 0xA0, 0x80, 0x0A],
        ])
    func anyBytes(_ bytes: [UInt8]) throws {
        var file = try Self.read("Why.\n-- in x --\n")
        file.record(bytes, as: "first", order: ["first", "second"])
        file.record(Array("2\n".utf8), as: "second", order: ["first", "second"])
        let read = try CaseFile(parsing: file.printed)
        #expect(read.output("first") == bytes)
        #expect(read.output("second") == Array("2\n".utf8))
        #expect(read.printed == file.printed)
    }

    @Test("recording keeps the order, and takes out what is no more")
    func recording() throws {
        var file = try Self.read("Why.\n-- in x --\n-- out b --\n1\n")
        let order = ["a", "b", "c"]
        file.record(Array("c\n".utf8), as: "c", order: order)
        file.record(Array("a\n".utf8), as: "a", order: order)
        file.record(nil, as: "b", order: order)
        #expect(
            String(decoding: file.printed, as: UTF8.self)
                == "Why.\n-- in x --\n-- out a --\na\n-- out c --\nc\n")
    }

    @Test(
        "what is no case",
        arguments: [
            "", "\n", "-- in x --\n", "Why.\n-- in x --\nno end", "Why.\n-- in --\n", "Why.\n-- inn x --\n",
            "Why.\n-- in x --\n-- in x --\n", "Why.\n-- in x (escaped) --\n\\n\n", "Why.\n-- in x (odd) --\n",
            "Why.\n-- in x (no final newline) --\n", "Why.\n-- circumstances x --\n",
            "Why.\n-- in x (escaped) --\n\\x4\n",
        ])
    func mistakes(_ text: String) { #expect(throws: CaseFile.Mistake.self) { try Self.read(text) } }
}

@Suite("circumstances")
struct CircumstancesTests {
    private static func mistakes(_ line: String) throws -> [String] {
        let file = try CaseFile(parsing: Array("Why.\n-- circumstances --\nmodel: m\n\(line)\n".utf8))
        return Circumstances(try file.circumstances()).mistakes
    }

    @Test(
        "every kind of line",
        arguments: [
            "profile: vllm", "window: 4096", "lacking: tools images", "cut: 5000 4095",
            "anthropic-beta: a-1,b-2", "pdf: empty", "keep-alive: 10m", "dialect: anthropic",
            "calls: sequential", "status: 503", "end: timed-out", "estimate: 5000",
        ])
    func understood(line: String) throws { #expect(try Self.mistakes(line) == []) }

    @Test(
        "a line that is not understood is a mistake",
        arguments: [
            "profile: vlm", "Profile: vllm", "window: many", "vision: no", "echo: loud", "lacking: tool",
            "lacking: tools tools", "cut: 5000", "query: beta", "history: mend", "calls: one",
            "dialect: openAI", "quirk: on", "status: x", "end: soon", "estimate: few", "model: other",
        ])
    func mistaken(line: String) throws { #expect(try Self.mistakes(line).count == 1) }

    @Test("a line is a key and a value", arguments: ["vllm", "profile:", "profile:vllm", "profile vllm"])
    func noLine(line: String) { #expect(throws: CaseFile.Mistake.self) { try Self.mistakes(line) } }

    @Test("a key that its room does not ask for is a mistake")
    func otherRoom() {
        let line = [(key: "lacking", value: "tools")]
        #expect(Circumstances(line, known: GoldenRoom.requests.keys).mistakes == [])
        #expect(Circumstances(line, known: GoldenRoom.relays.keys).mistakes.count == 1)
    }

    @Test("the profile comes first, wherever it stands")
    func order() {
        let read = Circumstances([("vision", "false"), ("profile", "vllm")])
        #expect(read.target.profile.name == "vllm" && !read.target.profile.vision)
    }
}
