// Calls in the text: the same whatever the pieces, nothing held without need, limits, and random text.

import JSON
import TestSupport
import Testing

@testable import Translation

@Suite("tool calls in the text")
struct TextCallTests {
    private static var plan: ReplyPlan {
        var plan = ReplyPlan()
        plan.toolNames = ["Read", "Bash"]
        plan.toolSchemas["Read"] = Array(
            #"{"properties":{"file_path":{"type":"string"},"limit":{"type":"integer"}},"required":["file_path"]}"#
                .utf8)
        return plan
    }

    /// The pieces, texts side by side joined.
    private static func joined(_ pieces: [TextCallRecovery.Piece]) -> [TextCallRecovery.Piece] {
        var joined: [TextCallRecovery.Piece] = []
        for piece in pieces {
            switch (joined.last, piece) {
            case (.text(let before)?, .text(let text)): joined[joined.count - 1] = .text(before + text)
            case (.reasoning(let before)?, .reasoning(let text)):
                joined[joined.count - 1] = .reasoning(before + text)
            case (.tokens?, .tokens): break
            default: joined.append(piece)
            }
        }
        return joined
    }

    /// As the composer goes: the short way where it is open.
    private static func read(_ pieces: [String], _ plan: ReplyPlan = plan) -> [TextCallRecovery.Piece] {
        var recovery = TextCallRecovery(plan)
        var found: [TextCallRecovery.Piece] = []
        for piece in pieces {
            let text = JSONText(piece)
            found +=
                recovery.passes(text.bytes) ? [.text(Array(piece.utf8))] : recovery.read(Array(piece.utf8))
        }
        return joined(found + recovery.finish(isCut: false))
    }

    /// Texts of the golden cases.
    private static let texts: [String] = GoldenCase.all(in: .streams).compactMap { golden in
        guard let body = try? golden.read().input("answer.sse") else { return nil }
        var text: [UInt8] = []
        for line in body.split(separator: 0x0A) where line.starts(with: "data: {".utf8) {
            let root = (try? JSONDocument(parsing: Array(line.dropFirst(6))))?.root
            root?["choices"]?.first?["delta"]?["content"]?.appendDecoded(to: &text)
        }
        let found = String(decoding: text, as: UTF8.self)
        return found.contains("<") || found.contains("[") || found.contains("{") ? found : nil
    }

