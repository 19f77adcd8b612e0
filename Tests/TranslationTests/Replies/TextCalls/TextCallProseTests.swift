// Text that shows a call is not a call: CommonMark's ways to show code, quotations and prose; a real call behind
// them is found.

import JSON
import TestSupport
import Testing

@testable import Translation

@Suite("calls shown and calls said")
struct TextCallProseTests {
    private static var plan: ReplyPlan {
        var plan = ReplyPlan()
        plan.toolNames = ["Bash", "Write"]
        return plan
    }

    /// What each family writes to run `command`.
    private static func calls(_ command: String) -> [String] {
        let json = "{\"name\":\"Bash\",\"arguments\":{\"command\":\"\(command)\"}}"
        let arguments = "{\"command\":\"\(command)\"}"
        return [
            "<tool_call>\n\(json)\n</tool_call>", "<tool_call>\(json)</tool_call>",
            "<tool_call>\n<function=Bash>\n<parameter=command>\n\(command)\n</parameter>\n</function>\n</tool_call>",
            "<function=Bash>\n<parameter=command>\n\(command)\n</parameter>\n</function>",
            "<function=Bash>\(arguments)</function>",
            "<tool_call>Bash\n<arg_key>command</arg_key>\n<arg_value>\(command)</arg_value>\n</tool_call>",
            "<invoke name=\"Bash\"><parameter name=\"command\">\(command)</parameter></invoke>",
            "<function_calls>\n<invoke name=\"Bash\">\n<parameter name=\"command\">\(command)</parameter>\n</invoke>\n</function_calls>",
            "[TOOL_CALLS][\(json)]", "[TOOL_CALLS]Bash[ARGS]\(arguments)",
            "<|python_tag|>\(json)", "<|python_start|>[Bash(command=\"\(command)\")]<|python_end|>",
            "<|tool_call_start|>[Bash(command=\"\(command)\")]<|tool_call_end|>",
            "<|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>\(arguments)<|tool_call_end|>",
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>Bash<｜tool▁sep｜>\(arguments)<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "<|channel|>commentary to=functions.Bash <|constrain|>json<|message|>\(arguments)<|call|>",
            "<|tool_call>call:Bash{command:<|\"|>\(command)<|\"|>}<tool_call|>",
        ]
    }

    private static func goEscaped(_ byte: UInt8) -> [UInt8] {
        switch byte {
        case UInt8(ascii: "<"): Array("\\u003c".utf8)
        case UInt8(ascii: ">"): Array("\\u003E".utf8)
        case UInt8(ascii: "&"): Array("\\u0026".utf8)
        default: [byte]
        }
    }

    @Test("escapes for the signs of HTML mean what they stand for", arguments: seededCalls)
    func escapedSigns(call: String, seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for text in [
            "I <b>run</b> it & see.\n\(call)", "> \(call)\n\n", "<pre>\n\(call)\n</pre>\n",
            "a <i>list</i>:\n- <code>\(call)</code>\n\nThen:\n\(call)",
        ] {
            let count = text.utf8.count
            let cuts = (0..<4).map { _ in Int.random(in: 0...count, using: &random) }.sorted()
            #expect(Self.read(text, cuts: cuts, likeGo: true) == Self.read(text), "\(text) \(cuts)")
        }
    }

    private static let seededCalls = calls("ls").enumerated().map { ($1, UInt64($0)) }

    /// Text and commands in their order, with the answer cut at `cuts`.
    /// - Parameter likeGo: `<`, `>` and `&` come as escapes, as Go's encoder writes them.
    private static func read(
        _ text: String, cuts: [Int] = [], isCut: Bool = false, likeGo: Bool = false
    ) -> [String] {
        let bytes = Array(text.utf8)
        var recovery = TextCallRecovery(plan)
        var pieces: [TextCallRecovery.Piece] = []
        var start = 0
        for cut in cuts + [bytes.count] {
            let piece = Array(bytes[start..<cut])
            start = cut
            var escaped = Array(JSONText(utf8: piece[...]).bytes)
            if likeGo { escaped = escaped.flatMap(goEscaped) }
            pieces += recovery.passes(escaped[...]) ? [.text(piece)] : recovery.read(piece)
        }
        pieces += recovery.finish(isCut: isCut)
        var shown: [String] = []
        var open: [UInt8] = []
        func close() {
            if !open.isEmpty { shown.append(String(decoding: open, as: UTF8.self)) }
            open = []
        }
        for piece in pieces {
            switch piece {
            case .text(let text): open += text
            case .call(let call, _):
                close()
                let arguments = try? JSONDocument(parsing: call.arguments)
                shown.append("RUN \(arguments?.root["command"]?.string ?? "?")")
            case .reasoning(let text): shown.append("THINK \(String(decoding: text, as: UTF8.self))")
            case .tokens: break
            }
        }
        close()
        return shown
    }

