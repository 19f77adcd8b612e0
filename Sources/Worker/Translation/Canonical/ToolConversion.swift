// Tools to function definitions: which are sent, in what order, under which names, with which schemas.
// Holds: the order of the list and every byte of it depend on the tools and on what was loaded before
// only, so that a prompt's beginning stays the same while a conversation goes on.

import JSON

/// Names that a backend takes, and the way back.
struct UpstreamToolNames {
    private let rule: ToolNameRule
    /// Upstream name to the client's.
    private(set) var renamed: [String: String] = [:]

    init(_ rule: ToolNameRule) { self.rule = rule }

    static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// The same name always becomes the same name, in tools, history and choice.
    mutating func upstream(_ name: String) -> String {
        let bytes = Array(name.utf8)
        let startsWell =
            bytes.first.map { $0 | 0x20 >= UInt8(ascii: "a") } ?? false
        let needsLetter = rule.letterFirst && !startsWell
        let clean = bytes.map { Self.isAllowed($0) ? $0 : UInt8(ascii: "_") }
        guard clean.count > rule.maxLength || needsLetter || clean != bytes else { return name }
        let prefix = needsLetter ? "t_" : ""
        let hash = SHA256.hex(bytes).prefix(8)
        let kept = clean.prefix(max(rule.maxLength - 9 - prefix.utf8.count, 1))
        let short = prefix + String(decoding: kept, as: UTF8.self) + "_" + hash
        renamed[short] = name
        return short
    }
}

/// The tools of one request, decided.
struct OfferedTools {
    var tools: [Tool] = []
    var choice: ToolChoice?
    /// Said in the system prompt where the backend has no word for the choice.
    var nudge: TextRope?
    private(set) var losses: [Loss] = []

    init(_ request: CanonicalRequest, _ profile: Profile) throws(Failure) {
        guard profile.tools else {
            switch request.toolChoice {
            case .any, .tool: throw .request(.unsupported("tool_choice: the model does not take tools"))
            case .auto, .never, nil: return
            }
        }
        tools = ToolAvailability(events: request.toolEvents, of: request.tools).offered(request.tools)
        choice = request.toolChoice
        if case .tool(let name)? = choice, !tools.contains(where: { $0.name == name }) {
            throw .request(
                .unsupported("tool_choice: Tool '\(Excerpt.shown(name))' is not available here"))
        }
        if let limit = profile.maxTools, tools.count > limit {
            losses.append(Loss(.tools, "the backend takes \(limit) of \(tools.count)"))
            tools = limited(limit)
        }
        guard !tools.isEmpty else {
            if choice == .any {
                throw .request(
                    .unsupported("tool_choice: none of the provided tools is available here"))
            }
            choice = nil
            return
        }
        bend(to: profile, thinks: request.thinking.isOn)
    }

    /// The first ones, and in any case the one that must be called.
    private func limited(_ limit: Int) -> [Tool] {
        guard case .tool(let name)? = choice, let index = tools.firstIndex(where: { $0.name == name }),
            index >= limit
        else { return Array(tools.prefix(limit)) }
        return tools.prefix(limit - 1) + [tools[index]]
    }

    private mutating func bend(to profile: Profile, thinks: Bool) {
        let isForced =
            switch choice {
            case .any, .tool: true
            case .auto, .never, nil: false
            }
        switch profile.toolChoice {
        case .full: return
        case .words:
            guard case .tool(let name)? = choice else { return }
            tools = tools.filter { $0.name == name }
            choice = .any
        case .autoWhenThinking:
            guard thinks, isForced else { return }
            force(dropsChoice: true)
        case .ignored:
            if choice == .never { tools = [] }
            if isForced { force(dropsChoice: true) } else { choice = nil }
        }
    }

    private mutating func force(dropsChoice: Bool) {
        if case .tool(let name)? = choice {
            tools = tools.filter { $0.name == name }
            nudge = TextRope("You must answer by calling the tool \(name).")
        } else {
            nudge = TextRope("You must answer by calling one of the tools." as StaticString)
        }
        losses.append(Loss(.toolChoice, "the backend cannot be forced; asked in the prompt"))
        if dropsChoice { choice = nil }
    }
}

extension Tool {
    /// The schema as the backend takes it.
    func writeSchema(_ schemas: inout SchemaWriter, to writer: inout JSONWriter) {
        switch kind {
        case .custom(let schema):
            schemas.writeParameters(schema, to: &writer)
        case .client(let client): writer.raw(client.schema)
        case .server: writer.raw("{}")
        }
    }

    /// Asked for, and possible with this schema.
    var canBeStrict: Bool {
        guard isStrict, case .custom(let schema) = kind else { return false }
        return StrictSchema.takes(schema)
    }

    /// As the client sees it, for checking and mending the model's arguments.
    var schemaBytes: [UInt8] {
        switch kind {
        case .custom(let schema): schema.map { Array($0.raw) } ?? Array("{}".utf8)
        case .client(let client): client.schema.withUTF8Buffer { Array($0) }
        case .server: []
        }
    }
}
