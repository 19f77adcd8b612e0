// Random conversations, through every profile: what goes out is a conversation that its backend takes, nothing that
// was said is lost in silence, and a conversation that grows keeps its beginning byte for byte.

import JSON
import TestSupport
import Testing

@testable import Translation

/// Makes messages as JSON text. Every text in them has a word of its own, to be found again.
private struct Scribe {
    var random: SeededRandom
    /// The words said so far, and those of them that may be left out without being named.
    var words: [String] = []
    private var callIDs: [String] = []
    private var count = 0

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }
    mutating func one<T>(of values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &random)] }

    mutating func word() -> String {
        count += 1
        words.append("w\(count)q")
        return one(of: ["", "é ", "\\n", "\\\"", "<x> ", "\\u0007 "]) + "w\(count)q"
    }

    mutating func newID() -> String {
        count += 1
        let id = one(of: ["toolu_\(count)", "call-\(count)", "call_\(count)", "T\(count)"])
        callIDs.append(id)
        return id
    }

    mutating func text(_ extra: String = "") -> String { #"{"type":"text","text":"\#(word())"\#(extra)}"# }

    mutating func call(_ id: String) -> String {
        let name = one(of: ["Read", "Bash", String(repeating: "long_", count: 18)])
        return #"{"type":"tool_use","id":"\#(id)","name":"\#(name)","input":{"b": 1.10,"a":"\#(word())"}}"#
    }

    mutating func result(_ id: String) -> String {
        let content =
            switch Int.random(in: 0..<5, using: &random) {
            case 0: #""\#(word())""#
            case 1: #"[{"type":"text","text":"\#(word())"}]"#
            case 2: #"[{"type":"text","text":"\#(word())"},{"type":"text","text":"\#(word())"}]"#
            case 3: #"[{"type":"text","text":"\#(word())"},\#(Self.image)]"#
            default: #"[{"type":"tool_reference","tool_name":"Read"},{"type":"text","text":"\#(word())"}]"#
            }
        let error = chance(4) ? #","is_error":true"# : ""
        return #"{"type":"tool_result","tool_use_id":"\#(id)","content":\#(content)\#(error)}"#
    }

    static let image = #"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}"#

    mutating func thinking() -> String {
        let signature = one(of: ["", "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrzLoky3l1", "drgm1."])
        return #"{"type":"thinking","thinking":"hm \#(count)","signature":"\#(signature)"}"#
    }

    // MARK: anything

    private mutating func wildID() -> String {
        guard callIDs.isEmpty || chance(3) else { return one(of: callIDs) }
        return chance(2) ? newID() : one(of: ["toolu_none", "functions.Read:0", "0"])
    }

    private mutating func wildBlock() -> String {
        switch Int.random(in: 0..<14, using: &random) {
        case 0...3: text(one(of: ["", #","cache_control":{"type":"ephemeral"}"#, #","citations":null"#]))
        case 4...6: call(wildID())
        case 7...9: result(wildID())
        case 10: Self.image
        case 11: thinking()
        case 12:
            #"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"\#(word())"}}"#
        default:
            one(of: [
                #"{"type":"text","text":""}"#, #"{"type":"zzz"}"#,
                #"{"type":"redacted_thinking","data":"x"}"#,
            ])
        }
    }

    mutating func wildMessage() -> String {
        let role = one(of: ["user", "user", "assistant", "assistant", "system"])
        guard role != "system" else { return #"{"role":"system","content":"\#(word())"}"# }
        guard !chance(4) else { return #"{"role":"\#(role)","content":"\#(word())"}"# }
        let blocks = (0..<Int.random(in: 0...5, using: &random)).map { _ in wildBlock() }
        return #"{"role":"\#(role)","content":[\#(blocks.joined(separator: ","))]}"#
    }

    // MARK: as clients go on

    /// What a turn adds: as it is sent last, with a cache mark, and as it is sent ever after.
    mutating func turn() -> [(last: String, later: String)] {
        var said: [(String, String)] = []
        let calls = chance(3) ? [] : (0..<Int.random(in: 1...3, using: &random)).map { _ in newID() }
        var blocks = chance(2) ? [thinking()] : []
        if calls.isEmpty || chance(2) { blocks.append(text()) }
        blocks += calls.map { call($0) }
        let answer = #"{"role":"assistant","content":[\#(blocks.joined(separator: ","))]}"#
        said.append((answer, answer))
        said.append(user(calls))
        if chance(3) {
            let note = #""\#(word())\\n""#
            said.append(
                (
                    #"{"role":"system","content":[{"type":"text","text":\#(note),"cache_control":{"type":"ephemeral"}}]}"#,
                    #"{"role":"system","content":\#(note)}"#
                ))
        }
        return said
    }

    mutating func user(_ calls: [String]) -> (last: String, later: String) {
        guard !calls.isEmpty else {
            let said = word()
            return (
                #"{"role":"user","content":[{"type":"text","text":"\#(said)","cache_control":{"type":"ephemeral"}}]}"#,
                #"{"role":"user","content":"\#(said)"}"#
            )
        }
        var blocks = calls.shuffled(using: &random).map { result($0) }
        if chance(3) { blocks.append(text()) }
        if chance(4) { blocks.insert(text(), at: 0) }
        if chance(6) { blocks.append(Self.image) }
        let later = #"{"role":"user","content":[\#(blocks.joined(separator: ","))]}"#
        blocks[blocks.count - 1] =
            blocks[blocks.count - 1].dropLast() + #","cache_control":{"type":"ephemeral","ttl":"1h"}}"#
        return (#"{"role":"user","content":[\#(blocks.joined(separator: ","))]}"#, later)
    }
}

@Suite("conversations, whatever they hold") struct ConversationTests {
    /// The client's own dialect is passed on as it is.
    private static let profiles = Profile.all.keys.filter { $0 != "anthropic" }.sorted()

    private static func body(_ messages: [String], _ more: String = "") -> [UInt8] {
        let tools = ["Read", "Bash", String(repeating: "long_", count: 18)].map {
            #"{"name":"\#($0)","description":"d","input_schema":{"type":"object","properties":{"a":{"type":"string"}}}}"#
        }
        return Array(
            #"{"model":"m","max_tokens":1000,"system":"sys","tools":[\#(tools.joined(separator: ","))]\#(more),"messages":[\#(messages.joined(separator: ","))]}"#
                .utf8)
    }

    @Test(
        "any messages become a conversation that the backend takes, and nothing is lost in silence",
        arguments: 0..<20)
    func wild(block: Int) throws {
        var passed = 0
        for seed in 0..<25 {
            var scribe = Scribe(seed: UInt64(block * 100 + seed))
            let messages = (0..<Int.random(in: 1...9, using: &scribe.random)).map { _ in scribe.wildMessage()
            }
            for name in Self.profiles {
                let profile = try #require(Profile.named(name))
                let label: Comment = "seed \(block * 100 + seed), \(name): \(messages.joined(separator: ","))"
                guard let request = try? MessagesRequest(parsing: Self.body(messages)),
                    let call = try? request.converted(for: UpstreamTarget(model: "m", profile: profile))
                else { continue }
                passed += 1
                let root = try JSONDocument(parsing: call.body).root
                #expect(faults(root, profile) == [], label)
                let sent = String(decoding: call.body, as: UTF8.self)
                for word in scribe.words {
                    let times = sent.components(of: word)
                    #expect(times <= 1, "\(word) stands \(times) times, \(label)")
                    #expect(times == 1 || !call.omissions.isEmpty, "\(word) is lost, \(label)")
                }
                #expect(!sent.contains("cache_control"), label)
            }
        }
        #expect(passed > 100)
    }

    /// What a server of this kind would refuse.
    private func faults(_ root: JSONNode, _ profile: Profile) -> [String] {
        var faults: [String] = []
        var before = "", open: [String] = [], isFirst = true
        for message in Array(root["messages"]?.elements ?? root.elements) {
            let role = message["role"]?.string ?? ""
            if role == "tool" {
                if open.first != message["tool_call_id"]?.string {
                    faults.append("a result out of its place")
                }
                open = Array(open.dropFirst())
                if message["content"]?.isString != true, message["content"]?.isArray != true {
                    faults.append("a result without content")
                }
            } else {
                if !open.isEmpty { faults.append("a call without its result") }
                open = message["tool_calls"]?.elements.compactMap { $0["id"]?.string } ?? []
                if Set(open).count != open.count { faults.append("two calls of one id") }
                for call in message["tool_calls"].map({ Array($0.elements) }) ?? [] {
                    // Ollama takes the object itself, others its text.
                    let arguments = call["function"]?["arguments"]
                    let text = arguments?.isObject == true ? nil : arguments?.string ?? "missing"
                    let isObject = text.map {
                        (try? JSONDocument(parsing: Array($0.utf8)))?.root.isObject == true
                    }
                    if isObject != (profile.dialect == .ollama ? nil : true) {
                        faults.append("arguments are no object: \(text ?? "")")
                    }
                    let length = call["function"]?["name"]?.string?.utf8.count ?? 0
                    if length == 0 || length > 90 { faults.append("a name of \(length) bytes") }
                }
                let isSilent = message["content"]?.isNull != false && message["tool_calls"] == nil
                if isSilent { faults.append("\(role) says nothing") }
            }
            switch role {
            case "system" where !isFirst: faults.append("system in mid-conversation")
            case "system", "tool": break
            case "user":
                if profile.strictAlternation, before == "user" { faults.append("user after user") }
                if !profile.userAfterTool, before == "tool" { faults.append("user after tool") }
            case "assistant": if before == "assistant" { faults.append("assistant after assistant") }
            default: faults.append("role \(role)")
            }
            (before, isFirst) = (role, false)
        }
        if !open.isEmpty { faults.append("a call without its result at the end") }
        if before.isEmpty { faults.append("no messages") }
        return faults
    }

    @Test("a conversation that grows keeps its beginning", arguments: 0..<12)
    func prefixes(block: Int) throws {
        let keepsThinking =
            #","thinking":{"type":"adaptive"},"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}"#
        for seed in 0..<8 {
            for name in Self.profiles {
                let profile = try #require(Profile.named(name))
                var scribe = Scribe(seed: UInt64(block * 100 + seed))
                var earlier: [String] = []
                var before: [UInt8]?
                var added = [scribe.user([])]
                for turn in 0..<7 {
                    // The build line in front differs each time.
                    let build = #","metadata":{"user_id":"\#(turn)"}"# + keepsThinking
                    let body = Self.body(earlier + added.map(\.last), build)
                    let request = try MessagesRequest(parsing: body)
                    let call = try request.converted(for: UpstreamTarget(model: "m", profile: profile))
                    let root = try JSONDocument(parsing: call.body).root
                    let messages = try #require(root["messages"])
                    let now = Array(messages.raw.dropLast())
                    if let before {
                        #expect(
                            now.starts(with: before),
                            "seed \(block * 100 + seed), \(name), turn \(turn):\n\(String(decoding: before, as: UTF8.self))\n\(String(decoding: now, as: UTF8.self))"
                        )
                    }
                    before = now
                    earlier += added.map(\.later)
                    added = scribe.turn()
                }
            }
        }
    }
}

extension String {
    /// How often `word` stands in the text.
    fileprivate func components(of word: String) -> Int {
        var count = 0
        var rest = Substring(self).utf8[...]
        while let found = rest.firstRange(of: word.utf8) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }
}
