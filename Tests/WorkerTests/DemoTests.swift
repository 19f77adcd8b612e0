// What the demo answers, and that it keeps the request's limits.

import Testing
import Translation

@testable import Worker

@Suite struct DemoTests {
    static func demo(_ fields: String) -> Demo {
        Demo(answering: DemoRequest(Array("{\(fields)}".utf8), .messages), inputTokens: 12, callID: "call_1")
    }

    static func said(_ text: String, _ more: String = "") -> Demo {
        demo(#""max_tokens":4096,"messages":[{"role":"user","content":"\#(text)"}]\#(more)"#)
    }

    static func deltas(_ demo: Demo) -> [Delta] { demo.steps.flatMap(\.deltas) }

    /// Deltas as words, runs of one kind joined.
    static func shape(_ demo: Demo) -> [String] {
        var shape: [String] = []
        for delta in deltas(demo) {
            let word =
                switch delta {
                case .text: "text"
                case .reasoning: "reasoning"
                case .toolCall(let number, let id, let name): "call \(number) \(id ?? "-") \(name ?? "-")"
                case .toolArguments: "arguments"
                case .usage: "usage"
                case .finished(let reason): "finished \(reason)"
                case .failed: "failed"
                }
            if shape.last != word { shape.append(word) }
        }
        return shape
    }

    static func text(_ demo: Demo) -> String {
        joined(demo) { if case .text(let text) = $0 { text } else { nil } }
    }

    static func arguments(_ demo: Demo) -> String {
        joined(demo) { if case .toolArguments(_, let text) = $0 { text } else { nil } }
    }

    /// Escaped as on the wire.
    private static func joined(_ demo: Demo, _ part: (Delta) -> JSONText?) -> String {
        deltas(demo).compactMap(part).map { "\($0)" }.joined()
    }

    static let tools =
        #","tools":[{"name":"Read","input_schema":{"type":"object","properties":{"path":{"type":"string"},"#
        + ##""lines":{"type":"integer"},"mode":{"enum":["r","w"]},"x":{"type":"string"}},"required":["path","lines","mode"]}}]"##

    @Test func plainAnswer() {
        let demo = Self.said("hello")
        #expect(Self.shape(demo) == ["usage", "text", "usage", "finished endTurn"])
        #expect(demo.steps.count > 20)
        #expect(demo.steps.dropFirst().dropLast().allSatisfy { $0.pause == Demo.pace })
    }

    @Test(arguments: ["please think", "demo:think", "Think!"])
    func thinks(_ text: String) {
        #expect(Self.shape(Self.said(text)) == ["usage", "reasoning", "text", "usage", "finished endTurn"])
    }

    @Test(arguments: ["please call a tool", "demo:tool", "demo:tool Read", "use the tool"])
    func calls(_ text: String) {
        #expect(
            Self.shape(Self.said(text, Self.tools))
                == ["usage", "text", "call 0 call_1 Read", "arguments", "usage", "finished toolUse"])
    }

    @Test func toolsThatAreNotThere() {
        for (text, more) in [("demo:tool Write", Self.tools), ("call a tool", "")] {
            #expect(Self.shape(Self.said(text, more)) == ["usage", "text", "usage", "finished endTurn"])
        }
    }

    @Test func forcedTool() {
        let any = Self.said("hi", Self.tools + #","tool_choice":{"type":"any"}"#)
        let named = Self.said("hi", Self.tools + #","tool_choice":{"type":"tool","name":"Read"}"#)
        for demo in [any, named] { #expect(Self.shape(demo).last == "finished toolUse") }
    }

    @Test func aToolsResultIsTakenUp() {
        let demo = Self.demo(
            #""max_tokens":999,"messages":[{"role":"user","content":"call a tool"},{"role":"assistant","content":[]},"#
                + #"{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"42 files"}]}]"#
                + Self.tools)
        #expect(Self.shape(demo) == ["usage", "text", "usage", "finished endTurn"])
    }

    @Test func maxTokens() {
        for limit in [1, 5, 20] {
            let demo = Self.demo(#""max_tokens":\#(limit),"messages":[{"role":"user","content":"hi"}]"#)
            #expect(Self.shape(demo).last == "finished maxTokens")
            guard case .usage(let usage)? = Self.deltas(demo).dropLast().last else {
                Issue.record("no usage")
                return
            }
            #expect(usage.output <= max(1, limit) && usage.input == 12)
        }
    }

    @Test func stopSequences() {
        let demo = Self.said("hi", #","stop_sequences":["supervisor","language"]"#)
        #expect(Self.shape(demo).last == #"finished stopSequence("language")"#)
    }

    @Test("sample arguments fit the schema; given ones are used as they are")
    func callArguments() {
        let request = DemoRequest(Array(#"{"a":1\#(Self.tools)}"#.utf8), .messages)
        #expect(request.tools.first?.sample == #"{"path":"demo","lines":1,"mode":"r"}"#)
        var given = DemoRequest([], .messages)
        given.lastText = #"demo:tool Read {"path": "/etc/hosts"}"#
        #expect(DemoWish(given).call == .init(name: "Read", arguments: #"{"path": "/etc/hosts"}"#))
        given.lastText = #"demo:tool Read {"path": "#
        #expect(DemoWish(given).call == .init(name: "Read", arguments: nil))
    }

    @Test(arguments: [
        "", "null", "[]", #"{"messages":3}"#,
        #"{"messages":[{"role":"user","content":[[],{"type":"tool_result"}]}]}"#,
        #"{"tools":[{"name":1},{"name":"x","input_schema":{"required":[1,"a"],"properties":[]}}],"tool_choice":{"type":"any"}}"#,
    ])
    func oddBodies(_ body: String) {
        let demo = Demo(answering: DemoRequest(Array(body.utf8), .messages), inputTokens: 0, callID: "c")
        guard case .finished? = Self.deltas(demo).last else {
            Issue.record("not finished")
            return
        }
    }

    @Test func piecesAreTheText() {
        for text in [DemoText.plain, "", " ", "a", "  a  b ", "ü ß"] {
            #expect(DemoText.pieces(text).joined() == text)
        }
    }
}
