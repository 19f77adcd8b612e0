// Calls of a stream, however a server numbers, names and cuts them: each leaves as it was meant or the answer ends in
// an error; none is merged, split, lost or made up. And what that costs.

import JSON
import TestSupport
import Testing
import TranslationTesting

@testable import Translation

@Suite("calls of a stream")
struct ToolCallTests {
    struct Call: Equatable {
        let name: String
        let input: String
    }

    /// How a server tells calls.
    private struct Manner {
        enum Index: CaseIterable { case counted, fromOne, zero, none }
        enum ID: CaseIterable { case own, same, nameOfTool, count, empty, none }
        enum Cut: CaseIterable { case whole, headAndWhole, pieces }
        enum Finish: CaseIterable { case apart, withLast, repeatingLast }

        var index = Index.counted
        var id = ID.own
        var cut = Cut.whole
        var finish = Finish.apart
        /// With the first piece of a call only, or with each.
        var namesEachPiece = false
        /// All calls in one list.
        var isOneList = false

        init(_ random: inout SeededRandom) {
            index = Index.allCases.randomElement(using: &random) ?? .counted
            id = ID.allCases.randomElement(using: &random) ?? .own
            cut = Cut.allCases.randomElement(using: &random) ?? .whole
            finish = Finish.allCases.randomElement(using: &random) ?? .apart
            namesEachPiece = Bool.random(using: &random)
            isOneList = cut == .whole && finish != .repeatingLast && Bool.random(using: &random)
        }

        /// Whether calls can be told apart: then they have to be.
        var isPlain: Bool { cut == .whole || index == .counted || index == .fromOne || id == .own }

        private func piece(_ number: Int, _ name: String?, _ arguments: String) -> String {
            var members: [String] = []
            switch index {
            case .counted: members.append("\"index\":\(number)")
            case .fromOne: members.append("\"index\":\(number + 1)")
            case .zero: members.append("\"index\":0")
            case .none: break
            }
            switch id {
            case .own: members.append("\"id\":\"call_\(number)\"")
            case .same: members.append("\"id\":\"call_x\"")
            case .nameOfTool: members.append("\"id\":\"\(name ?? "")\"")
            case .count: members.append("\"id\":\(number)")
            case .empty: members.append("\"id\":\"\"")
            case .none: break
            }
            let text = String(decoding: JSONText(arguments).bytes, as: UTF8.self)
            let named = name.map { "\"name\":\"\($0)\"," } ?? ""
            members.append("\"function\":{\(named)\"arguments\":\"\(text)\"}")
            return "{\(members.joined(separator: ","))}"
        }

        private static func chunk(_ pieces: [String], _ finish: String = "null") -> String {
            let list = pieces.joined(separator: ",")
            return
                #"data: {"choices":[{"index":0,"delta":{"tool_calls":[\#(list)]},"finish_reason":\#(finish)}]}"#
                + "\n\n"
        }

        func stream(_ calls: [Call], _ random: inout SeededRandom) -> String {
            var lists: [[String]] = []
            for (number, call) in calls.enumerated() {
                switch cut {
                case .whole: lists.append([piece(number, call.name, call.input)])
                case .headAndWhole:
                    lists.append([piece(number, call.name, "")])
                    lists.append([piece(number, namesEachPiece ? call.name : nil, call.input)])
                case .pieces:
                    var rest = Substring(call.input)
                    var isFirst = true
                    while !rest.isEmpty {
                        let text = rest.prefix(Int.random(in: 1...6, using: &random))
                        rest = rest.dropFirst(text.count)
                        lists.append([
                            piece(number, isFirst || namesEachPiece ? call.name : nil, String(text))
                        ])
                        isFirst = false
                    }
                }
            }
            if isOneList { lists = [lists.flatMap(\.self)] }
            if finish == .repeatingLast, let last = calls.last {
                lists.append([piece(calls.count - 1, last.name, last.input)])
            }
            var stream = ""
            for (number, list) in lists.enumerated() {
                let isLast = finish != .apart && number == lists.count - 1
                stream += Self.chunk(list, isLast ? "\"tool_calls\"" : "null")
            }
            if finish == .apart { stream += Self.chunk([], "\"tool_calls\"") }
            return stream + "data: [DONE]\n\n"
        }
    }

    static func calls(_ output: [UInt8]) -> [Call] {
        let message = try? JSONDocument(parsing: output).root
        return message?["content"]?.elements.compactMap { block in
            guard block["type"]?.string == "tool_use", let input = block["input"] else { return nil }
            return Call(name: block["name"]?.string ?? "", input: String(decoding: input.raw, as: UTF8.self))
        } ?? []
    }

    private static func reply(_ stream: String, _ cuts: [Int] = []) -> (DrivenReply, output: [UInt8]) {
        var upstream = ScriptedUpstream(
            head: UpstreamHead(status: 200, contentType: "text/event-stream"), body: Array(stream.utf8))
        upstream.plan.toolNames = ["Read", "Bash", "LS"]
        return upstream.run(streaming: false, cuts: cuts)
    }