    @Test("the same whatever the pieces of the text", arguments: texts)
    func pieces(_ text: String) {
        let whole = Self.read([text])
        #expect(Self.read(text.unicodeScalars.map(String.init)) == whole || text.hasPrefix("assistant"))
        var random = SeededRandom(seed: UInt64(text.utf8.count))
        for _ in 0..<30 {
            var rest = Substring(text)
            var pieces: [String] = []
            while !rest.isEmpty {
                let count =
                    text.hasPrefix("assistant") && pieces.isEmpty ? 9 : Int.random(in: 1...9, using: &random)
                pieces.append(String(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            #expect(Self.read(pieces) == whole, "\(pieces)")
        }
    }

    @Test(
        "text flows up to the first byte of a possible mark, and again once it is none",
        arguments: [
            (["Hi <"], "Hi "), (["Hi <tool"], "Hi "), (["Hi.<tool"], "Hi."), (["Hi\n<tool"], "Hi\n"),
            (["Hi <tool_call>"], "Hi <tool_call>"), (["Hi.<tool_call>"], "Hi."),
            (["Hi <tool_call>\n", "<function=Bash>"], "Hi <tool_call>\n<function=Bash>"),
            (["Hi\n<table"], "Hi\n<table"), (["Hi <table"], "Hi <table"), (["Hi <b"], "Hi <b"),
            (["a < b"], "a < b"), (["x [T"], "x "), (["x [1"], "x [1"), (["x `"], "x `"), (["x\n`"], "x\n"),
            (["x\n`a"], "x\n`a"), (["{"], ""), (["{\"title\""], "{\"title\""), (["x {"], "x {"),
            (["{\"id\": 1"], "{\"id\": 1"), (["{\"parameters\": "], ""),
            (["{\"parameters\": 1"], "{\"parameters\": 1"),
            (["<tool_call>{\"id\": 1"], ""), (["{\"name\": \"Re"], ""),
            (["{\"name\": \"Rex\""], "{\"name\": \"Rex\""),
            (["<tool_call>"], ""), (["<tool_call> is"], ""), (["<tool_call> is a"], "<tool_call> is a"),
            (["<tool_call>{\"name\":\"Weather\""], "<tool_call>{\"name\":\"Weather\""),
            (["<tool_call>{\"title\":"], "<tool_call>{\"title\":"),
            (["<tool_call>\n<function=Read"], ""),
            (["<tool_call>\n<function=Reads>"], "<tool_call>\n<function=Reads>"),
            (["<tool_call>\n<b>"], "<tool_call>\n<b>"),
            (["<invoke name=\"x\""], "<invoke name=\"x\""), (["```\n<tool_call>"], "```\n<tool_call>"),
            (["`<tool_call>"], "`<tool_call>"), (["`", "<tool_call>"], "`<tool_call>"),
            (["  ", "\n{\"a"], "  \n"), (["assist"], "assist"), (["assistant"], ""),
            (["assistants"], "assistants"),
            (["x </tool_call>"], "x </tool_call>"), (["[1, 2"], "[1, 2"), (["```json\n["], ""),
            (["```json\n[1"], "```json\n[1"), (["~~~\n<tool_call>"], "~~~\n<tool_call>"),
            (["x\n~~"], "x\n"), (["x ~~y"], "x ~~y"), (["[Read("], ""), (["[Rea"], ""), (["[x] a"], "[x] a"),
            (["[Weather("], "[Weather("), (["<|tool_call>call:Re"], ""),
            (["<|tool_call>call:Weather{"], "<|tool_call>call:Weather{"),
            (["<|tool_call_begin|>functions.Weather:0<"], "<|tool_call_begin|>functions.Weather:0"),
            (["```tool_code\nimport"], ""),
            (["```tool_code\nimport os"], "```tool_code\nimport os"),
            (["a `b <tool_call>"], "a `b <tool_call>"), (["a `b`", " <tool_call>"], "a `b` <tool_call>"),
            (["a `b\n", "<tool_call>"], "a `b\n"), (["> <tool_call>"], "> <tool_call>"),
            (["a > <tool_call>"], "a > <tool_call>"), (["say \"", "<tool_call>"], "say \"<tool_call>"),
            (["say \"a\"", "<tool_call>"], "say \"a\""), (["it's", "<tool_call>"], "it's<tool_call>"),
            (["a\n", "'", "<tool_call>"], "a\n'<tool_call>"), (["(", "\"<tool_call>"], "(\"<tool_call>"),
            (["x <section>"], "x <section>"), (["x <se"], "x "), (["x <span"], "x <span"),
            (["```swift\nlet a"], "```swift\nlet a"),
        ])
    func flows(_ pieces: [String], _ shown: String) {
        var recovery = TextCallRecovery(Self.plan)
        var found: [TextCallRecovery.Piece] = []
        for piece in pieces {
            found +=
                recovery.passes(JSONText(piece).bytes)
                ? [.text(Array(piece.utf8))] : recovery.read(Array(piece.utf8))
        }
        #expect(Self.joined(found) == (shown.isEmpty ? [] : [.text(Array(shown.utf8))]))
    }

    @Test("ordinary text takes the short way")
    func passes() {
        var recovery = TextCallRecovery(Self.plan)
        _ = recovery.read(Array("Hi".utf8))
        for text in [
            " there", "\n", "a <b> c", "x[0] = `y`", "</div>", "{\"a\": 1}", "\n\n- x", "\\\\nu", "é",
        ] {
            let passes = recovery.passes(JSONText(text).bytes)
            #expect(passes, "\(text)")
        }
        for text in ["\n```", "<tool", "a<", "[T", "<|", "<｜"] {
            let passes = recovery.passes(JSONText(text).bytes)
            #expect(!passes, "\(text)")
        }
        for (text, isPlain) in [
            ("\\u003ct", false), ("\\u000a", false), ("\\u4f60\\u597d", true), ("\\u00e9", true),
            ("<\\uff5c", false),
        ] {
            let passes = recovery.passes(Array(text.utf8)[...])
            #expect(passes == isPlain, "\(text)")
        }
    }

    @Test("a fence begins on a line of its own, also by the short way")
    func lineStarts() {
        for (before, isLine) in [
            ("\n", true), ("\n  ", true), ("\t", false), ("\"", false), ("x ", false), ("\\n", false),
        ] {
            var recovery = TextCallRecovery(Self.plan)
            _ = recovery.read(Array("Hi".utf8))
            let passes = recovery.passes(JSONText(before).bytes)
            #expect(passes)
            _ = recovery.read(Array("```\n".utf8))
            let found = recovery.read(Array("<tool_call>".utf8))
            #expect(found.isEmpty == !isLine, "\(before)")
        }
    }

    @Test("without tools nothing is looked at once the answer has begun")
    func noTools() {
        var recovery = TextCallRecovery(ReplyPlan())
        let start = recovery.read(Array("Hi".utf8))
        #expect(start == [.text(Array("Hi".utf8))])
        for text in ["<tool_call>", "```"] {
            let passes = recovery.passes(Array(text.utf8)[...])
            #expect(passes)
        }
    }

    @Test("calls leave when nothing else came behind them, without their marks")
    func leaves() {
        let call = TextCallRecovery.Piece.call(
            TextCall(name: "Bash", arguments: Array("{}".utf8)), repair: "text-call-tagged")
        for closer in [["</tool_call>"], ["</tool_", "call>"], ["<", "/tool_call", ">", "\n\n"]] {
            var recovery = TextCallRecovery(Self.plan)
            let text = "<tool_call>{\"name\":\"Bash\",\"arguments\":{}}\n"
            #expect(Self.feed(&recovery, [text] + closer) == [])
            #expect(recovery.finish(isCut: false).first == call)
            // Words behind it: it was shown.
            recovery = TextCallRecovery(Self.plan)
            let shown = ([text] + closer + [" is how."]).joined()
            #expect(Self.feed(&recovery, [text] + closer + [" is how."]) == [.text(Array(shown.utf8))])
            #expect(!recovery.isHolding)
        }
    }

    private static func feed(
        _ recovery: inout TextCallRecovery, _ pieces: [String]
    ) -> [TextCallRecovery.Piece] {
        joined(pieces.flatMap { recovery.read(Array($0.utf8)) })
    }

    @Test("an opener with nothing behind it does not wait for ever")
    func openings() {
        for (space, waits) in [(500, true), (600, false)] {
            var recovery = TextCallRecovery(Self.plan)
            let found = recovery.read(Array("<tool_call>".utf8) + Array(repeating: 0x20, count: space))
            #expect(found.isEmpty == waits)
        }
    }

    @Test("what is held has a limit; behind it, it is text")
    func limit() {
        var recovery = TextCallRecovery(Self.plan)
        let opening = Array("<tool_call>{\"name\":\"Bash\",\"arguments\":{\"command\":\"".utf8)
        let before = recovery.read(opening)
        #expect(before.isEmpty)
        let block = Array(repeating: UInt8(ascii: "x"), count: 1 << 20)
        var shown = 0
        for _ in 0..<9 {
            for case .text(let text) in recovery.read(block) { shown += text.count }
        }
        #expect(shown == opening.count + 9 << 20)
        #expect(!recovery.isHolding)
    }

    @Test("however many closers an argument holds, the call is whole")
    func closers() {
        for (count, name) in [(1, "Bash"), (31, "Bash"), (40, "Bash"), (5000, "Bash")] {
            let command = String(repeating: "</tool_call>", count: count)
            let text =
                "<tool_call>{\"name\":\"\(name)\",\"arguments\":{\"command\":\"\(command)\"}}</tool_call>"
            #expect(
                Self.read([text]) == [
                    .call(
                        TextCall(name: name, arguments: Array("{\"command\":\"\(command)\"}".utf8)),
                        repair: "text-call-tagged")
                ])
        }
    }

    @Test("random text: nothing is lost but marks, and every call is to a declared tool", arguments: 0..<20)
    func random(_ block: Int) {
        let words = [
            "<tool_call>", "</tool_call>", "{\"name\":\"Read\",\"arguments\":{\"file_path\":\"a\"}}",
            "<function=Read>",
            "<parameter=file_path>", "x", "</parameter>", "</function>", "[TOOL_CALLS]", "[", "{", "\n",
            "```", "`",
            "json\n", "tool_code\n", "Read(file_path='a')", "<|channel|>", "final", "<|message|>", "<|end|>",
            "analysis",
            "commentary to=functions.Read ", "<|call|>", "<|python_tag|>", "<invoke name=\"Bash\">",
            "</invoke>",
            "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>Read<｜tool▁sep｜>{}<｜tool▁call▁end｜>",
            "<｜tool▁calls▁end｜>",
            "<|tool_calls_section_begin|>", "<|start|>assistant", "assistant", " ", "é", "\"", "\\",
            "<arg_key>", "Read\n", "~~~", "> ", "'", "<|tool_call>", "call:Read{file_path:<|\"|>a<|\"|>}",
            "<tool_call|>",
            "[Read(file_path='a')", "]", "<|python_start|>", "<|python_end|>",
            "<|tool_call_begin|>functions.Read:0",
            "<|tool_call_argument_begin|>{}", "<|tool_call_end|>", "(", "x\"",
        ]
        for seed in 0..<150 {
            var random = SeededRandom(seed: UInt64(block * 1000 + seed))
            let pieces = (0..<Int.random(in: 1...14, using: &random)).map { _ in
                words.randomElement(using: &random) ?? ""
            }
            let found = Self.read(pieces)
            let whole = pieces.joined()
            // That word counts only where it comes as one piece.
            if !whole.contains("assistant") {
                #expect(Self.read([whole]) == found, "\(pieces)")
                #expect(Self.read(whole.unicodeScalars.map(String.init)) == found, "\(pieces)")
            }
            var hasCut = false
            var text = ""
            for piece in found {
                switch piece {
                case .text(let bytes): text += String(decoding: bytes, as: UTF8.self)
                case .call(let call, _):
                    hasCut = true
                    #expect(["Read", "Bash"].contains(call.name))
                    #expect((try? JSONDocument(parsing: call.arguments))?.root.isObject == true)
                case .reasoning, .tokens: hasCut = true
                }
            }
            if !hasCut { #expect(text == pieces.joined(), "\(pieces)") }
            // Whatever was cut, text comes in its order.
            var rest = Substring(pieces.joined())
            for character in text {
                guard let at = rest.firstIndex(of: character) else {
                    Issue.record("\(pieces) gives \(text)")
                    break
                }
                rest = rest[rest.index(after: at)...]
            }
        }
    }
}
