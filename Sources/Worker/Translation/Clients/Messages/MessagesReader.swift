// From a Messages request's JSON to the canonical request: the top level. Strict where the API is and a
// client could only have made a mistake; open to fields, roles and blocks that did not exist when this was
// written.

import JSON

struct MessagesReader {
    private var fields: EnvelopeFields
    private let root: JSONNode

    init(_ root: JSONNode) throws(Failure) {
        self.root = root
        fields = try EnvelopeFields(root) { .root }
    }

    /// Hints that have no meaning for a backend of one's own; nothing of the request is lost with them.
    private static let hints: Set<String> = [
        "cache_control", "inference_geo", "service_tier", "speed", "diagnostics", "user_profile_id",
        "workspace_id",
        "betas", "billing_policy", "fallbacks", "fallback_credit_token", "compaction", "thread",
        "anthropic_version",
        "anthropic_beta",
    ]

    /// Kinds of edit are few; each is a pass over the conversation.
    private static let maxEdits = 16
    /// More than anybody reads.
    private static let maxOmissions = 200

    mutating func read(isCount: Bool) throws(Failure) -> RequestContent {
        var request = RequestContent(MessagesVocabulary())
        let model = try fields.requiredString("model").string ?? ""
        guard !model.isEmpty else { throw .missing(FieldPath("model")) }
        request.model = model
        request.stream = try fields.bool("stream") ?? false
        try readLength(into: &request, isCount: isCount)
        try readSystem(into: &request)
        try readSampling(into: &request)
        try readThinking(into: &request)
        try readOutput(into: &request)
        try readContext(into: &request)

        let messages = try fields.array("messages")
        guard let messages, !messages.isEmpty else {
            throw .invalid("messages: at least one message is required")
        }
        var blocks = BlockReader()
        request.messages = try blocks.messages(messages)
        request.omissions += blocks.omissions
        if let effort = blocks.effort { request.effort = effort }
        request.pdfs = blocks.pdfs

        var tools = ToolReader()
        request.tools = try tools.tools(try fields.array("tools"))
        request.toolEvents = try tools.events(blocks.toolEvents, blocks.inlineTools, &request.tools)
        try tools.choice(try fields.object("tool_choice"), into: &request)
        request.omissions += tools.omissions
        try readRest(into: &request)
        if request.omissions.count > Self.maxOmissions {
            request.omissions.removeSubrange(Self.maxOmissions...)
        }
        return request
    }

    private mutating func readLength(into request: inout RequestContent, isCount: Bool) throws(Failure) {
        request.maxTokens = MessagesRequest.defaultMaxTokens
        guard !isCount else { return fields.ignore("max_tokens") }
        request.maxTokens = try fields.int("max_tokens", atLeast: 0) ?? MessagesRequest.defaultMaxTokens
    }

    private mutating func readSystem(into request: inout RequestContent) throws(Failure) {
        guard let system = fields.take("system") else { return }
        if system.isString {
            request.system = [system]
        } else {
            guard system.isArray else { throw .invalid("system: Input should be a valid string or array") }
            for (index, element) in system.elements.enumerated() {
                let path = { FieldPath("system") / index }
                var block = try EnvelopeFields(element, at: path)
                guard try block.requiredString("type").stringEquals("text") else {
                    throw .invalid("\(path() / "type"): Input should be 'text'")
                }
                request.system.append(try block.requiredString("text"))
            }
        }
    }

    private mutating func readSampling(into request: inout RequestContent) throws(Failure) {
        request.temperature = try fields.number("temperature")
        request.topP = try fields.number("top_p")
        if let topK = try fields.number("top_k") {
            guard topK.int != nil else { throw .invalid("top_k: Input should be a valid integer") }
            request.topK = topK
        }
        try readStopSequences(into: &request)
        if let metadata = try fields.object("metadata") {
            var inner = try EnvelopeFields(metadata) { FieldPath("metadata") }
            request.userID = try inner.string("user_id")
        }
    }

    /// Omissions of one kind that are named one by one.
    private static let namedOmissions = 16

    /// Stop sequences of one request. The API names no limit, and no backend takes nearly as many; each is
    /// searched for in every piece of the answer.
    static let stopSequenceLimit = 4096

    private mutating func readStopSequences(into request: inout RequestContent) throws(Failure) {
        guard let stops = try fields.array("stop_sequences") else { return }
        var blank = 0
        var text: [UInt8] = []
        for (index, stop) in stops.elements.enumerated() {
            guard index < Self.stopSequenceLimit else {
                throw .invalid("stop_sequences: at most \(Self.stopSequenceLimit) are allowed")
            }
            guard stop.isString else {
                throw .invalid("stop_sequences.\(index): Input should be a valid string")
            }
            guard Self.isBlank(stop, &text) else {
                request.stopSequences.append(stop)
                continue
            }
            blank += 1
            guard blank <= Self.namedOmissions else { continue }
            request.omissions.append(
                Omission(path: "stop_sequences[\(index)]", reason: "only whitespace"))
        }
    }

