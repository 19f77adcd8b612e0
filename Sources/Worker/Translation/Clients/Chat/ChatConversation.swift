// The messages of a chat request as messages of the canonical request: results stand right behind their
// calls, every call has one, ids are of the Messages API's alphabet and stand once.
// Holds: what stands for a message depends on the messages before it only, so that the next request of a
// conversation begins with the same bytes.

import JSON

struct ChatConversation {
    private(set) var system: [JSONNode] = []
    private(set) var messages: [Message] = []
    private(set) var pdfs: [AttachedPDF] = []
    private(set) var omissions: [Omission] = []

    /// Messages and parts together.
    private var count = 0
    private static let limit = 200_000
    private static let maxOmissions = 64
    /// What stands for a last message that says nothing.
    private static let silence = "[empty message]"
    private static let noInput = JSONNode(object: "{}")

    /// - Throws: 400 for what cannot be said in the Messages API.
    init(_ array: JSONNode) throws(Failure) {
        for (index, message) in array.elements.enumerated() {
            guard index < BlockReader.messageLimit else {
                throw .chat(
                    "Invalid 'messages': at most \(BlockReader.messageLimit) are allowed.", "messages")
            }
            try read(message, index)
        }
        if messages.isEmpty {
            // Nothing but instructions: somebody has to say them.
            messages = [Message(role: .user, blocks: system.map(Block.text), index: 0)]
            system = []
        }
        speakUp()
        heal()
        guard !messages.isEmpty else { throw ChatVocabulary().emptyConversation }
    }

    /// A last message of the user's without a word: this API takes it, the Messages API does not, and without
    /// it the model would go on with its own words.
    private mutating func speakUp() {
        guard let last = messages.last, last.role == .user, last.isEmpty else { return }
        messages[messages.count - 1].blocks = [.text(JSONNode(text: Self.silence))]
    }

    /// Keeps a PDF; gives its number.
    mutating func attach(_ data: TextSlice) -> Int {
        pdfs.append(AttachedPDF(data: data))
        return pdfs.count - 1
    }

    mutating func countOne() throws(Failure) {
        count += 1
        guard count <= Self.limit else { throw .chat("Too many messages and parts.", "messages") }
    }

    mutating func omit(_ path: String, _ reason: String) {
        guard omissions.count < Self.maxOmissions else { return }
        omissions.append(Omission(path: path, reason: reason))
    }

    // MARK: Reading

    private mutating func read(_ message: JSONNode, _ index: Int) throws(Failure) {
        try countOne()
        let path = "messages[\(index)]"
        var fields = try ChatFields(message, path)
        let role = try fields.requiredString("role").string ?? ""
        if fields.take("name") != nil, role != "function" { omit("\(path).name", "names are not carried") }
        switch role {
        case "system", "developer":
            let texts = try texts(fields.take("content"), "\(path).content")
            if messages.isEmpty {
                system += texts
            } else if !texts.isEmpty {
                messages.append(Message(role: .system, blocks: texts.map(Block.text), index: index))
            }
        case "user":
            guard let content = fields.take("content") else { throw .chatMissing("\(path).content") }
            let blocks = try parts(content, "\(path).content")
            messages.append(Message(role: .user, blocks: blocks, index: index))
        case "assistant": try readAssistant(&fields, path, index)
        case "tool":
            let id = try fields.requiredString("tool_call_id").string ?? ""
            try addResult(id, fields.take("content"), path, index)
        case "function":
            // Answers the call of that name in the assistant's last message.
            let name = try fields.requiredString("name").string ?? ""
            try addResult(Self.legacyID(name), fields.take("content"), path, index)
        default:
            throw .chatValue(
                "\(path).role", role,
                supported: "'system', 'assistant', 'user', 'function', 'tool', and 'developer'")
        }
    }

