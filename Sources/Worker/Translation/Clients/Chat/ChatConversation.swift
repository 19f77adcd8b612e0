// The messages of a chat request as a conversation of the Messages API: results stand right behind their calls,
// every call has one, ids are of that API's alphabet and stand once.
// Holds: what stands for a message depends on the messages before it only, so that the next request of a
// conversation begins with the same bytes.

import JSON

/// A text: received, or ours.
enum ChatText {
    case received(JSONNode)
    case words(String)

    var isEmpty: Bool {
        switch self {
        case .received(let node): node.stringRange.isEmpty
        case .words(let text): text.isEmpty
        }
    }
}

enum ChatBlock {
    case text(ChatText)
    case thinking(JSONNode)
    case image(ChatImage)
    /// Base64 of a PDF, escaped as received.
    case pdf(data: ArraySlice<UInt8>, name: JSONNode?)
    case call(id: String, name: String, input: [UInt8])
    case result(id: String, [ChatBlock])
}

struct ChatTurn {
    enum Role { case user, assistant, system }

    var role: Role
    var blocks: [ChatBlock]
}

struct ChatConversation {
    private(set) var system: [ChatText] = []
    private(set) var turns: [ChatTurn] = []
    private(set) var omissions: [Omission] = []
    /// Names of the functions that were called.
    private(set) var calledNames: [String] = []
    private var knownNames: Set<String> = []

    /// The API that it is for wants users and assistants by turns, a user first, and no blank texts.
    private let isStrict: Bool
    /// Messages and parts together.
    private var count = 0
    private static let limit = 200_000
    private static let maxOmissions = 64
    /// What stands for a last message that says nothing.
    private static let silence = "[empty message]"
    /// What the first message of all says when the client's is an assistant's.
    private static let opening = "[The conversation begins with the assistant.]"

    /// - Throws: 400 for what cannot be said in the Messages API.
    init(_ messages: JSONNode, isStrict: Bool) throws(ClientError) {
        self.isStrict = isStrict
        for (index, message) in messages.elements.enumerated() { try read(message, index) }
        if turns.isEmpty {
            // Nothing but instructions: somebody has to say them.
            turns = [ChatTurn(role: .user, blocks: system.map(ChatBlock.text))]
            system = []
        }
        speakUp()
        heal()
        if isStrict { alternate() }
        guard turns.contains(where: { !$0.blocks.isEmpty }) else {
            throw .chat("Invalid 'messages': none of them says anything.", "messages")
        }
    }

    /// A last message of the user's without a word: this API takes it, the Messages API does not, and without it the
    /// model would go on with its own words.
    private mutating func speakUp() {
        guard let last = turns.last, last.role == .user else { return }
        guard last.blocks.allSatisfy({ isStrict ? $0.isBlank : $0.isEmptyText }) else { return }
        turns[turns.count - 1].blocks = [.text(.words(Self.silence))]
    }

    mutating func countOne() throws(ClientError) {
        count += 1
        guard count <= Self.limit else { throw .chat("Too many messages and parts.", "messages") }
    }

    mutating func omit(_ path: String, _ reason: String) {
        guard omissions.count < Self.maxOmissions else { return }
        omissions.append(Omission(path: path, reason: reason))
    }

    // MARK: Reading

    private mutating func read(_ message: JSONNode, _ index: Int) throws(ClientError) {
        try countOne()
        let path = "messages[\(index)]"
        var fields = try ChatFields(message, path)
        let role = try fields.requiredString("role").string ?? ""
        if fields.take("name") != nil, role != "function" { omit("\(path).name", "names are not carried") }
        switch role {
        case "system", "developer":
            let texts = try texts(fields.take("content"), "\(path).content").filter { !$0.isEmpty }
            if turns.isEmpty {
                system += texts
            } else if !texts.isEmpty {
                turns.append(ChatTurn(role: .system, blocks: texts.map(ChatBlock.text)))
            }
        case "user":
            guard let content = fields.take("content") else { throw .chatMissing("\(path).content") }
            turns.append(ChatTurn(role: .user, blocks: try parts(content, "\(path).content")))
        case "assistant": try readAssistant(&fields, path, index)
        case "tool":
            let id = try fields.requiredString("tool_call_id").string ?? ""
            try addResult(id, fields.take("content"), path)
        case "function":
            // Answers the call of that name in the assistant's last message.
            let name = try fields.requiredString("name").string ?? ""
            try addResult(Self.legacyID(name), fields.take("content"), path)
        default:
            throw .chatValue(
                "\(path).role", role,
                supported: "'system', 'assistant', 'user', 'function', 'tool', and 'developer'")
        }
    }

