// The model list in the two shapes that clients ask for. Pure; the registry belongs to the worker.

import JSON

/// One model as the service offers it.
public struct ModelEntry: Sendable, Equatable {
    /// Under which clients may ask for it.
    public var id: String
    public var displayName: String
    /// Seconds since 1970; 0 if unknown.
    public var created: Int
    /// For people: which backend, which model behind an alias. May be empty.
    public var description: String
    /// Tokens; nil if unknown.
    public var maxInputTokens: Int?
    public var maxOutputTokens: Int?
    /// Nil if unknown.
    public var capabilities: ModelCapabilities?
    /// Who offers it, for the OpenAI shape.
    public var owner: String

    public init(
        id: String, displayName: String? = nil, created: Int = 0, description: String = "",
        maxInputTokens: Int? = nil, maxOutputTokens: Int? = nil, owner: String = "dragoman"
    ) {
        self.id = id
        self.displayName = displayName ?? id
        self.created = created
        self.description = description
        self.maxInputTokens = maxInputTokens
        self.maxOutputTokens = maxOutputTokens
        self.owner = owner
    }
}

/// What the service takes for a model, where it is known. What no local model and no backend of ours has stands in
/// the written form only.
public struct ModelCapabilities: Sendable, Equatable {
    public var thinking: Bool
    /// Levels of thinking.
    public var effort: Bool
    public var images: Bool
    /// PDF.
    public var documents: Bool
    public var structuredOutput: Bool

    public init(thinking: Bool, effort: Bool, images: Bool, documents: Bool, structuredOutput: Bool) {
        self.thinking = thinking
        self.effort = effort
        self.images = images
        self.documents = documents
        self.structuredOutput = structuredOutput
    }