    private mutating func readAssistant(_ fields: inout ChatFields, _ path: String, _ index: Int)
        throws(Failure)
    {
        var blocks: [Block] = []
        let reasoning = fields.take("reasoning_content") ?? fields.take("reasoning")
        if let reasoning, reasoning.isString, !reasoning.stringRange.isEmpty {
            blocks.append(.thinking(reasoning, signature: nil))
        }
        blocks += try texts(fields.take("content"), "\(path).content").map(Block.text)
        if fields.take("audio") != nil { omit("\(path).audio", "nothing is stored here") }
        if let refusal = try fields.string("refusal"), !refusal.stringRange.isEmpty {
            blocks.append(.text(refusal))
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
                blocks.append(.toolUse(try self.call(function, id, "\(place).function")))
            }
        }
        if let function = try fields.object("function_call") {
            let id = Self.legacyID(function["name"]?.string ?? "")
            blocks.append(.toolUse(try call(function, id, "\(path).function_call")))
        }
        messages.append(Message(role: .assistant, blocks: blocks, index: index))
    }

    private mutating func call(_ function: JSONNode, _ id: String, _ path: String) throws(Failure)
        -> ToolUse
    {
        var fields = try ChatFields(function, path)
        let name = try fields.requiredString("name").string ?? ""
        guard FunctionName.isValid(name) else { throw FunctionName.invalid("\(path).name") }
        var input: [UInt8] = []
        if let arguments = fields.take("arguments") {
            if arguments.isString {
                arguments.appendDecoded(to: &input)
            } else {
                input.append(raw: arguments)
            }
        }
        switch ToolArguments.read(input, isCut: false, schema: nil) {
        case .exact(let text), .repaired(let text, _):
            if let document = try? JSONDocument(parsing: text) {
                return ToolUse(id: id, name: name, input: document.root)
            }
        case .unreadable: break
        }
        omit("\(path).arguments", "not an object; sent as {}")
        return ToolUse(id: id, name: name, input: Self.noInput)
    }

    /// Results in a row are one turn of the user.
    private mutating func addResult(_ id: String, _ content: JSONNode?, _ path: String, _ index: Int)
        throws(Failure)
    {
        var blocks: [Block] = []
        if let content { blocks = try parts(content, "\(path).content") }
        let block = Block.toolResult(ToolResult(id: id, blocks: blocks, isError: false))
        if messages.last.map({ $0.role == .user && $0.isResults }) == true {
            messages[messages.count - 1].blocks.append(block)
        } else {
            messages.append(Message(role: .user, blocks: [block], index: index))
        }
    }

    private static func legacyID(_ name: String) -> String { "function_\(name)" }
}

extension Message {
    fileprivate var isResults: Bool {
        blocks.allSatisfy { if case .toolResult = $0 { true } else { false } }
    }
}

/// Names of functions, which the two APIs agree on.
enum FunctionName {
    static func isValid(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count) && name.utf8.allSatisfy(UpstreamToolNames.isAllowed)
    }

    static func invalid(_ path: String) -> Failure {
        .chat(
            "Invalid '\(path)': string does not match pattern. Expected a string that matches the pattern "
                + "'^[a-zA-Z0-9_-]+$'.", path, "invalid_value")
    }
}

// MARK: Healing

extension ChatConversation {
    /// Puts each result behind its call. What is said between the two comes after the results.
    private mutating func heal() {
        var healed: [Message] = []
        var seen: [String: Int] = [:]
        var index = 0
        while index < messages.count {
            guard messages[index].role == .assistant else {
                healed.append(loose(messages[index]))
                index += 1
                continue
            }
            // Two assistant messages with nothing between them are one turn.
            var turn = Message(role: .assistant, blocks: [], index: messages[index].index)
            while index < messages.count, messages[index].role == .assistant {
                turn.blocks += messages[index].blocks
                index += 1
            }
            var others: [Message] = []
            while index < messages.count, messages[index].role != .assistant {
                others.append(messages[index])
                index += 1
            }
            healed += answered(turn, others, &seen)
        }
        messages = healed.filter { !$0.isEmpty }
    }

    /// A turn of the assistant, the results of its calls, then the rest of what was said before its next
    /// turn.
    private mutating func answered(_ turn: Message, _ others: [Message], _ seen: inout [String: Int])
        -> [Message]
    {
        var given: [String: [[Block]]] = [:]
        var results = Message(role: .user, blocks: [], index: turn.index)
        for other in others {
            for case .toolResult(let result) in other.blocks {
                given[result.id, default: []].append(result.blocks)
                results.index = other.index
            }
        }
        var turn = turn
        var asked: Set<String> = []
        for index in turn.blocks.indices {
            guard case .toolUse(var call) = turn.blocks[index] else { continue }
            let id = call.id
            asked.insert(id)
            call.id = Self.unique(id, &seen)
            turn.blocks[index] = .toolUse(call)
            var result = ToolResult(id: call.id, blocks: [], isError: false)
            if given[id]?.isEmpty == false, let blocks = given[id]?.removeFirst() {
                result.blocks = blocks
            } else {
                omit("messages", "call \(Excerpt.shown(id)) has no result; marked as interrupted")
                result.blocks = [.text(JSONNode(text: "[no result: interrupted]"))]
            }
            results.blocks.append(.toolResult(result))
        }
        for id in given.keys.sorted() where asked.contains(id) && given[id]?.isEmpty == false {
            omit("messages", "call \(Excerpt.shown(id)) has more than one result; the first counts")
        }
        let rest = others.map { other in
            var other = other
            other.blocks.removeAll {
                if case .toolResult(let result) = $0 { asked.contains(result.id) } else { false }
            }
            return loose(other)
        }
        return [turn, results] + rest
    }

    /// Results of calls that are not there, told as text.
    private mutating func loose(_ message: Message) -> Message {
        guard message.role == .user else { return message }
        var told = message
        told.blocks = message.blocks.flatMap { block -> [Block] in
            guard case .toolResult(let result) = block else { return [block] }
            let id = Excerpt.shown(result.id)
            omit("messages", "result of an unknown call \(id), told as text")
            return [.text(JSONNode(text: "[tool result \(id)]"))] + result.blocks
        }
        return told
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
}