    private mutating func readAssistant(_ fields: inout ChatFields, _ path: String, _ index: Int)
        throws(ClientError)
    {
        var blocks: [ChatBlock] = []
        let reasoning = fields.take("reasoning_content") ?? fields.take("reasoning")
        if let reasoning, reasoning.isString, !reasoning.stringRange.isEmpty {
            if isStrict {
                omit("\(path).reasoning_content", "reasoning is taken back only with its signature")
            } else {
                blocks.append(.thinking(reasoning))
            }
        }
        for text in try texts(fields.take("content"), "\(path).content") where !text.isEmpty {
            blocks.append(.text(text))
        }
        if fields.take("audio") != nil { omit("\(path).audio", "nothing is stored here") }
        if let refusal = try fields.string("refusal"), !refusal.stringRange.isEmpty {
            blocks.append(.text(.received(refusal)))
        }
        if let calls = try fields.array("tool_calls") {
            for (number, call) in calls.elements.enumerated() {
                try countOne()
                let place = "\(path).tool_calls[\(number)]"
                var inner = try ChatFields(call, place)
                let id = try inner.requiredString("id").string ?? ""
                guard let function = try inner.object("function") else {
                    omit(place, "not the call of a function")
                    continue
                }
                blocks.append(try self.call(function, id, "\(place).function"))
            }
        }
        if let function = try fields.object("function_call") {
            let id = Self.legacyID(function["name"]?.string ?? "")
            blocks.append(try call(function, id, "\(path).function_call"))
        }
        turns.append(ChatTurn(role: .assistant, blocks: blocks))
    }

    private mutating func call(_ function: JSONNode, _ id: String, _ path: String) throws(ClientError)
        -> ChatBlock
    {
        var fields = try ChatFields(function, path)
        let name = try fields.requiredString("name").string ?? ""
        guard FunctionName.isValid(name) else { throw FunctionName.invalid("\(path).name") }
        if knownNames.insert(name).inserted { calledNames.append(name) }
        var input: [UInt8] = []
        if let arguments = fields.take("arguments") {
            if arguments.isString {
                arguments.appendDecoded(to: &input)
            } else {
                input.append(raw: arguments)
            }
        }
        switch ToolArguments.read(input, isCut: false, schema: nil) {
        case .exact(let text), .repaired(let text, _): return .call(id: id, name: name, input: text)
        case .unreadable:
            omit("\(path).arguments", "not an object; sent as {}")
            return .call(id: id, name: name, input: Array("{}".utf8))
        }
    }

    /// Results in a row are one turn of the user.
    private mutating func addResult(_ id: String, _ content: JSONNode?, _ path: String) throws(ClientError) {
        var blocks: [ChatBlock] = []
        if let content { blocks = try parts(content, "\(path).content") }
        let block = ChatBlock.result(id: id, blocks)
        if turns.last.map({ $0.role == .user && $0.isResults }) == true {
            turns[turns.count - 1].blocks.append(block)
        } else {
            turns.append(ChatTurn(role: .user, blocks: [block]))
        }
    }

    private static func legacyID(_ name: String) -> String { "function_\(name)" }
}

extension ChatTurn {
    fileprivate var isResults: Bool {
        blocks.allSatisfy { if case .result = $0 { true } else { false } }
    }
}

/// Names of functions, which the two APIs agree on.
enum FunctionName {
    static func isValid(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count) && name.utf8.allSatisfy(UpstreamToolNames.isAllowed)
    }

    static func invalid(_ path: String) -> ClientError {
        .chat(
            "Invalid '\(path)': string does not match pattern. Expected a string that matches the pattern "
                + "'^[a-zA-Z0-9_-]+$'.", path, "invalid_value")
    }
}

// MARK: Healing

extension ChatConversation {
    /// Puts each result behind its call. What is said between the two comes after the results.
    private mutating func heal() {
        var healed: [ChatTurn] = []
        var seen: [String: Int] = [:]
        var index = 0
        while index < turns.count {
            guard turns[index].role == .assistant else {
                healed.append(loose(turns[index]))
                index += 1
                continue
            }
            // Two assistant messages with nothing between them are one turn.
            var turn = ChatTurn(role: .assistant, blocks: [])
            while index < turns.count, turns[index].role == .assistant {
                turn.blocks += turns[index].blocks
                index += 1
            }
            var others: [ChatTurn] = []
            while index < turns.count, turns[index].role != .assistant {
                others.append(turns[index])
                index += 1
            }
            healed += answered(turn, others, &seen)
        }
        turns = healed.filter { !$0.blocks.isEmpty }
    }