    /// As Anthropic's API has it: strict clients want every member.
    fileprivate func append(to out: inout [UInt8]) {
        func word(_ isSupported: Bool) -> String { #"{"supported":\#(isSupported)}"# }
        let (yes, no) = (word(true), word(false))
        let levels = Effort.allCases.map { #","\#($0.rawValue)":\#(word(effort))"# }.joined()
        out.append(
            contentsOf: """
                {"batch":\(no),"citations":\(no),"code_execution":\(no),\
                "context_management":{"supported":true,"clear_thinking_20251015":\(yes),\
                "clear_tool_uses_20250919":\(yes),"compact_20260112":\(no)},\
                "effort":{"supported":\(effort)\(levels)},"image_input":\(word(images)),"pdf_input":\(word(documents)),\
                "server_tools":{"supported":false,"code_execution":\(no),"web_search":\(no)},\
                "structured_outputs":\(word(structuredOutput)),"thinking":{"supported":\(thinking),\
                "types":{"adaptive":\(word(thinking)),"between_tools":\(yes),"disabled":\(yes),"enabled":\(word(thinking))}}}
                """.utf8)
    }
}

/// The page of `GET /v1/models?limit=&after_id=&before_id=` that a client asked for.
public struct ModelPage: Sendable, Equatable {
    /// 1…1000.
    public var limit: Int
    public var afterID: String?
    public var beforeID: String?

    public init(limit: Int = 20, afterID: String? = nil, beforeID: String? = nil) {
        self.limit = min(max(limit, 1), 1000)
        self.afterID = afterID
        self.beforeID = beforeID
    }

    /// The entries of this page, and whether others lie beyond it. An unknown id starts at the edge.
    func select(_ entries: [ModelEntry]) -> (page: ArraySlice<ModelEntry>, hasMore: Bool) {
        if let beforeID, let end = entries.firstIndex(where: { $0.id == beforeID }) {
            let page = entries[..<end].suffix(limit)
            return (page, page.startIndex > 0)
        }
        let after = afterID.flatMap { id in entries.firstIndex { $0.id == id } }
        let page = entries[(after.map { $0 + 1 } ?? 0)...].prefix(limit)
        return (page, page.endIndex < entries.count)
    }
}

public enum ModelsReply {
    /// `GET /v1/models` for Anthropic clients.
    public static func anthropicList(_ entries: [ModelEntry], page: ModelPage) -> [UInt8] {
        let (selected, hasMore) = page.select(entries)
        var out: [UInt8] = []
        out.append(ascii: "{\"data\":[")
        for entry in selected {
            if out.last == UInt8(ascii: "}") { out.append(UInt8(ascii: ",")) }
            out.append(contentsOf: anthropic(entry))
        }
        out.append(ascii: "],\"has_more\":")
        out.append(ascii: hasMore ? "true" : "false")
        for (name, id) in [("first_id", selected.first?.id), ("last_id", selected.last?.id)] {
            out.append(contentsOf: ",\"\(name)\":".utf8)
            if let id { out.appendJSON(id) } else { out.append(ascii: "null") }
        }
        out.append(UInt8(ascii: "}"))
        return out
    }

    /// `GET /v1/models/{id}` for Anthropic clients.
    public static func anthropic(_ entry: ModelEntry) -> [UInt8] {
        var out: [UInt8] = []
        out.append(ascii: "{\"type\":\"model\",\"id\":")
        out.appendJSON(entry.id)
        out.append(ascii: ",\"display_name\":")
        out.appendJSON(entry.displayName)
        out.append(ascii: ",\"created_at\":")
        out.appendJSON(timestamp(entry.created))
        out.append(ascii: ",\"lifecycle\":\"active\"")
        if !entry.description.isEmpty {
            out.append(ascii: ",\"description\":")
            out.appendJSON(entry.description)
        }
        if let tokens = entry.maxInputTokens {
            out.append(contentsOf: ",\"max_input_tokens\":\(tokens)".utf8)
        }
        if let tokens = entry.maxOutputTokens { out.append(contentsOf: ",\"max_tokens\":\(tokens)".utf8) }
        out.append(ascii: ",\"capabilities\":")
        if let capabilities = entry.capabilities {
            capabilities.append(to: &out)
        } else {
            out.append(ascii: "null")
        }
        out.append(UInt8(ascii: "}"))
        return out
    }

    /// `GET /v1/models` for OpenAI clients, who know no pages.
    public static func openAIList(_ entries: [ModelEntry]) -> [UInt8] {
        var out: [UInt8] = []
        out.append(ascii: "{\"object\":\"list\",\"data\":[")
        for (index, entry) in entries.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            out.append(contentsOf: openAI(entry))
        }
        out.append(ascii: "]}")
        return out
    }

    /// `GET /v1/models/{id}` for OpenAI clients.
    public static func openAI(_ entry: ModelEntry) -> [UInt8] {
        var out: [UInt8] = []
        out.append(ascii: "{\"id\":")
        out.appendJSON(entry.id)
        out.append(
            contentsOf: ",\"object\":\"model\",\"created\":\(max(0, entry.created)),\"owned_by\":".utf8)
        out.appendJSON(entry.owner)
        out.append(UInt8(ascii: "}"))
        return out
    }

    /// RFC 3339, in UTC, for years up to 9999.
    static func timestamp(_ seconds: Int) -> String {
        let seconds = min(max(0, seconds), 253_402_300_799)
        let (year, month, day) = civil(seconds / 86_400)
        let time = seconds % 86_400
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let clock = [time / 3600, time / 60 % 60, time % 60].map(two).joined(separator: ":")
        return "\(year)-\(two(month))-\(two(day))T\(clock)Z"
    }

    /// The date of a day counted from 1970-01-01; years are taken to begin in March.
    private static func civil(_ day: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month,
            dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        )
    }
}

public enum CountTokensReply {
    /// The body of `POST /v1/messages/count_tokens`: nothing but the count.
    public static func body(inputTokens: Int) -> [UInt8] {
        Array("{\"input_tokens\":\(max(0, inputTokens))}".utf8)
    }
}