    @Test("each call as it was meant, or an error", arguments: 0..<20)
    func manners(_ block: Int) {
        for seed in 0..<100 {
            var random = SeededRandom(seed: UInt64(block * 1000 + seed))
            let manner = Manner(&random)
            let calls = (0..<Int.random(in: 1...4, using: &random)).map { number in
                let name = ["Read", "Bash", "LS"].randomElement(using: &random) ?? "Read"
                let value = ["{}", "[1,{\"b\":\"}\"}]", "\"}{\\\"\"", "\"\\\\\"", "\"é\\n{\""].randomElement(
                    using: &random)
                return Call(name: name, input: "{\"n\":\(number),\"v\":\(value ?? "1")}")
            }
            let stream = manner.stream(calls, &random)
            let (reply, output) = Self.reply(stream)
            guard reply.phase == .ended(.completed) else {
                #expect(!manner.isPlain, "seed \(block * 1000 + seed): \(stream)")
                continue
            }
            #expect(Self.calls(output) == calls, "seed \(block * 1000 + seed): \(stream)")
        }
    }

    @Test("a call that is cut anywhere never leaves, whatever the finish reason says")
    func cutAnywhere() {
        let input = #"{"file_path":"/a","offset":12,"edits":[{"old":"a{","new":"b"},"c"],"all":true}"#
        let whole = Call(name: "Read", input: input)
        for length in 1...input.count {
            let text = String(decoding: JSONText(String(input.prefix(length))).bytes, as: UTF8.self)
            for reason in ["length", "tool_calls"] {
                let (reply, output) = Self.reply(
                    #"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"Read","arguments":"\#(text)"}}]},"finish_reason":"\#(reason)"}]}"#
                        + "\n\ndata: [DONE]\n\n")
                let calls = Self.calls(output)
                if length == input.count {
                    #expect(calls == [whole])
                } else if reason == "length" {
                    #expect(reply.phase == .ended(.completed) && calls.isEmpty, "\(text)")
                } else {
                    // Brackets may be missing behind a whole value; nothing else may.
                    #expect(calls.allSatisfy { $0.input.hasPrefix(input.prefix(length)) }, "\(text)")
                    #expect(calls.isEmpty == (reply.failure != nil), "\(text)")
                }
            }
        }
    }

    @Test("pieces of calls that take turns cost the same each, however many there are")
    func interleaved() {
        func run(_ count: Int) {
            let piece = { (index: Int, text: String) in
                Array(
                    #"data: {"choices":[{"delta":{"tool_calls":[{"index":\#(index),"function":{"arguments":"\#(text)"}}]}}]}"#
                        .utf8) + [10, 10]
            }
            var plan = ReplyPlan()
            plan.toolNames = ["Read"]
            var reply = DrivenReply(plan: plan, streaming: true)
            for index in 0...1 {
                reply.receive(
                    Array(
                        #"data: {"choices":[{"delta":{"tool_calls":[{"index":\#(index),"id":"c\#(index)","function":{"name":"Read","arguments":"{\"a\":["}}]}}]}"#
                            .utf8) + [10, 10])
            }
            for _ in 0..<count {
                for index in 0...1 { reply.receive(piece(index, #"{\"content\":\"0123456789\"},{}"#)) }
            }
            #expect(reply.wantsMore)
        }
        // Sixteen times as many; each piece read anew would cost 256 times as much.
        let (few, many) = (Work.least { run(200) }, Work.least { run(3200) })
        #expect(many < few * 64, "\(few) for 200, \(many) for 3200")
    }

    @Test("arguments with very many names cost little and stay as they are")
    func manyNames() {
        let schema = Array(
            #"{"properties":{"file_path":{"type":"string"},"limit":{"type":"integer"}},"required":["file_path"],"additionalProperties":false}"#
                .utf8)
        func arguments(_ count: Int) -> [UInt8] {
            Array("{\((0..<count).map { "\"file\($0)\":\"x\"" }.joined(separator: ","))}".utf8)
        }
        for count in [33, 300, 3000] {
            #expect(ArgumentHealing.healed(arguments(count), schema: schema) == nil)
        }
        // Read once, and a glance at each name; names compared with one another would cost thousands of that.
        let many = arguments(12_000)
        let read = Work.least { _ = try? JSONDocument(parsing: many) }
        let healed = Work.least { _ = ArgumentHealing.healed(many, schema: schema) }
        #expect(healed < read * 40, "\(read) to read them, \(healed) to heal them")
    }

    @Test("more calls than there may be are an error, not fewer calls")
    func tooMany() {
        let calls = (0...ToolCallBuffer.callLimit).map {
            #"{"id":"c\#($0)","function":{"name":"Read","arguments":"{\"a\":\#($0)}"}}"#
        }
        let list = calls.joined(separator: ",")
        let (reply, _) = Self.reply(
            #"data: {"choices":[{"delta":{"tool_calls":[\#(list)]},"finish_reason":"tool_calls"}]}"# + "\n\n")
        #expect(reply.failure != nil)
    }
}