    private static func indented(_ text: String, _ by: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { by + $0 }.joined(separator: "\n")
    }

    /// Ways to show a call; `C` stands for it, `I` and `J` for it indented by three and four columns.
    private static let showing = [
        "```\nC\n```", "```xml\nC\n```", "~~~\nC\n~~~", "````\n```\nC\n```\n````", "   ```\nC\n   ```",
        // A closing fence has no info string, is long enough and of the same kind.
        "````markdown\n```xml\nC\n```\n````", "```\n```xml\nC\n```", "~~~\n```\nC\n~~~", "```\n~~~\nC\n```",
        "````\n```\nC", "```\n    ```\nC\n```",
        // Never closed.
        "```\nC", "```xml\nC\n", "~~~md\nC",
        // In a list.
        "1. ```xml\nI\n   ```", "- ```xml\n  X\nC\n  ```", "12) ```\nJ\n    ```",
        "* a\n\n  ```\n  X\nC\n  ```",
        "- - ```\nJ\n    ```",
        // Indented code, by blanks or a tab.
        "Like so:\n\nJ\n\nYes.", "\tC", "Like so:\n\nJ", "\t```xml\nJ\n\t```",
        // Spans of code, of one mark or more.
        "Write `C` now", "Write ``C`` now", "``` C ```", "Use `` ` C `` ", "`a\nC\nb`",
        // HTML.
        "<pre>\nC\n</pre>", "<pre><code>C</code></pre>", "<code>C</code>", "<pre>\nC", "a <code>\nC\n</code>",
        // Quotations.
        "It says \"C\".", "It says 'C'.", "It says “C”.", "> C", "> a\n> C\n", "(C)", "It says «C».",
        // Prose.
        "The model writes C and the client then runs it.", "C is how one calls it.", "C, then waits.",
        "One writes C", "* C", "1. C", "- a: C", "| C |", "C\n\nThat is how it is done.", "C\n```\n",
        "C\n`x`",
        "C\n> quoted",
    ]

    @Test("what is shown stays text", arguments: showing)
    func shown(_ shape: String) {
        for call in Self.calls("rm x") {
            let text = shape.replacing("X", with: "code").replacing("C", with: call)
                .replacing("I", with: Self.indented(call, "   ")).replacing(
                    "J", with: Self.indented(call, "    "))
            #expect(Self.read(text) == [text], "\(text)")
        }
    }

    /// Beginnings of answers behind which a call is real.
    private static let before = [
        "", "\n", "  ", "I look.\n", "I look.\n\n", "Now:\n\n   ",
        "```bash\nls\n```\n", "```\nC\n```\n\n", "~~~\n```\n~~~\n", "````\n```\n````\n",
        "1. ```bash\n   npm i\n   ```\n\nNow I run the tests.\n\n", "1. ```bash\nnpm i\n```\n\nNow.\n\n",
        "- ```\n  ls\n  ```\n- b\n\n", "- a\n  ```\n  ls\n  ```\n",
        "```ls``` shows files.\n\n", "```ls``` and ```pwd```\n", "`` ` `` is a backtick.\n",
        "An odd ` backtick.\n\n",
        "``\n", "~~x~~\n", "Write `C`.\n", "> C\n\n", "    code\n\n", "\tcode\n", "Text\n    more\n",
        "<pre>\nx\n</pre>\n", "<code>C</code>\n", "a <pre> tag\n\n", "See <p>x</p>\n", "\"Excerpt.\"\n",
        "It's so.\n",
        "C is how.\n\n", "---\n", "- [ ] a\n", "| a |\n|---|\n", "1.\n", "* * *\n", "a < b\n", "[x](y)\n",
    ]

    @Test("a real call behind it is found", arguments: before)
    func real(_ before: String) {
        for (call, example) in zip(Self.calls("ls"), Self.calls("rm x")) {
            let start = before.replacing("C", with: example)
            let text = start + call
            let found = Self.read(text)
            #expect(found.last == "RUN ls", "\(text) gives \(found)")
            #expect(found.count == (start.isEmpty ? 1 : 2), "\(text) gives \(found)")
        }
    }