    /// A turn of the assistant, the results of its calls, then the rest of what was said before its next turn.
    private mutating func answered(_ turn: ChatTurn, _ others: [ChatTurn], _ seen: inout [String: Int])
        -> [ChatTurn]
    {
        var given: [String: [[ChatBlock]]] = [:]
        for other in others {
            for case .result(let id, let blocks) in other.blocks { given[id, default: []].append(blocks) }
        }
        var turn = turn
        var results: [ChatBlock] = []
        var asked: Set<String> = []
        for index in turn.blocks.indices {
            guard case .call(let id, let name, let input) = turn.blocks[index] else { continue }
            asked.insert(id)
            let sent = Self.unique(id, &seen)
            turn.blocks[index] = .call(id: sent, name: name, input: input)
            if given[id]?.isEmpty == false, let blocks = given[id]?.removeFirst() {
                results.append(.result(id: sent, blocks))
            } else {
                omit("messages", "call \(Excerpt.shown(id)) has no result; marked as interrupted")
                results.append(.result(id: sent, [.text(.words("[no result: interrupted]"))]))
            }
        }
        for id in given.keys.sorted() where asked.contains(id) && given[id]?.isEmpty == false {
            omit("messages", "call \(Excerpt.shown(id)) has more than one result; the first counts")
        }
        let rest = others.map { other in
            var other = other
            other.blocks.removeAll { if case .result(let id, _) = $0 { asked.contains(id) } else { false } }
            return loose(other)
        }
        return [turn] + (results.isEmpty ? [] : [ChatTurn(role: .user, blocks: results)]) + rest
    }

    /// Results of calls that are not there, told as text.
    private mutating func loose(_ turn: ChatTurn) -> ChatTurn {
        guard turn.role == .user else { return turn }
        let blocks = turn.blocks.flatMap { block -> [ChatBlock] in
            guard case .result(let id, let inner) = block else { return [block] }
            omit("messages", "result of an unknown call \(Excerpt.shown(id)), told as text")
            return [.text(.words("[tool result \(Excerpt.shown(id))]"))] + inner
        }
        return ChatTurn(role: .user, blocks: blocks)
    }

    /// The id in the Messages API's alphabet; ids that clients use again get a number.
    private static func unique(_ id: String, _ seen: inout [String: Int]) -> String {
        let isPlain = !id.isEmpty && id.utf8.count <= 128 && id.utf8.allSatisfy(UpstreamToolNames.isAllowed)
        let plain = isPlain ? id : ToolIdentifier.forClient(id, salt: "chat")
        var sent = plain
        while seen[sent] != nil {
            let use = (seen[plain] ?? 1) + 1
            seen[plain] = use
            sent = "\(plain)_\(use)"
        }
        seen[sent] = 1
        return sent
    }

    private static func reminder(_ blocks: [ChatBlock]) -> String {
        let texts = blocks.compactMap { block in
            if case .text(.received(let node)) = block { node.string } else { nil }
        }
        return "<system-reminder>\n\(texts.joined(separator: "\n\n"))\n</system-reminder>"
    }

    // MARK: Turns

    /// Users and assistants by turns; instructions go into what the user says, as reminders.
    private mutating func alternate() {
        var strict: [ChatTurn] = []
        for var turn in turns {
            if turn.role == .system {
                turn = ChatTurn(role: .user, blocks: [.text(.words(Self.reminder(turn.blocks)))])
            }
            turn.blocks.removeAll(where: \.isBlank)
            guard !turn.blocks.isEmpty else { continue }
            if strict.last?.role == turn.role {
                strict[strict.count - 1].blocks += turn.blocks
            } else {
                strict.append(turn)
            }
        }
        if strict.first?.role == .assistant {
            strict.insert(ChatTurn(role: .user, blocks: [.text(.words(Self.opening))]), at: 0)
        }
        turns = strict
    }
}

extension ChatBlock {
    fileprivate var isEmptyText: Bool { if case .text(let text) = self { text.isEmpty } else { false } }

    /// A text of nothing but white space.
    fileprivate var isBlank: Bool {
        guard case .text(let text) = self else { return false }
        switch text {
        case .received(let node): return node.string?.allSatisfy(\.isWhitespace) ?? true
        case .words(let words): return words.isEmpty
        }
    }
}