    /// Nothing but white space; bytes tell nearly always.
    /// - Parameter text: memory for it.
    private static func isBlank(_ stop: JSONNode, _ text: inout [UInt8]) -> Bool {
        text.removeAll(keepingCapacity: true)
        stop.appendDecoded(to: &text)
        guard text.contains(where: { $0 >= 0x80 }) else { return text.allSatisfy(Ascii.isSpace) }
        return String(decoding: text, as: UTF8.self).allSatisfy(\.isWhitespace)
    }

    private mutating func readThinking(into request: inout RequestContent) throws(Failure) {
        guard let thinking = try fields.object("thinking") else { return }
        var inner = try EnvelopeFields(thinking) { FieldPath("thinking") }
        let type = try inner.requiredString("type").string ?? ""
        switch type {
        case "disabled", "between_tools": request.thinking = .disabled
        case "enabled": request.thinking = .enabled(budget: try inner.int("budget_tokens", atLeast: 0))
        case "adaptive": request.thinking = .adaptive
        default:
            // As if nothing had been said: what a future word asks for cannot be guessed.
            request.omissions.append(
                Omission(path: "thinking.type", reason: "unknown type \"\(Excerpt.shown(type))\""))
        }
        request.thinkingDisplayOmitted = inner.take("display")?.stringEquals("omitted") == true
    }

    private mutating func readOutput(into request: inout RequestContent) throws(Failure) {
        // The older form wins where both are given.
        let legacy = try fields.object("output_format")
        var format: (node: JSONNode, path: FieldPath)?
        if let output = try fields.object("output_config") {
            var inner = try EnvelopeFields(output) { FieldPath("output_config") }
            if let text = try inner.string("effort")?.string {
                guard let effort = Effort(rawValue: text) else {
                    throw .invalid(
                        "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
                }
                request.effort = effort
            }
            if let node = try inner.object("format") { format = (node, FieldPath("output_config.format")) }
            inner.ignore("task_budget")
            for name in inner.rest {
                request.omissions.append(Omission(path: "output_config.\(name)", reason: "unknown field"))
            }
        }
        if let legacy { format = (legacy, FieldPath("output_format")) }
        guard let format else { return }
        let path = { format.path }
        var inner = try EnvelopeFields(format.node, at: path)
        guard try inner.requiredString("type").stringEquals("json_schema") else {
            throw .invalid("\(format.path / "type"): Input should be 'json_schema'")
        }
        guard let schema = try inner.object("schema") else { throw .missing(format.path / "schema") }
        request.outputSchema = schema
    }

    private mutating func readContext(into request: inout RequestContent) throws(Failure) {
        if let thread = fields.take("thread"), thread["type"]?.stringEquals("continue") == true {
            throw .request(
                .malformed(
                    Complaint(
                        "thread: the earlier messages are not kept here; send them all",
                        code: "thread_unsupported_request")))
        }
        // Never refused: clients do not recover from it.
        guard let edits = fields.take("context_management")?["edits"] else { return }
        for (index, edit) in edits.elements.prefix(Self.maxEdits).enumerated() {
            if edit["type"]?.stringEquals("clear_thinking_20251015") == true {
                let keep = edit["keep"]
                let isAll = keep?.stringEquals("all") == true || keep?["type"]?.stringEquals("all") == true
                let turns = keep?.int ?? keep?["value"]?.int ?? 1
                request.contextEdits.append(.clearThinking(keepTurns: isAll ? nil : max(turns, 0)))
            } else if edit["type"]?.stringEquals("clear_tool_uses_20250919") == true {
                let keep = max(edit["keep"]?["value"]?.int ?? 3, 0)
                let trigger = edit["trigger"]
                let tokens =
                    trigger?["type"]?.stringEquals("input_tokens") == true ? trigger?["value"]?.int : nil
                request.contextEdits.append(.clearToolUses(keep: keep, trigger: max(tokens ?? 100_000, 0)))
            } else {
                request.omissions.append(
                    Omission(path: "context_management.edits[\(index)]", reason: "not supported"))
            }
        }
    }

    private mutating func readRest(into request: inout RequestContent) throws(Failure) {
        if let servers = fields.take("mcp_servers"), servers.isArray, !servers.isEmpty {
            request.omissions.append(Omission(path: "mcp_servers", reason: "not supported"))
        }
        if let container = fields.take("container"), container.isObject, !container.isEmpty {
            request.omissions.append(Omission(path: "container", reason: "not supported"))
        }
        for name in fields.rest where !Self.hints.contains(name) {
            request.omissions.append(Omission(path: name, reason: "unknown field"))
        }
    }
}

extension Optional where Wrapped: RangeReplaceableCollection {
    var orEmpty: Wrapped { self ?? Wrapped() }
}