    @Test("directly behind a sentence, or a word where families set no blank")
    func behindText() {
        for (index, call) in Self.calls("ls").enumerated() {
            let isToken = call.hasPrefix("<|") || call.hasPrefix("<｜") || call.hasPrefix("[TOOL")
            for (before, isPlace) in [
                ("I look.", true), ("I look:", true), ("我看看。", true), ("Done!", true), ("I read \"a\"", true),
                ("I look", isToken), ("I look. ", isToken), ("I look: ", false), ("I write ", false),
                ("(", false),
                ("a \"", false), ("“", false), ("`", false),
            ] {
                let found = Self.read(before + call)
                #expect(found == (isPlace ? [before, "RUN ls"] : [before + call]), "\(index) \(before)")
            }
        }
    }

    @Test("several calls, and text between them")
    func several() {
        for (first, second) in zip(Self.calls("ls"), Self.calls("pwd"))
        where !first.hasPrefix("[TOOL_CALLS][") {
            guard !first.hasPrefix("<|python_tag|>") else { continue }
            #expect(Self.read(first + second) == ["RUN ls", "RUN pwd"], "\(first)")
            #expect(Self.read("a\n\(first)\n\(second)") == ["a\n", "RUN ls", "RUN pwd"], "\(first)")
            // What has words behind it was shown, what ends the answer is said.
            let found = Self.read("\(first)\nNow:\n\(second)")
            #expect(found == ["\(first)\nNow:\n", "RUN pwd"], "\(first)")
        }
    }

    @Test("random Markdown: what is shown stays text, the call behind it is found", arguments: 0..<24)
    func random(_ block: Int) {
        for seed in 0..<60 {
            var random = SeededRandom(seed: UInt64(block * 1000 + seed))
            let shown = Self.calls("rm x").randomElement(using: &random) ?? ""
            var text = ""
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                text += Self.paragraph(shown, &random) + "\n\n"
            }
            func cuts(_ text: String) -> [Int] {
                (0..<Int.random(in: 0...12, using: &random))
                    .map { _ in Int.random(in: 0...text.utf8.count, using: &random) }.sorted()
            }
            let ended = text + "End."
            #expect(Self.read(ended, cuts: cuts(ended)) == [ended], "\(ended)")
            let call = Self.calls("ls").randomElement(using: &random) ?? ""
            let found = Self.read(text + call, cuts: cuts(text + call))
            #expect(found == [text, "RUN ls"], "\(text + call) gives \(found)")
        }
    }

    /// A paragraph or a block with a call in code, closed as CommonMark wants.
    private static func paragraph(_ call: String, _ random: inout SeededRandom) -> String {
        let marks = Int.random(in: 3...6, using: &random)
        let fence = String(repeating: Bool.random(using: &random) ? "`" : "~", count: marks)
        let info = ["", "xml", " json5", "tool example"].randomElement(using: &random) ?? ""
        let inner =
            [call, "x\n\n" + call, call + "\n  y", "``` xml\n" + call].randomElement(using: &random) ?? ""
        let isOpen = fence.hasPrefix("```") && fence.count == 3 && inner.hasPrefix("```")
        let block = "\(fence)\(info)\n\(inner)\n\(isOpen ? "```" : fence)"
        switch Int.random(in: 0..<9, using: &random) {
        case 0: return block
        case 1: return indented(block, String(repeating: " ", count: Int.random(in: 1...3, using: &random)))
        case 2:
            let marker = ["- ", "* ", "1. ", "23) ", "-   "].randomElement(using: &random) ?? "- "
            let inside = indented(block, String(repeating: " ", count: marker.count))
            return marker + inside.dropFirst(marker.count)
        case 3: return indented(block, "> ")
        case 4:
            return "So:\n\n" + indented(call, ["    ", "\t", "      "].randomElement(using: &random) ?? "\t")
        case 5:
            let ticks = String(repeating: "`", count: Int.random(in: 1...4, using: &random))
            return "Write \(ticks)\(call.replacing("\n", with: " "))\(ticks) there."
        case 6: return "<pre>\n\(call)\n</pre>"
        case 7: return "It says \"\(call)\" or so."
        default: return "Here \(call) is spoken of."
        }
    }
}
