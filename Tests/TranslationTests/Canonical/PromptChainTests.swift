// The digests of a prompt's beginnings: equal for what a backend has in its cache already, different for all else.

import JSON
import TestSupport
import Testing

@testable import Translation

struct FastDigestTests {
    @Test("every byte, every place and every boundary counts")
    func differs() {
        var random = SeededRandom(seed: 7)
        for count in Array(0...70) + [255, 1000, 4096] {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let digest = FastDigest.of(bytes)
            #expect(FastDigest.of(bytes) == digest && digest != 0)
            #expect(FastDigest.of(bytes + [0]) != digest)
            guard let at = bytes.indices.randomElement(using: &random) else { continue }
            var other = bytes
            other[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            #expect(FastDigest.of(other) != digest, "\(count)")
            var (whole, parted) = (FastDigest(), FastDigest())
            whole.add(bytes[...])
            parted.add(bytes[..<at])
            parted.add(bytes[at...])
            #expect(whole.value != parted.value)
        }
    }

    @Test("the same in every process, wherever the bytes lie")
    func stable() {
        let bytes = Array("the quick brown fox jumps over the lazy dog".utf8)
        var slice = FastDigest()
        slice.add(([1, 2, 3] + bytes + [4])[3..<(3 + bytes.count)])
        #expect(slice.value == FastDigest.of(bytes))
        #expect(FastDigest.of(bytes[...]) == FastDigest.of(bytes))
        #expect(FastDigest.of([]) == FastDigest.of([] as ArraySlice<UInt8>))
    }

    @Test("among a hundred thousand short words no two have the same")
    func collisions() {
        var seen = Set<UInt64>()
        for number in 0..<100_000 { seen.insert(FastDigest.of(Array("word \(number)".utf8))) }
        #expect(seen.count == 100_000)
    }
}

struct PromptChainTests {
    private static let tools =
        #"[{"name":"Read","description":"Reads.","input_schema":{"type":"object"}},{"name":"Write","description":"Writes.","input_schema":{"type":"object"}}]"#

    private static func marks(
        _ messages: [String], system: String = "You help.", build: String = "1", tools: String = tools
    ) throws -> [PromptMark] {
        let body = """
            {"model":"m","max_tokens":10,"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=\(build);"},\
            {"type":"text","text":"\(system)","cache_control":{"type":"ephemeral"}}],"tools":\(tools),\
            "messages":[\(messages.joined(separator: ","))]}
            """
        let request = try ClientRequest(parsing: Array(body.utf8), at: .messages, head: MessagesHead())
        return request.promptMarks
    }

    private static func user(_ text: String) -> String { #"{"role":"user","content":"\#(text)"}"# }
    private static func assistant(_ text: String) -> String { #"{"role":"assistant","content":"\#(text)"}"# }

    @Test("a conversation that grows keeps all marks that it had")
    func growth() throws {
        var messages = [Self.user("0")]
        var before = try Self.marks(messages)
        #expect(before.count == 2)
        for turn in 1...40 {
            messages += [Self.assistant("a\(turn)"), Self.user("u\(turn)")]
            let now = try Self.marks(messages)
            #expect(now.first == before.first)
            #expect(Set(now.map(\.digest)).count == now.count)
            #expect(now.map(\.tokens) == now.map(\.tokens).sorted())
            #expect(now.count <= PromptChain.keptMarks + 2)
            // What was the whole prompt, and all but the oldest before it, are beginnings of this one.
            #expect(now.contains(try #require(before.last)))
            #expect(
                Set(now.map(\.digest)).isSuperset(of: before.suffix(PromptChain.keptMarks - 1).map(\.digest)))
            before = now
        }
    }

    @Test(
        "cache marks, ids of calls, the form of a text, reasoning and the line of the client change nothing",
        arguments: [
            (
                #"{"role":"user","content":"do it"}"#,
                #"{"role":"user","content":[{"type":"text","text":"do it","cache_control":{"type":"ephemeral"}}]}"#
            ),
            (
                #"{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"Read","input":{"a":1}}]}"#,
                #"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"toolu_2","name":"Read","input":{"a":1}}]}"#
            ),
        ])
    func same(left: String, right: String) throws {
        let first = Self.user("first")
        let other = try Self.marks([first, right], build: "2")
        #expect(try Self.marks([first, left], build: "1") == other)
    }

    @Test("everything else does, from its place on")
    func different() throws {
        let usual = try Self.marks([Self.user("a"), Self.assistant("b"), Self.user("c")])
        let later = try Self.marks([Self.user("a"), Self.assistant("b"), Self.user("d")])
        #expect(usual.dropLast() == later.dropLast() && usual.last != later.last)
        for other in [
            try Self.marks([Self.user("x"), Self.assistant("b"), Self.user("c")]),
            try Self.marks([Self.assistant("a"), Self.assistant("b"), Self.user("c")]),
        ] {
            #expect(other.first == usual.first)
            #expect(Set(other.dropFirst().map(\.digest)).isDisjoint(with: usual.map(\.digest)))
        }
        for other in [
            try Self.marks([Self.user("a"), Self.assistant("b"), Self.user("c")], system: "You do not."),
            try Self.marks([Self.user("a"), Self.assistant("b"), Self.user("c")], tools: "[]"),
        ] {
            #expect(Set(other.map(\.digest)).isDisjoint(with: usual.map(\.digest)))
        }
    }

    @Test("a chat conversation that grows keeps its marks; its system prompt and tools are the root")
    func chat() throws {
        func marks(_ messages: String) throws -> [PromptMark] {
            let body = """
                {"model":"m","tools":[{"type":"function","function":{"name":"f"}}],"messages":[\
                {"role":"system","content":"You help."},\(messages)]}
                """
            return try ClientRequest(parsing: Array(body.utf8), at: .chat, head: MessagesHead()).promptMarks
        }
        let call =
            #"{"role":"assistant","content":null,"tool_calls":[{"id":"ID","type":"function","function":{"name":"f","arguments":"{}"}}]}"#
        let first = try marks(#"{"role":"user","content":"a"}"#)
        let second = try marks(#"{"role":"user","content":[{"type":"text","text":"a"}]},\#(call)"#)
        #expect(first.count == 2 && second.count == 3 && second.starts(with: first))
    }

    @Test("of a long conversation the ends of the last messages are kept")
    func long() throws {
        let text = String(repeating: "All work and no play makes Jack a dull boy. ", count: 100)
        let messages = (0..<46).map { Self.user("\($0) " + text) }
        let body = Array(messages.joined().utf8)
        #expect(body.count > 200_000)
        #expect(try Self.marks(messages).count == PromptChain.keptMarks + 2)
    }
}
